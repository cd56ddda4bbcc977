// Writes docs/results/healing.md from reports of heal: `node scripts/healing.mjs "SET: WAY=REPORT.json" ... > docs/results/healing.md`, such as
// "13-15,17,26: all layers=a.json". The runs of one set share its dense and its first pruned model; what a repaired model
// has before healing is the repair alone. Curves that the healing panel has drawn (test/webview/curves.test.ts) lie in
// docs/results/healing under the names of the reports. Numbers come from the reports; PEFT's are those of the same runs (see below).
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** PEFT 0.21.2 and PyTorch 2.15, f32, the same model, data, settings and held-out sequences; the loss after so many steps. */
const peft = {
  '13-15,17,26': { 0: 4.147, 25: 3.679, 50: 3.574, 75: 3.537, 100: 3.527 },
  '12-16': { 0: 4.326, 25: 3.737, 50: 3.566, 75: 3.514, 100: 3.499 },
};

const runs = process.argv.slice(2).map((text) => {
  const [, set, way, file] = /^(.+?): (.+)=(.+)$/.exec(text);
  return { set, way, name: basename(file, '.json'), report: JSON.parse(readFileSync(file, 'utf8')) };
});
const sets = [...new Set(runs.map((run) => run.set))];
const first = runs[0].report;
const marks = first.evals.map((it) => it.step);
const { optimizer } = first;
const perStep = first.timing.tokens / first.steps.length;

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
const nats = (x) => x.toFixed(3);

function rowsOf(set) {
  const ofSet = runs.filter((run) => run.set === set);
  const { dense, pruned } = ofSet[0].report;
  const recovered = (x) => `${((100 * (pruned.lossNats - x)) / (pruned.lossNats - dense.lossNats)).toFixed(0)} %`;
  const best = Math.min(...ofSet.map(({ report }) => report.healed.lossNats));
  const bold = (x) => (x === best ? `**${nats(x)}**` : nats(x));
  const repaired = ofSet.find(({ way }) => /repair/.test(way))?.report.pruned.lossNats;
  const theirs = peft[set];
  return [
    [
      'pruned',
      nats(pruned.lossNats),
      ...marks.slice(1).map(() => ''),
      nats(pruned.lossNats),
      '0 %',
      pruned.perplexity.toFixed(1),
      '',
    ],
    ...(repaired === undefined
      ? []
      : [
          [
            'linear repair alone',
            nats(repaired),
            ...marks.slice(1).map(() => ''),
            nats(repaired),
            recovered(repaired),
            Math.exp(repaired).toFixed(1),
            '',
          ],
        ]),
    ...ofSet.map(({ way, report }) => [
      way,
      ...marks.map((step) => nats(report.evals.find((it) => it.step === step).lossNats)),
      bold(report.healed.lossNats),
      recovered(report.healed.lossNats),
      report.healed.perplexity.toFixed(1),
      (perStep / median(report.steps.map((it) => it.tokensPerSecond))).toFixed(1),
    ]),
    ...(theirs
      ? [
          [
            'PEFT, all layers',
            ...marks.map((step) => nats(theirs[step])),
            nats(theirs[marks.at(-1)]),
            recovered(theirs[marks.at(-1)]),
            Math.exp(theirs[marks.at(-1)]).toFixed(1),
            '',
          ],
        ]
      : []),
  ];
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

const lines = [
  '# What healing brings back',
  '',
  `Made by Espalier. SmolLM2-135M without 5 of its 30 blocks, healed by LoRA of rank ${first.adapter.rank}, alpha ${first.adapter.alpha}, ` +
    `in ${first.steps.length} steps of ${perStep} tokens of WikiText-2's training text (${first.steps.length * perStep} tokens in all), AdamW with a peak rate of ` +
    `${optimizer.learningRate}, ${optimizer.warmupSteps} steps of warm-up and a ${optimizer.schedule} descent, in float32. Held out: the first 8 x 512 tokens of the ` +
    `test text. The original has ${nats(first.dense.lossNats)} nats there (perplexity ${first.dense.perplexity.toFixed(1)}).`,
  '',
  '```sh',
  'npx espalier prune SmolLM2-135M --drop 13-15,17,26 --out pruned          # add --repair linear --text TRAIN for the repaired one',
  'npx espalier heal pruned --data wikitext2_train_5k.txt --tokens 256 --steps 100 \\',
  '    --held-out-text wiki.test.raw --held-out-sequences 8 --held-out-tokens 512 --dense SmolLM2-135M --out healed --json report.json',
  '```',
  '',
  ...sets.flatMap((set) => [
    `## Without blocks ${set}`,
    '',
    table(
      [
        'way',
        ...marks.map((step) => (step === 0 ? 'before' : `${step} steps`)),
        'best',
        'recovered',
        'perplexity',
        's a step',
      ],
      rowsOf(set),
    ),
    '',
    ...runs
      .filter((run) => run.set === set && existsSync(`docs/results/healing/${run.name}.svg`))
      .flatMap(({ way, name }) => [`![${way}, without blocks ${set}](healing/${name}.svg)`, '']),
  ]),
  'Distillation aims at what the original expects, so it cannot come below that model; the next token of the training text',
  'also teaches its style, which the held-out text shares. PEFT had the peak rate of the first row: a higher one, and not another',
  'program, makes the difference between the first two.',
  '',
  'Losses in nats per token; recovered is the share of (pruned - dense) that was won back. PEFT ran on a machine of the same kind;',
  'its sequences came in another order. The seconds are a median on a machine that did other work, too.',
];
console.log(lines.join('\n'));
