// The jobs of a kit on one device in one width, by the command line: tokens a second, and how much of them was products.
import { join } from 'node:path';
import { sequenceOperations } from '../../server/execution/memoryPlan';
import { readModelConfig } from '../../server/model/readConfig';
import type { WeightWidth } from '../../server/protocol/recipes';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { EvaluateReport } from '../../server/recipes/evaluate/recipe';
import type { HealReport } from '../../server/recipes/heal/recipe';
import { reportOf } from '../commandLine';
import type { KitShape } from './shapes';

export interface KitPlaces {
  readonly model: string;
  /** Sequences of the analysis in tokens, text to heal on, and data of tasks. */
  readonly ids: string;
  readonly text: string;
  readonly tasks: string;
  readonly scratch: string;
}

export interface Speed {
  readonly tokensPerSecond: number;
  /** Of products of matrices, a second. */
  readonly operationsPerSecond: number;
  readonly tensorBytes: number;
}

export type JobName = 'analysis' | 'healing' | 'scoring';

export interface MeasuredJobs {
  readonly speeds: Readonly<Record<JobName, Speed>>;
  /** Of the scoring, with nothing shared among requests, and how many requests there were. */
  readonly plainTokens: number;
  readonly nRequests: number;
}

export function measureJobs(shape: KitShape, places: KitPlaces, device: string, width: WeightWidth): MeasuredJobs {
  const { sequences, tokens, microBatch, healedTokens, steps, items } = shape;
  const { model, ids, text, tasks, scratch } = places;
  const how = ['--device', device, '--weights', width];
  const operations = operationsOf(shape);

  const analysis = withoutTheStart([sequences, 3 * sequences], (n) => {
    const asked = ['--ids', ids, '--sequences', `${n}`, '--methods', 'all'];
    const report = reportOf<AnalyzeReport>(scratch, 'analyze', model, ...asked, ...how);
    return { seconds: report.timing.elapsedMs / 1000, amount: n, report };
  });

  const data = ['--data', text, '--tokens', `${healedTokens}`, '--holdout', '0', '--micro-batch', `${microBatch}`];
  const out = ['--out', join(scratch, `healed-${device}-${width}`), '--steps', `${steps}`];
  const healed = reportOf<HealReport>(scratch, 'heal', model, ...data, ...out, ...how);
  const healedPerSecond = Math.max(...healed.steps.map((step) => step.tokensPerSecond));

  const scoring = withoutTheStart([items, 4 * items], (n) => {
    const asked = ['--tasks', 'mmlu_high_school_physics', '--fewshot', '5', '--limit', `${n}`, '--data', tasks];
    const report = reportOf<EvaluateReport>(scratch, 'evaluate', model, ...asked, ...how);
    return { seconds: report.timing.elapsedMs / 1000, amount: report.work.operations, report };
  });
  const { work } = scoring.report;

  return {
    speeds: {
      analysis: {
        tokensPerSecond: analysis.perSecond * tokens,
        operationsPerSecond: analysis.perSecond * operations.forward(tokens),
        tensorBytes: analysis.report.peakTensorBytes!,
      },
      healing: {
        tokensPerSecond: healedPerSecond,
        operationsPerSecond: (healedPerSecond / healedTokens) * operations.step(healedTokens),
        tensorBytes: healed.peakTensorBytes!,
      },
      scoring: {
        tokensPerSecond: (scoring.perSecond * work.nPlainTokens) / work.operations,
        operationsPerSecond: scoring.perSecond,
        tensorBytes: scoring.report.peakTensorBytes!,
      },
    },
    plainTokens: work.nPlainTokens,
    nRequests: work.nRequests,
  };
}

/**
 * What comes in a second once a device is warm: the more of a longer run by the time that it takes more, since the kernels of a graphics
 * device are compiled within the first run of each graph.
 */
function withoutTheStart<R>(
  sizes: readonly [number, number],
  run: (size: number) => { readonly seconds: number; readonly amount: number; readonly report: R },
): { readonly perSecond: number; readonly report: R } {
  const [short, long] = [run(sizes[0]), run(sizes[1])];
  const [seconds, amount] = [long.seconds - short.seconds, long.amount - short.amount];
  // Where the start was most of both, nothing is left to tell: the whole run is a lower bound.
  const perSecond = seconds > 0.1 * long.seconds ? amount / seconds : long.amount / long.seconds;
  return { perSecond, report: long.report };
}

/** Floating-point operations of one sequence; frozen weights have no gradient. */
function operationsOf({ config }: KitShape) {
  const model = readModelConfig(config);
  const passes = (blocks: number, heads: number) => (tokens: number) => {
    const { block, head } = sequenceOperations(model, tokens);
    return blocks * model.nBlocks * block + heads * head;
  };
  return { forward: passes(1, 1), step: passes(2, 2) };
}
