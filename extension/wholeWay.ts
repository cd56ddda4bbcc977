// What a person did to a model, run by run, as one pipeline: what was pulled, analyzed, pruned, healed, merged, and what was
// measured or made of the results; pure.
import { UserError } from '../server/errors';
import type { PipelineRecipe, PipelineStepRecipe } from '../server/recipes/pipeline/recipe';
import type { Recipe, Report } from '../server/recipes/kinds';

/** A run that is done. */
export interface DoneRun {
  readonly recipe: Recipe;
  readonly report: Report;
  readonly endedAtEpochMs: number;
}

/**
 * All that led to the model in `folder`, and what was done with that; of a model that nothing led to, the way to the newest that was made of it.
 * @throws UserError `notFound` where no run is left that says how
 */
export function wholeWay(runs: readonly DoneRun[], folder: string, out: string): PipelineRecipe {
  const inOrder = [...runs].sort((a, b) => a.endedAtEpochMs - b.endedAtEpochMs);
  const maker = makerOf(inOrder, folder);
  const goal = maker && !isPull(maker) ? folder : (newestMadeOf(inOrder, folder) ?? folder);
  const chain = chainTo(inOrder, goal);
  if (chain.length === 0)
    throw new UserError('notFound', `No run is left that says how ${folder} was made, or that made something of it.`);
  const models = new Set(chain.flatMap(({ recipe, report }) => [...foldersRead(recipe), ...made(report)]));
  const beside = lastOfEach(inOrder.filter((run) => !chain.includes(run) && isAbout(run.recipe, models)));
  const all = [...beside.filter(isBefore), ...chain, ...beside.filter((run) => !isBefore(run))];
  // What is pulled comes before what is analyzed.
  const sorted = [...all.filter(isPull), ...all.filter((run) => !isPull(run))];
  const { compute } = chain.at(-1)!.recipe as { compute?: PipelineRecipe['compute'] };
  if (!compute) throw new UserError('notFound', `${folder} was only pulled; there is no way to save.`);
  return { kind: 'pipeline', out, steps: stepsOf(sorted), compute };
}

/** Kinds that a pipeline knows, with whether they make something that others name. */
const kindsOfSteps: readonly Recipe['kind'][] = [
  ...(['pull', 'analyze', 'prune', 'heal', 'merge', 'evaluate', 'perplexity', 'export', 'publish'] as const),
];

const isStep = ({ kind }: Recipe): boolean => kindsOfSteps.includes(kind);
const isPull = ({ recipe }: DoneRun): boolean => recipe.kind === 'pull';
const isBefore = ({ recipe }: DoneRun): boolean => recipe.kind === 'analyze';

const made = (report: Report): string[] =>
  ['pull', 'prune', 'heal', 'merge'].includes(report.kind) && 'out' in report ? [report.out] : [];

/** The newest run that wrote a folder. */
const makerOf = (runs: readonly DoneRun[], folder: string): DoneRun | undefined =>
  runs.filter(({ recipe, report }) => isStep(recipe) && made(report).includes(folder)).at(-1);

function foldersRead(recipe: Recipe): string[] {
  const { model, models = [], adapter } = recipe as { model?: string; models?: string[]; adapter?: unknown };
  return [...(model === undefined ? [] : [model]), ...models, ...(typeof adapter === 'string' ? [adapter] : [])];
}

/** From the first to the one that wrote it; a circle, which folders that were written anew may make, ends where it closes. */
function chainTo(runs: readonly DoneRun[], folder: string, behind: readonly DoneRun[] = []): DoneRun[] {
  const maker = makerOf(runs, folder);
  if (!maker || behind.includes(maker)) return [];
  const before = foldersRead(maker.recipe).flatMap((read) => chainTo(runs, read, [...behind, maker]));
  return [...new Set([...before, maker])];
}

function newestMadeOf(runs: readonly DoneRun[], folder: string): string | null {
  const models = new Set([folder]);
  let newest: string | null = null;
  for (const { recipe, report } of runs) {
    const [written] = made(report);
    if (written === undefined || !foldersRead(recipe).some((read) => models.has(read))) continue;
    models.add(written);
    // An adapter alone is no model.
    if (report.kind !== 'heal') newest = written;
  }
  return newest;
}

/** Other models may stand beside those in what measures. */
const isAbout = (recipe: Recipe, models: ReadonlySet<string>): boolean =>
  isStep(recipe) &&
  !['pull', 'prune', 'heal', 'merge'].includes(recipe.kind) &&
  foldersRead(recipe).length > 0 &&
  foldersRead(recipe).every((folder) => models.has(folder));

/** Of runs that did the same with the same, the last. */
function lastOfEach(runs: readonly DoneRun[]): DoneRun[] {
  const last = new Map(runs.map((run) => [`${run.recipe.kind} ${foldersRead(run.recipe).join()}`, run]));
  return [...last.values()];
}

/** The pipeline says these. */
const notOfSteps = ['out', 'compute', 'samples', 'mergekit', 'resume', 'stay', 'file'];

function stepsOf(runs: readonly DoneRun[]): PipelineRecipe['steps'] {
  const names = new Map<string, string>();
  const nOfKind = new Map<string, number>();
  return runs.map(({ recipe, report }) => {
    const n = (nOfKind.get(recipe.kind) ?? 0) + 1;
    nOfKind.set(recipe.kind, n);
    const id = n === 1 ? recipe.kind : `${recipe.kind}-${n}`;
    const fields = Object.entries(recipe).filter(([field]) => !notOfSteps.includes(field));
    const step = { id, ...(withNames(Object.fromEntries(fields), names) as object) } as PipelineStepRecipe;
    for (const folder of made(report)) names.set(folder, `$${id}`);
    return step;
  });
}

/** With `$id` in the place of folders that steps made. */
function withNames(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((each) => withNames(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withNames(inner, names)]));
}
