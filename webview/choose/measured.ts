// What is known of the loss of a drop set: measured, from the report or from an answer of the engine, or else estimated as the
// sum of what leaving out each of its parts alone costs.
import type { DropSet } from '../../server/protocol/recipes';
import type { FiniteLoss, MeasuredLoss } from '../../server/protocol/reports';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import { dropSetOf, emptyDropSet, isEmpty, keyOf, normalized, ofBlocks } from '../../server/shared/dropSets';
import { notFinite } from '../../server/shared/finite';
import { sublayers } from '../../server/shared/sublayers';

export type LossOfChoice =
  | ({ kind: 'measured' } & FiniteLoss)
  /** Measured, and NaN or infinite. */
  | { kind: 'notFinite' }
  | { kind: 'estimated'; lossNats: number; costNats: number }
  | { kind: 'unknown' };

export type MeasuredSets = ReadonlyMap<string, MeasuredLoss>;

export function measuredSets(
  report: Partial<AnalyzeReport> | null,
  answers: ReadonlyMap<string, MeasuredLoss>,
): MeasuredSets {
  const sets = new Map<string, MeasuredLoss>();
  const add = (drop: DropSet, measured: MeasuredLoss | null | undefined) => {
    if (measured) sets.set(keyOf(normalized(drop)), measured);
  };
  report?.removals?.blocks?.forEach((measured, block) => {
    add(ofBlocks([block]), measured);
  });
  for (const sublayer of sublayers)
    report?.removals?.[sublayer]?.forEach((measured, block) => {
      add({ ...emptyDropSet, [sublayer]: [block] }, measured);
    });
  report?.greedy?.steps?.forEach((step, i) => {
    add(dropSetOf(report.greedy!.order.slice(0, i + 1)), step);
  });
  for (const { drop, ...measured } of report?.suggestions ?? []) add(drop, measured);
  for (const { drop, ...measured } of report?.whatIf ?? []) add(drop, measured);
  for (const [key, measured] of answers) sets.set(key, measured);
  return sets;
}

export function lossOf(drop: DropSet, report: Partial<AnalyzeReport> | null, sets: MeasuredSets): LossOfChoice {
  const originalNats = report?.lossNats;
  if (originalNats === undefined) return { kind: 'unknown' };
  if (isEmpty(drop))
    return {
      kind: 'measured',
      lossNats: originalNats,
      standardError: report?.lossStandardError ?? null,
      costNats: 0,
      costStandardError: 0,
    };
  const measured = sets.get(keyOf(drop));
  if (measured) return isFiniteLoss(measured) ? { kind: 'measured', ...measured } : { kind: 'notFinite' };
  const costNats = sumOfSingles(drop, sets);
  return costNats === null ? { kind: 'unknown' } : { kind: 'estimated', lossNats: originalNats + costNats, costNats };
}

/** Whether it is asked for no more. */
export const isKnown = ({ kind }: LossOfChoice): boolean => kind === 'measured' || kind === 'notFinite';

export const isFiniteLoss = (loss: MeasuredLoss): loss is FiniteLoss => loss.lossNats !== notFinite;

/** Null where one of its parts was not measured, or is not finite. */
export function sumOfSingles(drop: DropSet, sets: MeasuredSets): number | null {
  const parts = [
    ...drop.blocks.map((block) => ofBlocks([block])),
    ...drop.attention.map((block) => ({ ...emptyDropSet, attention: [block] })),
    ...drop.mlp.map((block) => ({ ...emptyDropSet, mlp: [block] })),
  ];
  let sum = 0;
  for (const part of parts) {
    const measured = sets.get(keyOf(part));
    if (!measured || !isFiniteLoss(measured)) return null;
    sum += measured.costNats;
  }
  return sum;
}
