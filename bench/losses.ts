// Measured losses against the way of the Python tools: a whole forward pass for every candidate.
import { analyze } from '../server/analysis/analyze';
import { greedySearch } from '../server/analysis/greedy';
import { forwardMethodNames } from '../server/shared/methods';
import { type Measuring, openMeasuring } from '../server/analysis/measuring';
import { measureRemovals } from '../server/analysis/removals';
import type { GreedyReport, WorkCounts } from '../server/recipes/analyze/recipe';
import { answerWhatIf } from '../server/recipes/analyze/whatIf';
import { forward } from '../server/execution/forward';
import type { Model } from '../server/execution/model';
import { least, peers, peersInBfloat16 } from './peers';
import { type Setting, withBenchModel } from './setting';

const cacheBytes = 1.5e9;

/** All methods and the loss without each block, 4 sequences; Shortened LLaMA's way is 30 passes. */
export async function benchRemovals(setting: Setting): Promise<void> {
  const python = peers(setting, ['removal', 'analysis'], { repeat: 1 });
  const removal = least(python, 'removal', 'loss_without_each_block');
  // The scores are timed on 16 sequences there.
  const scores = least(python, 'analysis', 'bi_and_angular') / 4;
  await withBenchModel({ ...setting, sequences: 4 }, async (model, sequences) => {
    const { ms, measured } = await timedMeasuring(model, sequences, setting.rounds, scoresAndRemovals);
    console.log(
      `removals: all methods and ${model.config.nBlocks} removals ${(ms / 1000).toFixed(1)} s, Python ${(removal + scores).toFixed(1)} s ` +
        `(removals ${removal.toFixed(1)}, two methods ${scores.toFixed(1)}), ratio ${((removal + scores) / (ms / 1000)).toFixed(2)}, ` +
        `against its removals alone ${(removal / (ms / 1000)).toFixed(2)}; ${workText(measured)}`,
    );
  });
}

/** An exact search for 5 blocks, 2 sequences; SLEB's way is a pass for every candidate. */
export async function benchGreedy(setting: Setting): Promise<void> {
  const python = least(peers(setting, ['sleb'], { repeat: 1 }), 'sleb', 'greedy');
  await withBenchModel({ ...setting, sequences: 2 }, async (model, sequences) => {
    const { ms, measured } = await timedMeasuring(model, sequences, setting.rounds, (measuring) =>
      search(measuring, sequences, null),
    );
    console.log(
      `greedy: 5 blocks ${measured.report.order} in ${(ms / 1000).toFixed(1)} s, Python ${python.toFixed(1)} s, ratio ${(python / (ms / 1000)).toFixed(2)}; ${workText(measured.work)}`,
    );
  });
}

/** Scores and removals on 4 sequences and a search on 2, all in f32, against the same in PyTorch's bfloat16. */
export async function benchBfloat16(setting: Setting): Promise<void> {
  const scores = least(peersInBfloat16(setting, 'analysis'), 'analysis', 'bi_and_angular') / 4;
  const removal = least(peersInBfloat16(setting, 'removal'), 'removal', 'loss_without_each_block');
  const sleb = least(peersInBfloat16(setting, 'sleb'), 'sleb', 'greedy');
  await withBenchModel({ ...setting, sequences: 4 }, async (model, sequences) => {
    const all = await timedMeasuring(model, sequences, setting.rounds, scoresAndRemovals);
    const greedy = await timedMeasuring(model, sequences.slice(0, 2), setting.rounds, (measuring) =>
      search(measuring, sequences.slice(0, 2), null),
    );
    const [ours, theirs] = [(all.ms + greedy.ms) / 1000, scores + removal + sleb];
    console.log(
      `bf16: all methods and removals ${(all.ms / 1000).toFixed(1)} s, PyTorch bf16 ${(scores + removal).toFixed(1)} s; ` +
        `search ${(greedy.ms / 1000).toFixed(1)} s, PyTorch bf16 ${sleb.toFixed(1)} s; both ratio ${(theirs / ours).toFixed(2)}`,
    );
  });
}

