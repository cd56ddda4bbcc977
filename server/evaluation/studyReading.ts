// What can be read out of a study, in sentences that say how sure they are. Pure.
import type { StudyReport, StudyVariant } from '../recipes/study/recipe';
import { counted, percent, signed } from '../shared/numbers';
import { recoveredFraction } from '../shared/recovery';
import { normalQuantile } from '../shared/statistics';
import { meanAccuracy } from './meanAccuracy';

export function studyReading(report: StudyReport): string[] {
  const counts = [...new Set(report.variants.slice(1).map(({ count }) => count))];
  return [
    ...counts.flatMap((count) => leastLoss(report, count)),
    ...healingByLoss(report),
    ...counts.flatMap((count) => accuracyLost(report, count)),
    ...starred(report),
  ];
}

type WithLoss = StudyVariant & { loss: NonNullable<StudyVariant['loss']> };

const withLoss = ({ variants }: StudyReport) =>
  variants.slice(1).filter((variant): variant is WithLoss => variant.loss !== null);

/** Which unhealed variant costs least, and whether that is more than chance. */
function leastLoss(report: StudyReport, count: number): string[] {
  const sorted = withLoss(report)
    .filter((variant) => variant.count === count && !variant.healed)
    .sort((a, b) => a.loss.costNats - b.loss.costNats);
  const [best, second] = sorted;
  if (!best || !second) return [];
  const gap = second.loss.costNats - best.loss.costNats;
  const [one, other] = [best.loss.costStandardError, second.loss.costStandardError];
  // Both costs come from the same tokens, so that this error is too large rather than too small.
  const margin = one === null || other === null ? null : normalQuantile * Math.hypot(one, other);
  const sure =
    margin === null
      ? 'how sure that is cannot be said from a single sequence'
      : gap > margin
        ? 'more than chance explains on this text'
        : 'which is not sure on this text';
  return [
    `Without ${counted(count, 'block')} and without healing, ${best.label} costs least (${best.loss.costNats.toFixed(3)} nats), ${gap.toFixed(3)} less than ${second.label}: ${sure}.`,
  ];
}

function healingByLoss(report: StudyReport): string[] {
  const variants = withLoss(report);
  const shares = variants
    .filter(({ healed }) => healed)
    .flatMap((healed) => {
      const before = variants.find(
        (it) => !it.healed && it.repair === healed.repair && JSON.stringify(it.drop) === JSON.stringify(healed.drop),
      );
      if (!before) return [];
      const losses = { original: 0, pruned: before.loss.costNats, healed: healed.loss.costNats };
      return recoveredFraction(losses) ?? [];
    });
  if (shares.length === 0) return [];
  const [least, most] = [percent(Math.min(...shares), 0), percent(Math.max(...shares), 0)];
  return [
    `Healing won back ${least === most ? least : `${least} to ${most}`} of the loss that leaving blocks out cost, in ${counted(shares.length, 'variant')}.`,
  ];
}

/** Whether the mean accuracy of the best variant of a count differs from that of the original model. */
function accuracyLost({ evaluation, variants }: StudyReport, count: number): string[] {
  if (!evaluation) return [];
  const compared = variants
    .filter((variant) => variant.count === count && variant.model !== null)
    .flatMap((variant) => {
      const difference = meanAccuracy(evaluation, variant.model!)?.difference;
      return difference ? [{ label: variant.label, ...difference }] : [];
    })
    .sort((a, b) => b.delta - a.delta);
  const best = compared[0];
  if (!best) return [];
  const points = `${signed(100 * best.delta, 1)} points`;
  const within = best.interval95 === null ? null : best.interval95[0] <= 0 && best.interval95[1] >= 0;
  const sure =
    within === null
      ? 'without an interval'
      : within
        ? 'which its interval does not tell from nothing; that is no proof that nothing was lost'
        : 'more than its interval explains';
  return [
    `Without ${counted(count, 'block')}, ${best.label} has the highest mean accuracy: ${points} against the original, ${sure}. Being the best of ${compared.length}, it is a little flattered.`,
  ];
}

/** Counts the differences that are marked. */
function starred({ evaluation }: StudyReport): string[] {
  if (!evaluation) return [];
  const inGroups = new Set(evaluation.groups.map(({ group }) => group));
  const single = evaluation.comparisons.filter(({ task, mcnemarP }) => !inGroups.has(task) && mcnemarP !== null);
  if (single.length === 0) return [];
  const marked = single.filter(({ significant }) => significant).length;
  return [
    `${marked} of ${single.length} single differences to the original are significant after correction; the others are not shown to be none, only not shown to be there.`,
  ];
}
