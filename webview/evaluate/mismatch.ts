// Settings in which two scores of one task differ so that they cannot be compared, by the rules that reports use as well.
import type { EvaluatedTask } from '../../server/recipes/evaluate/recipe';
import { baseRule, type Mismatch, mismatches, type Scored } from '../../server/shared/comparability';
import { type Column, lacksOf } from './columns';

export function differencesBetween(base: Column, variant: Column, task: EvaluatedTask, own: EvaluatedTask): Mismatch[] {
  const found = mismatches(scoredOf(base, task), scoredOf(variant, own));
  const other = variant.sheet.scored.models[0];
  if (variant.sheet !== base.sheet && other && baseRule.of(base.model) !== baseRule.of(other))
    found.push({ what: 'base', base: base.model.name, variant: lacksOf(other) });
  return found;
}

const scoredOf = (column: Column, task: EvaluatedTask): Scored => ({
  task,
  model: column.model,
  firstItem: column.sheet.recipe.items?.first ?? 0,
  nItems: nScored(column, task),
});

/** The items that were scored, which may be fewer than were asked for. */
const nScored = ({ sheet, index }: Column, task: EvaluatedTask): number =>
  sheet.scored.scores.find((it) => it.model === index && it.task === task.task)?.nItems ?? task.nItems;
