// The repair of a pruned model: calibration and held-out sequences, a ridge chosen by them, and the losses before and after.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { UserError } from '../errors';
import { type Path, pathWithout } from '../model/path';
import { leastSquaresBytes } from '../pruning/leastSquares';
import { gapsOf, openRepair, refuseUnfoldable, type Repair } from '../pruning/repair';
import { openMeasuring, type Measuring } from '../analysis/measuring';
import type { DropSet, TokenSource } from '../protocol/recipes';
import type { PruneRecipe, RepairOptions, RepairReport } from './prune/recipe';
import type { RunFacts } from '../protocol/reports';
import { forward } from '../execution/forward';
import { limitsOf, tensorLimit } from '../execution/memoryLimits';
import type { Model } from '../execution/model';
import type { Scope } from '../runtime/device';
import { meanAndError } from '../execution/sequenceStatistics';
import { withReplaced } from '../execution/weightStore';
import { noTime, progress, type Run, runFacts, timed, withDevice, withFloat64, withModel } from './recipeContext';
import { sequencesFor } from './sequences';

export interface Repaired {
  readonly weights: Repair['weights'];
  readonly report: RepairReport;
  readonly facts: RunFacts;
}

/** Weights that make up for a drop set as far as a linear map can. Throws UserError where there is nothing to calibrate by. */
export function repairLinear(
  checkpoint: Checkpoint,
  drop: DropSet,
  options: RepairOptions,
  { source, compute }: Pick<PruneRecipe, 'source' | 'compute'>,
  run: Run,
): Promise<Repaired> {
  const { config } = checkpoint;
  const path = pathWithout(config, drop);
  refuseUnfoldable(config);
  const nGaps = gapsOf(config, path).length;
  checkRepair(options, source, nGaps);
  return withDevice(compute, async (device) => {
    const cut = await calibrationAndHeldOut(checkpoint, source!, options);
    const { calibration, heldOut, tokenizeMs } = cut;
    const tokensPerSequence = calibration[0]!.length;
    const stateBytes = calibration.length * tokensPerSequence * config.width * 4;
    const mostBytes = 0.2 * tensorLimit(await limitsOf(compute));
    const cacheBytes = Math.min(1.5e9, mostBytes, (config.nBlocks + 4) * stateBytes);
    const passes = 2 + (options.ridge === 'auto' ? ridges.length : 1);
    const more = { blockRuns: passes * config.nBlocks, headRuns: passes };
    const nSequences = calibration.length + heldOut.length;
    const hostBytes = leastSquaresBytes(config.width, nGaps);
    const work = {
      nSequences,
      tokensPerSequence,
      keepStates: true,
      cacheBytes,
      hostBytes,
      more,
      sequences: calibration,
    };
    return withModel(checkpoint, device, compute, work, run, async (model, { loadMs, held }) => {
      using measuring = openMeasuring(model, calibration, cacheBytes);
      const { result, elapsedMs, compileMs } = await timed(device, () =>
        withFloat64(device, compute, (host) => calibrate(host, measuring, cut, path, options, run)),
      );
      const tokens = nSequences * tokensPerSequence;
      const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens };
      return { ...result, facts: runFacts(compute, device, held, timing) };
    });
  });
}

/** What `auto` tries; a small calibration set overfits without one. */
const ridges = [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

interface Cut {
  readonly calibration: readonly Int32Array[];
  readonly heldOut: readonly Int32Array[];
}

async function calibrate(
  host: Scope,
  measuring: Measuring,
  { calibration, heldOut }: Cut,
  path: Path,
  { ridge }: RepairOptions,
  run: Run,
): Promise<Omit<Repaired, 'facts'>> {
  const { signal } = run;
  const { model } = measuring;
  const onProgress = progress(run, 'repair');
  const lossOf = (sequences: readonly Int32Array[], weights?: Repair['weights']) =>
    lossWith(model, path, sequences, weights, signal);
  await forward(model, calibration, { signal, onProgress, observer: measuring.observer });
  using repair = openRepair(model, calibration, path, { host, cache: measuring.cache, signal });
  const tried: { ridge: number; heldOutLossNats: number }[] = [];
  if (ridge === 'auto') {
    for (const [i, candidate] of ridges.entries()) {
      const heldOutLossNats = await orNextRidge(candidate, async () => {
        const { weights } = await repair.solve(candidate);
        return (await lossOf(heldOut, weights))!;
      });
      if (heldOutLossNats !== null) tried.push({ ridge: candidate, heldOutLossNats });
      onProgress((i + 1) / ridges.length);
    }
  }
  const best = tried.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a), tried[0]!);
  const chosen = ridge === 'auto' ? best.ridge : ridge;
  const { weights, gaps } = await repair.solve(chosen);
  const report: RepairReport = {
    kind: 'linear',
    ridge: chosen,
    gaps,
    lossBefore: (await lossOf(calibration))!,
    lossAfter: (await lossOf(calibration, weights))!,
    heldOutBefore: await lossOf(heldOut),
    heldOutAfter: await lossOf(heldOut, weights),
    ridges: tried,
  };
  return { weights, report };
}