/** Racing against the exact search, 8 sequences. */
export const benchRacing = (setting: Setting): Promise<void> =>
  withBenchModel({ ...setting, sequences: 8 }, async (model, sequences) => {
    const exact = await timedMeasuring(model, sequences, 1, (measuring) => search(measuring, sequences, null));
    const raced = await timedMeasuring(model, sequences, 1, (measuring) => search(measuring, sequences, 0.95));
    const [a, b] = [exact.measured, raced.measured];
    console.log(
      `racing: order ${b.report.order}, exact ${a.report.order}; block runs ${b.work.blockRuns} of ${a.work.blockRuns}, ` +
        `ratio ${(b.work.blockRuns / a.work.blockRuns).toFixed(3)}; ${(raced.ms / 1000).toFixed(1)} s of ${(exact.ms / 1000).toFixed(1)} s; sequences used a round ${b.report.steps.map((step) => step.candidates.map((it) => it.nSequences).join('')).join(' ')}`,
    );
  });

/** Questions about sets that differ at the first, a middle and the last block, 4 sequences kept. */
export const benchWhatIf = (setting: Setting): Promise<void> =>
  withBenchModel({ ...setting, sequences: 4 }, async (model, sequences) => {
    const { nBlocks } = model.config;
    for (const block of [0, nBlocks >> 1, nBlocks - 1]) {
      let first = Number.POSITIVE_INFINITY;
      let final = Number.POSITIVE_INFINITY;
      for (let round = 0; round <= setting.rounds; round++) {
        const measuring = openMeasuring(model, sequences, cacheBytes);
        await forward(model, sequences, { observer: measuring.observer });
        await answerWhatIf(
          measuring,
          { blocks: [block], attention: [], mlp: [] },
          new AbortController().signal,
          (estimate) => {
            if (round === 0) return; // compiles
            if (estimate.nSequences === 1) first = Math.min(first, estimate.elapsedMs);
            if (estimate.final) final = Math.min(final, estimate.elapsedMs);
          },
        );
        measuring[Symbol.dispose]();
      }
      console.log(
        `what-if: without block ${block} first value after ${first.toFixed(0)} ms, final after ${final.toFixed(0)} ms (least of ${setting.rounds})`,
      );
    }
  });

async function scoresAndRemovals(measuring: Measuring): Promise<WorkCounts> {
  const { model, sequences, observer } = measuring;
  await analyze(model, sequences, forwardMethodNames, { observer });
  await measureRemovals(measuring, 'blocks', {}, () => {});
  return measuring.work();
}

async function search(
  measuring: Measuring,
  sequences: readonly Int32Array[],
  racingConfidence: number | null,
): Promise<{ report: GreedyReport; work: WorkCounts }> {
  await forward(measuring.model, sequences, { observer: measuring.observer });
  const report = await greedySearch(measuring, { count: 5, of: 'blocks', racingConfidence, protected: [] }, {});
  return { report, work: measuring.work() };
}

/** The least milliseconds of `rounds`, each with a cache of its own; programs are compiled by a pass over two sequences. */
async function timedMeasuring<T>(
  model: Model,
  sequences: readonly Int32Array[],
  rounds: number,
  body: (measuring: Measuring) => Promise<T>,
) {
  let ms = Number.POSITIVE_INFINITY;
  let measured: T | undefined;
  for (let round = 0; round < rounds; round++) {
    const measuring = openMeasuring(model, sequences, cacheBytes);
    const began = performance.now();
    const compiled = model.device.counts.compileMs;
    measured = await body(measuring);
    ms = Math.min(ms, performance.now() - began - (model.device.counts.compileMs - compiled));
    measuring[Symbol.dispose]();
  }
  return { ms, measured: measured! };
}

const workText = ({ blockRuns, headRuns, minimum, plain }: WorkCounts): string =>
  `block runs ${blockRuns} (least ${minimum.blockRuns}, unshared ${plain.blockRuns}), head runs ${headRuns} (least ${minimum.headRuns})`;
