// Budgets among the counts of a study, as the counts that meet them. Its variants are paths through the original, so that only
// whole blocks go. Pure.
import type { Budget } from '../../protocol/recipes';
import type { Fitting, ModelSummary } from '../../protocol/reports';
import { fitting, mostThatMayGo, sizesOf, usualForm } from '../../shared/budget';
import type { AskedStudy, StudyRecipe } from './recipe';

export interface CountedStudy {
  readonly recipe: StudyRecipe;
  readonly budgets: readonly { readonly budget: Budget; readonly fitting: Fitting }[];
}

/** @throws UserError `badChoice` where a budget cannot be met */
export function countedStudy(asked: AskedStudy, model: ModelSummary): CountedStudy {
  const most = mostThatMayGo(model.nBlocks, asked.protected);
  const budgets = asked.counts.flatMap((count) => {
    if (typeof count === 'number') return [];
    const budget: Budget = { ...count, pieces: 'blocks' };
    return [{ budget, fitting: fitting(budget, sizesOf(model, usualForm), most) }];
  });
  const counts = asked.counts.flatMap((count) => (typeof count === 'number' ? [count] : []));
  const all = [...counts, ...budgets.map((met) => met.fitting.count)];
  return { recipe: { ...asked, counts: [...new Set(all)] }, budgets };
}
