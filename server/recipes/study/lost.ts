// Variants of a study that came to a number that is not finite: they are left out of the steps behind it. Pure.
import type { CarriedStep } from './folder';
import type { Step, StudySteps } from './steps';
import type { PlannedVariant } from './variants';

type Carried = ReadonlyMap<string, CarriedStep>;

/** Why a variant was not written; null: it was, or needs not be. */
export function lostInWriting(
  { folder, adapter }: PlannedVariant,
  { steps }: StudySteps,
  carried: Carried,
): string | null {
  const own = steps.filter(({ recipe }) => 'out' in recipe && [folder, adapter].includes(recipe.out));
  const before = steps.filter(({ id }) => own.some(({ after }) => after.includes(id)));
  const reports = [...before, ...own].map(({ id }) => carried.get(id)?.report);
  const lost = reports.find((report) => report?.kind === 'lost');
  return lost?.kind === 'lost' ? lost.sentence : null;
}

/** The step without the models that are lost; a sentence where nothing is left of it. */
export function withoutLost(step: Step, plan: StudySteps, carried: Carried): Step | { readonly sentence: string } {
  const { recipe, batch } = step;
  if (batch === null) return step;
  const lost = plan.variants.flatMap((variant) => {
    const sentence = lostInWriting(variant, plan, carried);
    return sentence === null ? [] : [{ folder: variant.folder!, sentence }];
  });
  if ('models' in recipe) {
    const models = recipe.models.filter((folder) => !lost.some((it) => it.folder === folder));
    const nLeft = recipe.kind === 'evaluate' ? models.length - 1 : models.length;
    return nLeft > 0 ? { ...step, recipe: { ...recipe, models } } : { sentence: lost[0]!.sentence };
  }
  const reports = step.after.map((id) => carried.get(id)?.report);
  const before = reports.find((report) => report?.kind === 'lost');
  return before?.kind === 'lost' ? { sentence: before.sentence } : step;
}