/** The mean loss on a path with some weights replaced; null without sequences. */
async function lossWith(
  model: Model,
  path: Path,
  sequences: readonly Int32Array[],
  weights: Repair['weights'] = new Map(),
  signal: AbortSignal,
): Promise<number | null> {
  if (sequences.length === 0) return null;
  const { store, device, checkpoint } = model;
  const shaped = [...weights].map(
    ([name, data]) => [name, { data, shape: checkpoint.weights.get(name)!.shape }] as const,
  );
  using replaced = withReplaced(store, device, new Map(shaped));
  return meanAndError(await forward({ ...model, store: replaced }, sequences, { path, signal })).mean;
}

/** null where there is no map, or none that is finite, without a larger ridge: `auto` goes on to the next. */
async function orNextRidge(ridge: number, work: () => Promise<number>): Promise<number | null> {
  try {
    return await work();
  } catch (error) {
    const isOfRidge = error instanceof UserError && ['badData', 'notFinite'].includes(error.code);
    if (isOfRidge && ridge < ridges.at(-1)!) return null;
    throw error;
  }
}

function checkRepair({ ridge }: RepairOptions, source: TokenSource | null, nGaps: number): void {
  if (!source) throw new UserError('usage', 'A repair needs a text to calibrate by: add --text FILE or --ids FILE.');
  if (ridge !== 'auto' && !(ridge >= 0 && Number.isFinite(ridge)))
    throw new UserError('usage', `A ridge of ${ridge} makes no sense; give --ridge a number of 0 or more, or auto.`);
  if (nGaps === 0)
    throw new UserError(
      'badChoice',
      'There is nothing to repair: what is dropped lies before everything that stays; leave out --repair.',
    );
}

/**
 * The sequences of the source, and those that follow them: as many as asked for, else half as many as there are to calibrate
 * by, or what the text has. Of rows of ids that are all to be used, the last ones are held out if a number is asked for.
 */
async function calibrationAndHeldOut(
  checkpoint: Checkpoint,
  source: TokenSource,
  { heldOutSequences, ridge }: RepairOptions,
): Promise<Cut & { tokenizeMs: number }> {
  const { sequences, tokenizeMs } = await sequencesFor(checkpoint, source);
  const wanted = heldOutSequences ?? Math.ceil(sequences.length / 2);
  const allRows = source.kind === 'ids' && source.sequences === undefined;
  const nCalibration = allRows ? sequences.length - (heldOutSequences ?? 0) : sequences.length;
  const more = allRows
    ? sequences
    : (await sequencesFor(checkpoint, await following(checkpoint, source, nCalibration + wanted))).sequences;
  const calibration = more.slice(0, nCalibration);
  const heldOut = more.slice(nCalibration, nCalibration + (allRows ? (heldOutSequences ?? 0) : wanted));
  if (calibration.length === 0)
    throw new UserError(
      'badData',
      `${sequences.length} sequences leave none to calibrate by; hold out fewer with --held-out.`,
    );
  const short = heldOutSequences !== null && heldOut.length < heldOutSequences;
  if (short || (ridge === 'auto' && heldOut.length === 0))
    throw new UserError(
      'badData',
      `The text leaves ${heldOut.length} sequences to hold out behind the ${calibration.length} to calibrate by; use fewer --sequences, a longer text, or --ridge with a number.`,
    );
  return { calibration, heldOut, tokenizeMs };
}

/** The same source with more sequences, as far as it goes. */
async function following(checkpoint: Checkpoint, source: TokenSource, sequences: number): Promise<TokenSource> {
  if (source.kind === 'text') return { ...source, sequences, atMost: true };
  const all = await sequencesFor(checkpoint, { kind: 'ids', file: source.file });
  return { ...source, sequences: Math.min(sequences, all.sequences.length) };
}
