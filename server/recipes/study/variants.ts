// The sets of blocks that a study's methods choose, and the variants that its grid makes of them. Pure.
import { join } from 'node:path';
import type { DropRule, DropSet } from '../../protocol/recipes';
import type { RepairName } from '../prune/recipe';
import type { StudyRecipe } from './recipe';
import type { AnalyzeReport } from '../analyze/recipe';
import { choose } from '../../pruning/choose';
import { ofBlocks } from '../../shared/dropSets';

/** A set of blocks with all the methods that choose it at its count. */
export interface ChosenSet {
  /** Count and first method, such as `5-greedy`. */
  readonly id: string;
  readonly methods: readonly string[];
  readonly count: number;
  readonly drop: DropSet;
}

export interface PlannedVariant {
  readonly id: string;
  readonly label: string;
  readonly set: ChosenSet;
  readonly repair: RepairName;
  readonly healed: boolean;
  /** Where it is written; null: it is measured by leaving blocks out of the original. */
  readonly folder: string | null;
  readonly adapter: string | null;
}

/** What methods choose at each count; methods that choose alike share a set. Throws UserError('badChoice') where one cannot. */
export const chosenSets = (recipe: StudyRecipe, report: AnalyzeReport): ChosenSet[] =>
  setsBy(recipe, (rule) => choose(rule, report.model.nBlocks, report).drop);

/** Before the analysis, when nobody knows which sets are alike: as many as there may be, of the right sizes. */
export function supposedSets(recipe: StudyRecipe): ChosenSet[] {
  let nth = 0;
  // Blocks that only tell the sets apart: what counts is how many they are.
  return setsBy(recipe, ({ count }) => ofBlocks(Array.from({ length: count }, (_, i) => i + 1_000_000 * nth++)));
}

type ScoredRule = Exclude<DropRule, { kind: 'chosen' }>;

export const ruleOf = (method: string, count: number, kept: readonly number[]): ScoredRule =>
  method === 'deepest'
    ? { kind: 'deepest', count, protected: [...kept] }
    : { kind: 'method', method, count, protected: [...kept] };

function setsBy({ methods, counts, protected: kept }: StudyRecipe, dropOf: (rule: ScoredRule) => DropSet): ChosenSet[] {
  return [...counts]
    .sort((a, b) => a - b)
    .flatMap((count) => {
      const sets = new Map<string, { methods: string[]; drop: DropSet }>();
      for (const method of methods) {
        const drop = dropOf(ruleOf(method, count, kept));
        const key = JSON.stringify(drop);
        const known = sets.get(key);
        if (known) known.methods.push(method);
        else sets.set(key, { methods: [method], drop });
      }
      return [...sets.values()].map((set) => ({ ...set, id: `${count}-${set.methods[0]}`, count }));
    });
}

/** What the grid makes of a set. */
export function variantsOf(recipe: StudyRecipe, set: ChosenSet): PlannedVariant[] {
  return recipe.repairs.flatMap((repair) => {
    const repaired = repair === 'none' ? '' : `-${repair}`;
    const wanted = [false, ...(isHealed(recipe, set, repair) ? [true] : [])];
    return wanted.map((healed) => {
      const id = `${set.id}${repaired}${healed ? '-healed' : ''}`;
      const label = `${set.methods.join(', ')} ${set.count}${repaired ? ', repaired' : ''}${healed ? ', healed' : ''}`;
      const folder = healed || repaired ? join(recipe.out, 'models', id) : null;
      return { id, label, set, repair, healed, folder, adapter: healed ? join(recipe.out, 'adapters', id) : null };
    });
  });
}

function isHealed({ healing }: StudyRecipe, { methods, count }: ChosenSet, repair: RepairName): boolean {
  const wants = <T>(wanted: 'all' | readonly T[], some: readonly T[]) =>
    wanted === 'all' || some.some((one) => wanted.includes(one));
  return (
    healing !== null &&
    wants(healing.methods, methods) &&
    wants(healing.counts, [count]) &&
    wants(healing.repairs, [repair])
  );
}

/** Where the model lies that a written variant begins with, or is. */
export const prunedFolder = ({ out }: StudyRecipe, { set, repair }: PlannedVariant) =>
  join(out, 'models', `${set.id}${repair === 'none' ? '' : `-${repair}`}`);
