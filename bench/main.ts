// npm run bench -- NAME...: every claim about speed is one of these. Each prints a ratio against something measured in the
// same run, in turns, because machines drift: only ratios travel.
import { parseArgs } from 'node:util';
import { benchAnalysis } from './analysis';
import { benchBlock } from './block';
import { benchSublayers } from './sublayers';
import { benchEvaluate, benchVariants } from './evaluate';
import { benchForward } from './forward';
import { benchBfloat16, benchGreedy, benchRacing, benchRemovals, benchWhatIf } from './losses';
import { benchGrowth } from './growth';
import { benchHeal } from './heal';
import { benchPlans } from './plans';
import { benchRepair } from './repair';
import { benchSegment } from './segment';
import { benchQuantise } from './quantise';
import { benchServer } from './server';
import type { Setting } from './setting';
import { benchTokenize } from './tokenize';
import { benchWidths } from './widths';

const benchmarks: Record<string, { readonly what: string; run(setting: Setting): Promise<void> }> = {
  block: { what: 'a block against plain matrix products of its shapes', run: benchBlock },
  analysis: { what: 'all importance methods against a bare forward pass', run: benchAnalysis },
  forward: { what: 'forward pass with loss against PyTorch (needs --python and --peers)', run: benchForward },
  removals: {
    what: 'all methods and all single removals against whole passes in PyTorch (--python)',
    run: benchRemovals,
  },
  greedy: { what: "an exact search for 5 blocks against SLEB's way in PyTorch (--python)", run: benchGreedy },
  bfloat16: { what: 'scores, removals and a search against PyTorch in bfloat16 (--python)', run: benchBfloat16 },
  racing: { what: 'a search by racing against the exact one', run: benchRacing },
  sublayers: { what: 'a folder without the attention of 8 blocks against the whole one', run: benchSublayers },
  heal: { what: 'a step of healing and its memory against PEFT (--python)', run: benchHeal },
  segment: { what: 'a step of healing as one graph against block by block', run: benchSegment },
  evaluate: { what: 'benchmarks against lm-evaluation-harness (--python)', run: benchEvaluate },
  variants: { what: 'five drop sets evaluated with the original against the original alone', run: benchVariants },
  tokenize: { what: 'texts to tokens and back against transformers (--python)', run: benchTokenize },
  quantise: { what: 'matrices read and narrowed, against matrices read as float32', run: benchQuantise },
  widths: { what: 'loss, bytes of weights and what healing brings back in each width', run: benchWidths },
  plans: { what: 'memory that was planned against memory that was taken', run: benchPlans },
  growth: { what: 'growth of cost with tokens, blocks, width, variants and devices', run: benchGrowth },
  server: { what: 'the server with many runs, clients and events, against another build (--before)', run: benchServer },
  repair: { what: 'the least squares of a repair, by graphs against loops of JavaScript', run: benchRepair },
  whatIf: { what: 'how soon a question about a drop set is answered', run: benchWhatIf },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: `${process.env.HOME}/.cache/espalier/models/smollm2-135m` },
    data: { type: 'string', default: process.env.ESPALIER_DATA ?? '../shared' },
    python: { type: 'string', default: 'python3' },
    sequences: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    before: { type: 'string' },
  },
});

async function main() {
  const unknown = positionals.find((name) => !benchmarks[name]);
  if (unknown !== undefined || positionals.length === 0) {
    for (const [name, { what }] of Object.entries(benchmarks)) console.log(`${name.padEnd(10)} ${what}`);
    process.exitCode = unknown === undefined ? 0 : 2;
    return;
  }
  const { model, data, python, before = null } = values;
  const numbers = {
    sequences: Number(values.sequences),
    rounds: Number(values.rounds),
    threads: Number(values.threads),
  };
  for (const name of positionals) await benchmarks[name]!.run({ model, data, python, before, ...numbers });
}

void main();
