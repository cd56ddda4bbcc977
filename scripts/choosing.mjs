// Writes docs/results/choosing.md from a report of analyze: `node scripts/choosing.mjs REPORT.json > docs/results/choosing.md`.
// The numbers and the names of blocks in its sentences come from the report; the report says how it was made.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { model, source, methods, removals, greedy, suggestions, lossNats } = report;
const removalCosts = removals.blocks.map((it) => it.costNats);
const counts = [...new Set(suggestions.map((it) => it.count))].sort((a, b) => a - b);
const names = [...new Set(suggestions.map((it) => it.method))];
const most = counts.at(-1);
const found = (method, count) => suggestions.find((it) => it.method === method && it.count === count);
const best = (count) => Math.min(...names.flatMap((name) => found(name, count)?.costNats ?? []));

const lines = [
  '# Choosing blocks: what scores say, and what removing them costs',
  '',
  `Made by Espalier on ${model.name} (${model.nBlocks} blocks, ${(model.nParameters / 1e6).toFixed(1)} M parameters), ` +
    `${source.nSequences} sequences of ${source.tokensPerSequence} tokens of ${source.files.map((it) => it.name).join(', ')}; ` +
    `the loss of the original is ${lossNats.toFixed(4)} nats. One command measures everything on this page:`,
  '',
  '```sh',
  `npx espalier analyze MODEL --text ${source.files.map((it) => it.name).join(' ')} --sequences ${source.nSequences} --tokens ${source.tokensPerSequence} \\`,
  `  --removals --sublayers --greedy ${greedy.order.length} --suggestions ${most} --json report.json`,
  'node scripts/choosing.mjs report.json > docs/results/choosing.md',
  '```',
  '',
  '## One block at a time',
  '',
  'How well each method foretells the measured cost of a single block: the rank correlation over all blocks, and the block',
  'that it misjudges most, as the rank it is given (1 is least important) and the rank that was measured. Methods that score',
  'attention or the MLP are held against the removal of that sublayer.',
  '',
  table(
    ['method', 'looks at', 'rank correlation', 'misjudged most', 'given', 'measured', 'costs, nats'],
    [...scoredBlocks()]
      .sort((a, b) => b.rho - a.rho)
      .map((row) => [
        row.name,
        row.of,
        row.rho.toFixed(2),
        `${row.block}`,
        `${row.given}`,
        `${row.measured}`,
        signed(row.cost),
      ]),
  ),
  '',
  '## Sets of blocks',
  '',
  `Nats added by dropping what each method picks, with the 95 % interval of paired differences over predictions in the second`,
  'table; the least of each column is bold. `removal` drops the blocks that cost least one by one, `greedy` measures anew after',
  'each, `deepest` drops the last blocks but one.',
  '',
  table(
    ['method', ...counts.map(String)],
    names.map((name) => [
      name,
      ...counts.map((count) => {
        const it = found(name, count);
        if (!it) return '';
        return it.costNats <= best(count) + 5e-4 ? `**${it.costNats.toFixed(3)}**` : it.costNats.toFixed(3);
      }),
    ]),
  ),
  '',
  table(
    ['method', 'n', 'dropped', 'loss', 'added, nats'],
    names.flatMap((name) =>
      counts.flatMap((count) => {
        const it = found(name, count);
        if (!it) return [];
        const error = (1.96 * it.costStandardError).toFixed(3);
        return [[name, `${count}`, list(it.drop.blocks), it.lossNats.toFixed(3), `${signed(it.costNats)} ± ${error}`]];
      }),
    ),
  ),
  '',
  '## Sublayers',
  '',
  table(
    ['block', 'whole', 'attention', 'MLP'],
    removals.blocks.map((it, k) => [
      `${k}`,
      signed(it.costNats),
      signed(removals.attention[k].costNats),
      signed(removals.mlp[k].costNats),
    ]),
  ),
  '',
  '## What that says',
  '',
  ...reading(),
];
console.log(lines.join('\n'));

/** Every method that scores blocks or sublayers, against what removing them cost. */
function* scoredBlocks() {
  for (const [name, method] of Object.entries(methods)) {
    const scores = method.of === 'span' ? method.scores[0] : method.scores;
    const costs = (method.of === 'attention' || method.of === 'mlp' ? removals[method.of] : removals.blocks).map(
      (it) => it.costNats,
    );
    const [given, measured] = [ranks(scores), ranks(costs)];
    const off = given.map((rank, k) => measured[k] - rank);
    const block = off.indexOf(Math.max(...off));
    yield {
      name,
      of: method.of === 'span' ? 'block' : method.of,
      rho: correlation(given, measured),
      block,
      given: given[block],
      measured: measured[block],
      cost: costs[block],
    };
  }
}

