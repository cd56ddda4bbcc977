// The lines in which a study's variants are drawn, and how each looks: alike in all charts.
import type { StudyReport, StudyVariant } from '../protocol/reports';
import { baseLook, type Look, variantLook } from './looks';

export interface StudyLine {
  name: string;
  /** Of its method and repair. */
  nth: number;
  look: Look;
  /** By count. What several methods chose alike lies on the line of each. */
  variants: StudyVariant[];
}

/** One for each method, repair and whether it was healed; all pruned ones first. */
export function studyLines({ variants, recipe }: StudyReport): StudyLine[] {
  return [false, true].flatMap((healed) =>
    branchesOf(recipe).flatMap(({ method, repair, nth }) => {
      const own = variants.filter((it) => it.methods.includes(method) && it.repair === repair && it.healed === healed);
      const name = `${method}${repair === 'none' ? '' : ', repaired'}${healed ? ', healed' : ''}`;
      return own.length === 0 ? [] : [{ name, nth, look: lookOf(nth, healed), variants: own }];
    }),
  );
}

/** Methods first, so that these look alike in a study with repairs and in one without. */
const branchesOf = ({ methods, repairs }: StudyReport['recipe']) =>
  repairs.flatMap((repair, i) => methods.map((method, j) => ({ method, repair, nth: i * methods.length + j })));

const lookOf = (nth: number, healed: boolean): Look => variantLook(healed ? 'healed' : 'pruned', nth);

/** As its first method's line looks. */
export function lookOfVariant({ recipe }: StudyReport, { methods, repair, healed }: StudyVariant): Look {
  const branch = branchesOf(recipe).find((it) => methods.includes(it.method) && it.repair === repair);
  return branch ? lookOf(branch.nth, healed) : baseLook;
}
