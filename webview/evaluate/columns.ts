// The columns of the table: the original (the model that all others are compared with), its variants, and the variants of other
// runs beside this one. Each has a name by what it lacks, a colour by whether it was healed, and its own shape.
import type { EvaluationRun, ScoredSoFar } from '../../server/protocol/pages/evaluate';
import type { EvaluatedModel, EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import { blockRanges, dropSetInWords } from '../../server/shared/dropSets';
import { baseStyle, type Shape, variantStyle } from '../../server/shared/styles';
import { isActive } from '../components/runState';

export interface Column {
  /** Contains text from models, so it is shown in a <bdi>. */
  readonly name: string;
  readonly kind: 'base' | 'pruned' | 'healed';
  readonly shape: Shape;
  readonly model: EvaluatedModel;
  /** The index of the model in the scores of its sheet. */
  readonly index: number;
  readonly sheet: Sheet;
}

/** The scores of one run so far. */
export interface Sheet {
  readonly runId: string;
  readonly recipe: EvaluateRecipe;
  readonly scored: ScoredSoFar;
  /** The run has ended; no more scores will come. */
  readonly over: boolean;
}

/** The original first; nothing while no score is known. */
export function columnsOf(runs: readonly EvaluationRun[]): Column[] {
  const sheets = runs.flatMap((run) => sheetOf(run) ?? []);
  const [first] = sheets;
  const base = first?.scored.models[0];
  if (!first || !base) return [];
  const variants = sheets.flatMap((sheet) =>
    sheet.scored.models.slice(1).map((model, i) => ({ model, index: i + 1, sheet, kind: kindOf(model) })),
  );
  const names = namesOf(variants.map(({ model }) => model));
  const nth = { pruned: 0, healed: 0 };
  const withShape = variants.map((variant, i): Column => {
    const { shape } = variantStyle(variant.kind, nth[variant.kind]++);
    return { ...variant, name: names[i]!, shape };
  });
  return [
    { name: 'Original', kind: 'base', shape: baseStyle.shape, model: base, index: 0, sheet: first },
    ...withShape,
  ];
}

export function sheetOf({ run, recipe, report, scored }: EvaluationRun): Sheet | null {
  const known = report ?? scored;
  if (!known || known.models.length === 0) return null;
  return {
    runId: run.runId,
    recipe,
    scored: known,
    over: report !== null || !isActive(run.state),
  };
}

const kindOf = ({ healed }: EvaluatedModel) => (healed ? ('healed' as const) : ('pruned' as const));

/** Short names such as `Without 12–16` or `Healed`; longer ones where two would be the same. */
function namesOf(models: readonly EvaluatedModel[]): string[] {
  const choices = [shortName, longName, ({ label }: EvaluatedModel) => label];
  const chosen = models.map(() => 0);
  for (let level = 0; level + 1 < choices.length; level++) {
    const names = models.map((model, i) => choices[chosen[i]!]!(model));
    for (const [i, name] of names.entries()) if (names.indexOf(name) !== names.lastIndexOf(name)) chosen[i] = level + 1;
  }
  return models.map((model, i) => choices[chosen[i]!]!(model));
}

const shortName = (model: EvaluatedModel): string => (model.healed ? 'Healed' : lacksOf(model));
const longName = (model: EvaluatedModel): string =>
  model.healed ? `Healed, ${lacksOf(model).replace(/^Without/, 'without')}` : `${lacksOf(model)}, ${model.name}`;

/** Blocks that are only left out while scoring are numbered as in the folder of the model. */
export function lacksOf({ name, drop, removedBlocks }: EvaluatedModel): string {
  const left = [...drop.blocks, ...drop.attention, ...drop.mlp].length > 0 ? dropSetInWords(drop) : '';
  if (removedBlocks.length === 0) return left ? `Without ${left}` : name;
  return `Without ${blockRanges(removedBlocks)}${left ? `, then ${left}` : ''}`;
}
