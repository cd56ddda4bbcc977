// The methods as the page shows them: label, mark and digits, their scores by block, and what they would drop. A method that
// is not in the catalogue (server/shared/methods.ts) is shown as well, under its own name.
import type { DropSet } from '../../server/protocol/recipes';
import type { MethodScores } from '../../server/protocol/reports';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { leastBlocks, leastSpan } from '../../server/shared/leastScores';
import { importanceMethod, importanceMethodNames, isImportanceMethod } from '../../server/shared/methods';
import { nameInWords } from '../../server/shared/numbers';
import { shapeMarks, shapePath } from '../../server/shared/styles';
import { ranks } from './ranks';

export interface ScoredMethod {
  readonly name: string;
  readonly label: string;
  /** In text; the same shape is drawn in the strip of ranks. */
  readonly mark: string;
  /** An SVG path around the origin. */
  readonly shape: string;
  readonly unit: string;
  readonly scores: readonly number[];
  /** Null where one sequence gives no spread. */
  readonly errors: readonly (number | null)[];
  readonly ranks: readonly number[];
  /** Scores are shown divided by this, with so many digits. */
  readonly shownPer: number;
  readonly digits: number;
  /** Of spans: `[count - 1][first]`. */
  readonly spans: readonly (readonly number[])[] | null;
}

/** The methods of a report that score blocks: those that look at text, then at weights, then variants, then unknown ones. */
export function scoredMethods(methods: AnalyzeReport['methods'] | undefined): ScoredMethod[] {
  return Object.entries(methods ?? {})
    .filter(([, { of }]) => of === 'block' || of === 'span')
    .sort(([a], [b]) => placeOf(a) - placeOf(b))
    .map(([name, scores]) => scored(name, scores));
}

function placeOf(name: string): number {
  const method = known(name);
  const n = importanceMethodNames.length;
  if (!method) return 3 * n;
  const group = method.variantOf ? 2 : method.needs === 'weights' ? 1 : 0;
  return group * n + (importanceMethodNames as readonly string[]).indexOf(name);
}

const known = (name: string) => (isImportanceMethod(name) ? importanceMethod(name) : null);

/** Shown when it is chosen, and not in the strip beside the method that it varies. */
export const isVariant = (name: string): boolean => known(name)?.variantOf !== undefined;

function scored(name: string, method: MethodScores): ScoredMethod {
  const spans = method.of === 'span' ? (method.scores as number[][]) : null;
  const scores = spans ? (spans[0] ?? []) : (method.scores as number[]);
  const errors = spans
    ? ((method.standardErrors as (number | null)[][])[0] ?? [])
    : (method.standardErrors as (number | null)[]);
  const greatest = Math.max(0, ...scores.map(Math.abs));
  const shownPer = greatest >= 1e5 ? 1000 : 1;
  const digits = greatest / shownPer >= 100 ? 0 : greatest >= 20 ? 1 : 3;
  const row = known(name);
  const shape = row?.shape ?? 'plus';
  const mark = shapeMarks[shape][row?.variantOf ? 'hollow' : 'full'];
  const style = { label: row?.label ?? nameInWords(name), mark, shape: shapePath[shape] };
  return { ...style, name, unit: method.unit, scores, errors, ranks: ranks(scores), shownPer, digits, spans };
}

/** What a method would drop around the protected blocks; null where it cannot drop so many. */
export function suggestion(
  { scores, spans }: Pick<ScoredMethod, 'scores' | 'spans'>,
  count: number,
  kept: readonly number[],
): DropSet | null {
  const blocks = spans ? leastSpan(spans, count, kept) : leastBlocks(scores, count, kept);
  return blocks && ofBlocks(blocks);
}
