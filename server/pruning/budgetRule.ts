// A rule whose count is a budget, made into one that says how many blocks go. Pure.
import type { AskedRule, Budget, DropRule } from '../protocol/recipes';
import type { Fitting } from '../protocol/reports';
import { fitting, type ModelSizes, mostThatMayGo } from '../shared/budget';
import { emptyDropSet } from '../shared/dropSets';

export interface MetBudget {
  readonly budget: Budget;
  readonly fitting: Fitting;
}

export interface ResolvedRule {
  readonly rule: DropRule;
  /** null: the rule counts blocks, or names them. */
  readonly met: MetBudget | null;
}

/**
 * @param sizes of the model as it will be written; asked for where the rule has a budget
 * @throws UserError `badChoice` where the budget cannot be met
 */
export function resolvedRule(rule: AskedRule, sizes: () => ModelSizes): ResolvedRule {
  if (rule.kind === 'chosen') return { rule, met: null };
  const { count, ...rest } = rule;
  if (typeof count === 'number') return { rule: { ...rest, count }, met: null };
  const model = sizes();
  const met = { budget: count, fitting: fitting(count, model, mostThatMayGo(model.nBlocks, rest.protected)) };
  // Channels alone may be enough.
  const isWhole = met.fitting.count === 0;
  return { rule: isWhole ? { kind: 'chosen', ...emptyDropSet } : { ...rest, count: met.fitting.count }, met };
}
