// Leaving out one unit after another, each time the one whose loss is least (SLEB, arXiv:2402.09025; for sublayers
// BlockPruner, arXiv:2406.10594). Exact, or by racing: sequence by sequence, candidates that are surely worse are given up.
import { UserError } from '../errors';
import { type Path, pathWithout } from '../model/path';
import type { DropSet } from '../protocol/recipes';
import type { GreedyOptions, GreedyReport } from '../recipes/analyze/recipe';
import type { BlockOrSublayer, FiniteLoss, MeasuredLoss } from '../protocol/reports';
import { buildTrie } from '../execution/variantTrie';
import { pairedDifference } from './measuredLoss';
import type { LossOptions, Measuring } from './measuring';
import { notFinite, orderOf } from '../shared/finite';
import { upperQuantile } from '../shared/statistics';
import { candidatesOf } from './candidates';
import { blockOf, withDropped } from '../shared/dropSets';

interface Candidate {
  readonly unit: BlockOrSublayer;
  readonly path: Path;
}

/** The measured losses of one round's candidates. */
type Round = { loss: MeasuredLoss; nSequences: number }[];

/**
 * `count` units in the order in which they go; ties go to the lower one. States that the next round may begin with stay
 * in the cache: a candidate of the next round agrees with one of this round up to the unit that was chosen. Throws
 * UserError `badChoice` when fewer units may go, `notFinite` when the loss without any of them is not finite.
 */
export async function greedySearch(
  measuring: Measuring,
  { count, of, racingConfidence, protected: kept }: GreedyOptions,
  options: LossOptions,
): Promise<GreedyReport> {
  const { config } = measuring.model;
  let drop: DropSet = { blocks: [], attention: [], mlp: [] };
  let units = candidatesOf(config, of).filter((unit) => !kept.includes(blockOf(unit)));
  checkGreedyCount(count, of, units.length, config.nBlocks);
  const report: GreedyReport = { of, racingConfidence, order: [], lossNats: [], steps: [] };
  for (let step = 0; step < count; step++) {
    const onProgress = (fraction: number) => options.onProgress?.((step + fraction) / count);
    const candidates = units
      .map((unit) => ({ unit, path: pathWithout(config, withDropped(drop, unit)) }))
      .filter(({ path }) => path.length > 0);
    const ofRound = { ...options, onProgress, keeps: () => 'spare' as const };
    const round =
      racingConfidence === null
        ? await everySequence(measuring, candidates, ofRound)
        : await race(measuring, candidates, racingConfidence, ofRound);
    const best = leastOf(
      round.map(({ nSequences, loss }) => (nSequences === measuring.nSequences ? orderOf(loss.lossNats) : Infinity)),
    );
    const { unit } = candidates[best]!;
    const loss = finiteLoss(round[best]!.loss, step, candidates.length);
    drop = withDropped(drop, unit);
    units = units.filter((other) => other !== unit);
    report.order.push(unit);
    report.lossNats.push(loss.lossNats);
    report.steps.push({
      unit,
      ...loss,
      candidates: candidates.map((candidate, i) => ({
        unit: candidate.unit,
        lossNats: round[i]!.loss.lossNats,
        nSequences: round[i]!.nSequences,
      })),
    });
    const next = buildTrie(units.map((other) => pathWithout(config, withDropped(drop, other))));
    const useful = new Set(next.map((node) => node.key));
    measuring.cache.retain((prefix) => useful.has(prefix));
  }
  measuring.cache.retain(() => false);
  return report;
}

/** Refuses a count that leaves no model. */
export function checkGreedyCount(count: number, of: GreedyOptions['of'], nFree: number, nBlocks: number): void {
  const most = of === 'blocks' ? Math.min(nFree, nBlocks - 1) : Math.min(nFree, 2 * nBlocks - 1);
  if (count < 1 || count > most)
    throw new UserError(
      'badChoice',
      `A search cannot drop ${count} ${of === 'blocks' ? 'blocks' : 'sublayers'}: at most ${most} may go.`,
    );
}

async function everySequence(
  measuring: Measuring,
  candidates: readonly Candidate[],
  options: LossOptions,
): Promise<Round> {
  const losses = await measuring.losses(
    candidates.map(({ path }) => path),
    options,
  );
  return losses.map((loss) => ({ loss, nSequences: measuring.nSequences }));
}

/**
 * One sequence after another; after each, whoever is worse than the leader by more than chance is given up. `confidence` is
 * that of the whole round: the chance of a wrong verdict is shared out among all comparisons (Bonferroni). Differences are
 * paired by prediction. Whoever is left at the end was measured on all sequences.
 */
async function race(
  measuring: Measuring,
  candidates: readonly Candidate[],
  confidence: number,
  options: LossOptions,
): Promise<Round> {
  const { nSequences } = measuring;
  const nComparisons = Math.max(1, (candidates.length - 1) * (nSequences - 1));
  const quantile = upperQuantile((1 - confidence) / nComparisons);
  const seen: Float32Array[] = candidates.map(() => new Float32Array(0));
  let alive = candidates.map((_, i) => i);
  for (let sequence = 0; sequence < nSequences; sequence++) {
    const found = await measuring.nats(
      alive.map((i) => candidates[i]!.path),
      { first: sequence, end: sequence + 1 },
      { ...options, onProgress: (fraction) => options.onProgress?.((sequence + fraction) / nSequences) },
    );
    for (const [at, i] of alive.entries()) seen[i] = joined(seen[i]!, found[at]!);
    const leader = alive[leastOf(alive.map((i) => orderOf(measuring.compare(seen[i]!).lossNats)))]!;
    alive = alive.filter((i) => {
      if (i === leader) return true;
      // False where a loss is not finite.
      const { mean, standardError } = pairedDifference(seen[i]!, seen[leader]!);
      return mean <= quantile * standardError;
    });
  }
  return seen.map((nats, i) => {
    const loss = measuring.compare(nats);
    const measuredOn = Math.round(nats.length / (seen[alive[0]!]!.length / nSequences));
    if (measuredOn === nSequences) measuring.know(candidates[i]!.path, loss);
    return { loss, nSequences: measuredOn };
  });
}

/** Throws UserError('notFinite') where not even the best candidate has a loss. */
function finiteLoss(loss: MeasuredLoss, step: number, nCandidates: number): FiniteLoss {
  if (loss.lossNats !== notFinite) return loss;
  throw new UserError(
    'notFinite',
    `Step ${step + 1} of the search has no candidate with a finite loss among ${nCandidates}, so that none can be chosen; search for fewer, or name what to drop.`,
  );
}

const leastOf = (values: readonly number[]): number => values.indexOf(Math.min(...values));

function joined(a: Float32Array, b: Float32Array): Float32Array {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
