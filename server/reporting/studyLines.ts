// The lines in which a study's variants are drawn, and the style of each: the same in all charts.
import type { StudyReport, StudyVariant } from '../recipes/study/recipe';
import { baseStyle, type Style, variantStyle } from '../shared/styles';

export interface StudyLine {
  name: string;
  /** Of its method and repair. */
  nth: number;
  style: Style;
  /** By count. What several methods chose alike lies on the line of each. */
  variants: StudyVariant[];
}

/** One for each method, repair and whether it was healed; all pruned ones first. */
export function studyLines({ variants, recipe }: StudyReport): StudyLine[] {
  return [false, true].flatMap((healed) =>
    branchesOf(recipe).flatMap(({ method, repair, nth }) => {
      const own = variants.filter((it) => it.methods.includes(method) && it.repair === repair && it.healed === healed);
      const name = `${method}${repair === 'none' ? '' : ', repaired'}${healed ? ', healed' : ''}`;
      return own.length === 0 ? [] : [{ name, nth, style: styleOf(nth, healed), variants: own }];
    }),
  );
}

/** Methods first, so that these have the same style in a study with repairs and in one without. */
const branchesOf = ({ methods, repairs }: StudyReport['recipe']) =>
  repairs.flatMap((repair, i) => methods.map((method, j) => ({ method, repair, nth: i * methods.length + j })));

const styleOf = (nth: number, healed: boolean): Style => variantStyle(healed ? 'healed' : 'pruned', nth);

/** The style of its first method's line. */
export function styleOfVariant({ recipe }: StudyReport, { methods, repair, healed }: StudyVariant): Style {
  const branch = branchesOf(recipe).find((it) => methods.includes(it.method) && it.repair === repair);
  return branch ? styleOf(branch.nth, healed) : baseStyle;
}