function reading() {
  const influence = ranks(methods.blockInfluence.scores);
  const measured = ranks(removalCosts);
  const surprise = influence.map((rank, k) => measured[k] - rank);
  const block = surprise.indexOf(Math.max(...surprise));
  const at = (name, count) => found(name, count);
  const greedyAt = at('greedy', most);
  const hit = suggestions.filter(
    (it) => it.drop.blocks.includes(block) && ['angularDistance', 'angularDistanceAllTokens'].includes(it.method),
  );
  const rest = names
    .filter((name) => !['greedy', 'removal', 'deepest'].includes(name))
    .map((name) => at(name, most))
    .filter(Boolean)
    .sort((a, b) => a.costNats - b.costNats);
  const added = removals.blocks.map((it, k) => ({
    k,
    sum: removals.attention[k].costNats + removals.mlp[k].costNats,
    whole: it.costNats,
  }));
  const cheapAttention = removals.attention.filter((it) => it.costNats < 0.07).length;
  return [
    `- **A score is not a cost.** Block ${block} is ${ordinal(influence[block])} of ${model.nBlocks} by block influence and ${ordinal(measured[block])} measured: removing it ` +
      `adds ${removalCosts[block].toFixed(2)} nats, of which its MLP alone accounts for ${removals.mlp[block].costNats.toFixed(2)}. How far a hidden state turns does not say what later blocks do with it.`,
    hit.length > 0
      ? `- **Spans inherit the mistake.** Angular distance picks runs of blocks, and ${hit.length} of its ${2 * counts.length} picks contain block ${block}: ` +
        `${hit
          .map((it) => `${list(it.drop.blocks)} (${signed(it.costNats)})`)
          .slice(0, 3)
          .join(', ')}. Where its pick avoids the block it is as good as any score.`
      : `- Angular distance avoids block ${block} here.`,
    `- **The best score of ${most} blocks** is ${rest[0].method} with ${signed(rest[0].costNats)}; the worst, ${rest.at(-1).method}, adds ${rest.at(-1).costNats.toFixed(1)} nats, which leaves no model. ` +
      `Magnitudes of weights and norms of outputs put the first block among the least important; it costs ${removalCosts[0].toFixed(1)} nats.`,
    `- **Costs do not add up.** The ${most} blocks that cost least one by one would add ${[...removalCosts]
      .sort((a, b) => a - b)
      .slice(0, most)
      .reduce((a, b) => a + b, 0)
      .toFixed(2)} nats if they did; together they add ${at('removal', most).costNats.toFixed(2)}. ` +
      `Measuring anew after each step (greedy) gives ${greedyAt.costNats.toFixed(2)}, the best of this page for most counts.`,
    `- **Sublayers are cheaper than blocks.** ${cheapAttention} of ${model.nBlocks} attentions cost less than 0.07 nats each; the cheapest sublayers of a model are worth looking at before its cheapest blocks. ` +
      `(The two sublayers of a block cost ${added.filter((it) => it.sum > it.whole).length > model.nBlocks / 2 ? 'more' : 'less'} one by one than together in most blocks.)`,
    `- **How sure this is.** ${source.nSequences} sequences of one text: intervals are those of this text's predictions, and sets whose intervals overlap are not ranked by it. Another text, another model, or healing afterwards can turn the order around.`,
  ];
}

function ranks(values) {
  const order = values.map((_, k) => k).sort((a, b) => values[a] - values[b]);
  const rank = [];
  order.forEach((k, i) => {
    rank[k] = i + 1;
  });
  return rank;
}

function correlation(a, b) {
  const n = a.length;
  const squares = a.reduce((sum, rank, i) => sum + (rank - b[i]) ** 2, 0);
  return 1 - (6 * squares) / (n * (n * n - 1));
}

function list(blocks) {
  const runs = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last && last[1] === block - 1) last[1] = block;
    else runs.push([block, block]);
  }
  return runs.map(([first, end]) => (first === end ? `${first}` : `${first}-${end}`)).join(', ');
}

function signed(nats) {
  return `${nats < 0 ? '-' : '+'}${Math.abs(nats).toFixed(3)}`;
}

function ordinal(n) {
  const end = n % 100 > 10 && n % 100 < 14 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${end}`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
