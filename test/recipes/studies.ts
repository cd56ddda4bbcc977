// What studies in tests begin with: the tiny model, a short grid, and an evaluation that looks at what it is given instead
// of scoring it, so that the same models get the same numbers and others do not.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { EngineEvent } from '../../server/protocol/engine';
import type { EvaluateRecipe, Comparison, EvaluateReport, Score } from '../../server/recipes/evaluate/recipe';
import type { StudyRecipe, StudyReport } from '../../server/recipes/study/recipe';
import { formatDropSet, isEmpty } from '../../server/shared/dropSets';
import { noTime } from '../../server/recipes/recipeContext';
import { runStudy, type StepRunners, stepRunners } from '../../server/recipes/study/study';
import { modelFolder, repoRoot } from '../fixtures';
import { healing, storyText } from './healing';
import { onCpu } from './runHere';

/** Makes texts before the tests of a file, and removes all of it after them. */
export function openStudies() {
  const root = mkdtempSync(join(tmpdir(), 'study-'));
  const text = join(root, 'text.txt');
  beforeAll(() => writeFileSync(text, storyText(400)));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return { root, text, studyOf: (change: Partial<StudyRecipe> = {}) => study(text, root, change) };
}

const taskData = join(repoRoot, 'test/fixtures/evaluation/data');

/** Two counts, repaired or not, two drop sets healed. */
function study(text: string, root: string, change: Partial<StudyRecipe>): StudyRecipe {
  const { data, adapter, objective, optimizer, loop } = healing('', text, '', {
    loop: { steps: 3, saveEverySteps: 1 },
  });
  const source = {
    kind: 'text',
    files: [text],
    field: null,
    tokens: 64,
    bos: 'none',
    sampling: 'consecutive',
  } as const;
  return {
    kind: 'study',
    model: modelFolder('stories260k'),
    source: { ...source, files: [text], sequences: 4, start: 0, seed: 0 },
    methods: ['blockInfluence', 'blockInfluenceAsPublished', 'greedy'],
    counts: [1, 2],
    protected: [],
    repairs: ['none', 'linear'],
    healing: { methods: ['greedy'], counts: [1], repairs: 'all', data, adapter, objective, optimizer, loop },
    evaluate: {
      tasks: ['hellaswag', 'arc_easy'],
      data: taskData,
      items: { first: 0, end: 40 },
      fewShot: null,
      maxTokens: null,
    },
    perplexity: { ...source, files: [text], sequences: 3, start: 1000, seed: 0 },
    dtype: 'f32',
    keepModels: 'none',
    batchBytes: 20e9,
    out: join(root, 'study'),
    compute: onCpu,
    ...change,
  };
}

/** Carries a study out with an evaluation that is not real; says which steps were carried out. */
export async function carryOut(
  recipe: StudyRecipe,
  { signal = new AbortController().signal, before, after }: Hooks = {},
): Promise<{ report: StudyReport; calls: string[]; events: EngineEvent[] }> {
  const calls: string[] = [];
  const events: EngineEvent[] = [];
  const real = { ...stepRunners, evaluate: evaluateByLooking };
  const watched = Object.fromEntries(
    Object.entries(real).map(([kind, runner]) => [
      kind,
      async (...[step, run]: Parameters<typeof runner>) => {
        before?.(calls.length);
        const name = 'out' in step ? `${kind} ${basename(step.out)}` : kind;
        const report = await (runner as (...all: unknown[]) => Promise<unknown>)(step, run);
        calls.push(name);
        after?.(calls.length, name);
        return report;
      },
    ]),
  ) as unknown as StepRunners;
  const report = await runStudy(recipe, { signal, emit: (event) => void events.push(event) }, watched);
  return { report, calls, events };
}

interface Hooks {
  readonly signal?: AbortSignal;
  /** Called with how many steps are done. */
  readonly before?: (nDone: number) => unknown;
  readonly after?: (nDone: number, name: string) => void;
}

/** What a study says but for how long things took, how much memory, and what was done before. */
export function findings(report: StudyReport): unknown {
  const { steps, timing: _, peakMemoryBytes: _m, evaluation, ...rest } = report;
  return { ...rest, evaluation: evaluation && { ...evaluation, timing: null }, steps: steps.map(({ id }) => id) };
}

/** Values that come from the bytes of the weights and what is left out. */
export async function evaluateByLooking(recipe: EvaluateRecipe): Promise<EvaluateReport> {
  const models = [
    ...recipe.models.map((folder) => ({ folder, drop: { blocks: [], attention: [], mlp: [] } })),
    ...recipe.drops.map((drop) => ({ folder: recipe.models[0]!, drop })),
  ].map(({ folder, drop }) => ({
    label: `${basename(folder)}${isEmpty(drop) ? '' : ` without ${formatDropSet(drop)}`}`,
    name: basename(folder),
    folder,
    drop,
    removedBlocks: [],
    healed: false,
    nBlocks: 0,
    nParameters: 0,
    sizeBytes: 0,
    dtype: 'F32',
    maxTokens: 512,
    tokenizerSha256: '',
  }));
  const valueIn = (model: (typeof models)[number], task: string) => {
    const hash = createHash('sha256').update(task).update(JSON.stringify(model.drop));
    for (const file of readdirSync(model.folder).filter((name) => name.endsWith('.safetensors')))
      hash.update(readFileSync(join(model.folder, file)));
    return hash.digest().readUInt32LE() / 2 ** 32;
  };
  const scores: Score[] = models.flatMap((model, i) =>
    recipe.tasks.map((task) => ({
      model: i,
      task,
      metric: 'acc',
      value: valueIn(model, task),
      stderr: 0.05,
      nItems: 40,
    })),
  );
  const comparisons: Comparison[] = scores
    .filter(({ model }) => model > 0)
    .map(({ model, task, metric, value }) => {
      const delta = value - valueIn(models[0]!, task);
      return {
        ...{ task, metric, delta, base: models[0]!.label, variant: models[model]!.label, pairedStderr: 0.04 },
        interval95: [delta - 0.08, delta + 0.08],
        mcnemarP: 0.5,
        flipped: { toWrong: 2, toRight: 1 },
        significant: Math.abs(delta) > 0.2,
      };
    });
  return {
    kind: 'evaluate',
    models,
    tasks: recipe.tasks.map((task) => ({
      ...{ task, title: task, version: 1, group: null, output: 'multipleChoice', nFewShot: 0, nItems: 40 },
      ...{ nItemsOfTask: 1000, chance: 0.25, metrics: ['acc'], files: [] },
    })),
    groups: [],
    scores,
    comparisons,
    generation: null,
    warnings: [],
    items: recipe.items,
    work: {
      ...{ nRequests: 0, nTokens: 0, nPaddedTokens: 0, nPlainTokens: 0, blockRuns: 0, headRuns: 0 },
      operations: 0,
      base: { blockRuns: 0, headRuns: 0, operations: 0 },
    },
    ...{ timing: noTime, transfers: null, peakMemoryBytes: 0, device: 'cpu', threads: 2, memory: 'resident' },
    versions: { espalier: '', onnxruntime: '', node: '' },
  };
}

export const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : []);
