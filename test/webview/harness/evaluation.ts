// An evaluation of SmolLM2-135M and of two variants without blocks 12 to 16. Real: scores of original and pruned on the eight
// tasks with their paired intervals, base scores of MMLU, perplexities on 8 sequences. Made up: every score of the healed
// variant, the pruned scores of MMLU, which items changed, sizes of files and times.
import type { EvaluationForm, EvaluationRun, EvaluationState } from '../../../server/protocol/pages/evaluate';
import type {
  EvaluateRecipe,
  Comparison,
  EvaluatedModel,
  EvaluatedTask,
  EvaluateReport,
  Score,
} from '../../../server/recipes/evaluate/recipe';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { RunSummary } from '../../../server/protocol/server';
import { recipeSchema } from '../../../server/recipes/kinds';
import type { Case } from './cases';
import { plan } from './cases';
import { modelOf, runOf } from './fixture';
import type { MetricName } from '../../../server/shared/metrics';

/** In percent and points: task, title, metric, chance, base, then value and half of the interval of both variants. */
type Line = [
  task: string,
  title: string,
  metric: MetricName,
  chance: number,
  base: number,
  pruned: number,
  prunedHalf: number,
  healed: number,
  healedHalf: number,
];
const tasks: Line[] = [
  ['hellaswag', 'HellaSwag', 'acc_norm', 25, 45, 37.5, 12.9, 42.5, 10.9],
  ['arc_easy', 'ARC easy', 'acc_norm', 25, 40, 40, 12.2, 40, 9.4],
  ['arc_challenge', 'ARC challenge', 'acc_norm', 25, 30, 30, 9.9, 32.5, 7.8],
  ['boolq', 'BoolQ', 'acc', 50, 25, 50, 16.8, 45, 16.1],
  ['piqa', 'PIQA', 'acc_norm', 50, 67.5, 62.5, 12.1, 67.5, 9.8],
  ['winogrande', 'WinoGrande', 'acc', 50, 47.5, 60, 17.5, 52.5, 14.2],
  ['openbookqa', 'OpenBookQA', 'acc_norm', 25, 37.5, 22.5, 13.2, 32.5, 10.7],
  ['lambada_openai', 'LAMBADA', 'acc', Number.NaN, 32.5, 7.5, 13.6, 22.5, 11.2],
];
const subjects: Line[] = [
  ['mmlu_medical_genetics', 'medical genetics', 'acc', 25, 37.5, 27.5, 16.8, 35, 12.2],
  ['mmlu_professional_law', 'professional law', 'acc', 25, 35, 30, 14.6, 32.5, 11],
  ['mmlu_philosophy', 'philosophy', 'acc', 25, 22.5, 25, 15.1, 25, 12.4],
  ['mmlu_college_mathematics', 'college mathematics', 'acc', 25, 25, 22.5, 13.3, 25, 9.8],
  ['mmlu_high_school_physics', 'high school physics', 'acc', 25, 22.5, 25, 12.9, 22.5, 10.9],
  ['mmlu_machine_learning', 'machine learning', 'acc', 25, 30, 27.5, 13.9, 27.5, 11.3],
];
const perplexities = [30.4, 75.6, 33.1];
const marked = ['boolq', 'lambada_openai'];

const dense = modelOf('smollm2-135m');
const model = (some: Partial<EvaluatedModel>): EvaluatedModel => ({
  label: dense.name,
  name: dense.name,
  folder: '/models/smollm2-135m',
  drop: { blocks: [], attention: [], mlp: [] },
  removedBlocks: [],
  healed: false,
  nBlocks: 30,
  nParameters: dense.nParameters,
  sizeBytes: 269_030_016,
  dtype: 'bf16',
  maxTokens: 8192,
  tokenizerSha256: '9ca9acddb6525a194ec8ac7a87f24fbba7232a9a15ffa1af0c1224fcd888e47c',
  ...some,
});
const lacking = { removedBlocks: [12, 13, 14, 15, 16], nBlocks: 25, sizeBytes: 233_629_056, nParameters: 116_814_528 };
export const evaluatedModels: EvaluatedModel[] = [
  model({}),
  model({
    label: 'SmolLM2-135M-pruned',
    name: 'SmolLM2-135M-pruned',
    folder: '/models/smollm2-135m-pruned',
    ...lacking,
  }),
  model({
    label: 'SmolLM2-135M-healed',
    name: 'SmolLM2-135M-healed',
    folder: '/models/smollm2-135m-healed',
    healed: true,
    ...lacking,
  }),
];

const taskOf = ([task, title, metric, chance]: Line, nItems: number): EvaluatedTask => ({
  task,
  title,
  version: task === 'boolq' ? 2 : 1,
  group: task.startsWith('mmlu') ? 'mmlu' : null,
  output: task === 'lambada_openai' ? 'logLikelihood' : 'multipleChoice',
  nFewShot: 0,
  nItems,
  nItemsOfTask: 25 * nItems,
  chance: Number.isNaN(chance) ? null : chance / 100,
  metrics: metric === 'acc_norm' ? ['acc', 'acc_norm'] : task === 'lambada_openai' ? ['perplexity', 'acc'] : ['acc'],
  files: [{ name: `${task}.jsonl`, sha256: `${task.length}f`.repeat(16), sizeBytes: 1e6 }],
});

const wikitext = (nItems: number): EvaluatedTask => ({
  ...taskOf(['wikitext', 'WikiText', 'word_perplexity', Number.NaN, 0, 0, 0, 0, 0], nItems),
  version: 2,
  output: 'rolling',
  nItemsOfTask: 62,
  metrics: ['word_perplexity', 'byte_perplexity', 'bits_per_byte'],
});

export interface EvaluationShape {
  /** Indices in `evaluatedModels`; the original is always there. */
  variants?: number[];
  nItems?: number;
  mmlu?: boolean;
  text?: boolean;
}

export function evaluationReport(
  { variants = [1, 2], nItems = 40, mmlu = true, text = true }: EvaluationShape = {},
  change: Partial<EvaluateReport> = {},
): EvaluateReport {
  const models = [0, ...variants].map((i) => evaluatedModels[i]!);
  const lines = [...tasks, ...(mmlu ? subjects : [])];
  const scores: Score[] = [];
  const comparisons: Comparison[] = [];
  const add = (task: string, metric: MetricName, values: number[], halves: number[], n: number, byHolm: boolean) => {
    for (const [index, i] of [0, ...variants].entries()) {
      const value = values[i]!;
      const stderr = metric.startsWith('acc') ? Math.sqrt((value * (1 - value)) / (n - 1)) : null;
      scores.push({ model: index, task, metric, value, stderr, nItems: n });
      if (index === 0) continue;
      const delta = value - values[0]!;
      const half = halves[i]!;
      const changed = Math.round(Math.abs(delta) * n);
      comparisons.push({
        task,
        metric,
        base: models[0]!.label,
        variant: models[index]!.label,
        delta,
        pairedStderr: half / 1.96,
        interval95: [delta - half, delta + half],
        mcnemarP: metric.startsWith('acc') ? (Math.abs(delta) > half ? 0.004 : 0.4) : null,
        flipped: metric.startsWith('acc')
          ? { toWrong: delta < 0 ? changed + 2 : 2, toRight: delta > 0 ? changed + 2 : 2 }
          : null,
        significant: byHolm && Math.abs(delta) > half,
      });
    }
  };
  for (const [task, , metric, , base, pruned, prunedHalf, healed, healedHalf] of lines) {
    const values = [base / 100, pruned / 100, healed / 100];
    const halves = [0, prunedHalf / 100, healedHalf / 100];
    if (metric === 'acc_norm')
      add(
        task,
        'acc',
        values.map((value) => value - 0.025),
        halves,
        nItems,
        false,
      );
    add(task, metric, values, halves, nItems, marked.includes(task));
    if (task === 'lambada_openai') add(task, 'perplexity', [34.2, 812.5, 61.3], [0, 402, 24], nItems, false);
  }
  if (mmlu) {
    const mean = (at: 4 | 5 | 7) => subjects.reduce((sum, line) => sum + line[at], 0) / subjects.length / 100;
    add('mmlu', 'acc', [mean(4), mean(5), mean(7)], [0, 0.059, 0.046], 6 * nItems, false);
  }
  if (text) add('wikitext', 'word_perplexity', perplexities, [0, 4.1, 0.9], 8, true);
  return {
    kind: 'evaluate',
    models,
    tasks: [...lines.map((line) => taskOf(line, nItems)), ...(text ? [wikitext(8)] : [])],
    groups: mmlu
      ? [{ group: 'mmlu', title: 'MMLU', version: 2, parent: null, tasks: subjects.map(([task]) => task) }]
      : [],
    scores,
    comparisons,
    generation: null,
    warnings: [],
    items: { first: 0, end: nItems },
    work: {
      nRequests: 1920,
      nTokens: 81_204,
      nPaddedTokens: 84_480,
      nPlainTokens: 241_920,
      blockRuns: 120,
      headRuns: 9,
      operations: 9e13,
      base: { blockRuns: 60, headRuns: 3, operations: 4e13 },
    },
    timing: { elapsedMs: 312_000, loadMs: 300, compileMs: 400, tokenizeMs: 200, writeMs: 0, tokens: 81_204 },
    transfers: null,
    peakMemoryBytes: 1.9e9,
    device: 'cpu',
    threads: 2,
    memory: 'resident',
    versions: { espalier: '0.1.0', onnxruntime: '1.30.0', node: '20' },
    ...change,
  };
}

export const evaluationRecipe = (change: object = {}): EvaluateRecipe =>
  recipeSchema.parse({
    kind: 'evaluate',
    models: evaluatedModels.map(({ folder }) => folder),
    tasks: [...tasks.map(([task]) => task), ...subjects.map(([task]) => task), 'wikitext'],
    data: '/benchmarks',
    items: { first: 0, end: 40 },
    ...change,
  }) as EvaluateRecipe;

export const evaluationRun = (state: Parameters<typeof runOf>[0], runId?: string): RunSummary =>
  ({
    ...runOf(state, 'evaluate'),
    title: 'Evaluate SmolLM2-135M',
    model: '/models/smollm2-135m',
    ...(runId ? { runId } : {}),
  }) as RunSummary;

export const evaluated = (change: Partial<EvaluationRun> = {}): EvaluationRun => ({
  run: evaluationRun({ state: 'done' }),
  recipe: evaluationRecipe(),
  plan,
  scored: null,
  report: evaluationReport(),
  ...change,
});

/** In the middle: five tasks are done, the sixth goes on. */
export function evaluatedInPart(): EvaluationRun {
  const { models, tasks: all, groups, scores, comparisons, warnings } = evaluationReport();
  const done = tasks.slice(0, 5).map(([task]) => task);
  const partial = { model: 0, task: 'winogrande', metric: 'acc' as const, value: 0.5, stderr: 0.1, nItems: 22 };
  return evaluated({
    run: evaluationRun({ state: 'running', step: 'WinoGrande', fraction: 0.37 }),
    report: null,
    scored: {
      models,
      tasks: all,
      groups,
      scores: [...scores.filter(({ task }) => done.includes(task)), partial],
      comparisons: comparisons.filter(({ task }) => done.includes(task)),
      warnings,
    },
  });
}

/** Another run with the healed variant, of twice as many questions. */
export const evaluatedOtherwise = (): EvaluationRun =>
  evaluated({
    run: evaluationRun({ state: 'done' }, '3f0e9a52-8f2e-4d3f-9f2d-0000000000e2'),
    recipe: evaluationRecipe({ items: { first: 0, end: 80 } }),
    report: evaluationReport({ variants: [2], nItems: 80, mmlu: false }),
  });

/** The healed variant is not finite. */
export function withoutHealed(): EvaluationRun {
  const report = evaluationReport();
  const { label } = report.models[2]!;
  const sentence = `The log-likelihood of ${label} is not finite, because model.layers.11.mlp.down_proj.weight[3, 1407] in model.safetensors is NaN; get the weights again, or make them anew.`;
  return evaluated({
    report: {
      ...report,
      scores: report.scores.filter(({ model: index }) => index !== 2),
      comparisons: report.comparisons.filter(({ variant }) => variant !== label),
      generation: report.generation?.filter(({ model: index }) => index !== 2) ?? null,
      notFinite: [{ model: 2, sentence }],
    },
  });
}

const summaryOf = ({
  name,
  folder,
  nBlocks,
  nParameters,
  sizeBytes,
  removedBlocks,
  healed,
}: EvaluatedModel): ModelSummary => ({
  ...dense,
  name,
  healed,
  folder,
  nBlocks,
  nParameters,
  sizeBytes,
  prunedFrom: removedBlocks.length > 0 ? { model: dense.name, removedBlocks } : null,
});

export function evaluationState(
  shown: EvaluationState['shown'] = { kind: 'run', evaluation: evaluated(), beside: [] },
  others: Partial<EvaluationState> = {},
): EvaluationState {
  return {
    models: evaluatedModels.map(summaryOf),
    view: { sort: null, filter: '', significant: false, opened: {} },
    connection: { state: 'connected' },
    shown,
    ...others,
  };
}

export const evaluationForm = (change: Partial<EvaluationForm> = {}): EvaluationState['shown'] => ({
  kind: 'form',
  form: {
    settings: { tasks: tasks.map(([task]) => task), items: 100, fewShot: null, generate: false, weights: null },
    dataFolder: '/benchmarks',
    missingData: [],
    plan: { ...plan, nTokens: 0, totalBytes: 1.9e9, estimatedSeconds: 312 },
    refusal: null,
    ...change,
  },
});

/** All 57 subjects in their four groups. */
export function wholeMmlu(): EvaluationRun {
  const report = evaluationReport({ text: false, mmlu: false });
  const parts = ['stem', 'humanities', 'social_sciences', 'other'];
  const names = Array.from({ length: 57 }, (_, i) => ({ task: `mmlu_subject_${i}`, part: `mmlu_${parts[i % 4]}` }));
  const copy = (from: string, to: string) => ({
    scores: report.scores.filter(({ task }) => task === from).map((score) => ({ ...score, task: to })),
    comparisons: report.comparisons.filter(({ task }) => task === from).map((it) => ({ ...it, task: to })),
  });
  const group = (name: string, title: string, parent: string | null, of: string[]) => ({
    group: name,
    title,
    version: 2,
    parent,
    tasks: of,
  });
  const made = [...names.map(({ task }) => task), 'mmlu', ...parts.map((part) => `mmlu_${part}`)].map((to) =>
    copy('winogrande', to),
  );
  return evaluated({
    report: {
      ...report,
      tasks: [
        ...report.tasks,
        ...names.map(({ task, part }, i) => ({
          ...taskOf(subjects[0]!, 40),
          task,
          title: `subject ${i}`,
          group: part,
        })),
      ],
      groups: [
        group(
          'mmlu',
          'MMLU',
          null,
          names.map(({ task }) => task),
        ),
        ...parts.map((part) =>
          group(
            `mmlu_${part}`,
            part.replace('_', ' '),
            'mmlu',
            names.filter((it) => it.part === `mmlu_${part}`).map(({ task }) => task),
          ),
        ),
      ],
      scores: [...report.scores, ...made.flatMap(({ scores }) => scores)],
      comparisons: [...report.comparisons, ...made.flatMap(({ comparisons }) => comparisons)],
    },
  });
}

export function evaluationCases(): Case[] {
  const made = (name: string, state: EvaluationState, options: Partial<Case> = {}): Case => ({
    name,
    page: 'evaluate',
    fullPage: true,
    answers: { 'page/open': () => ({ page: 'evaluate', state }), 'evaluate/keep': () => null },
    ...options,
  });
  const shown = (evaluation: EvaluationRun, beside: EvaluationRun[] = []): EvaluationState =>
    evaluationState({ kind: 'run', evaluation, beside });
  const narrow = { width: 500, height: 1400 };
  const both = shown(evaluated({ report: evaluationReport({ variants: [1] }) }), [evaluatedOtherwise()]);
  const drops = { ...evaluatedModels[0]!, label: 'x', drop: { blocks: [3, 4], attention: [], mlp: [7] } };
  const many = evaluated({
    report: evaluationReport({}, { models: [...evaluatedModels, drops, { ...drops, label: 'y', healed: true }] }),
  });
  const written = evaluationReport(
    {},
    {
      generation: [
        {
          model: 0,
          prompt: 'The capital of France',
          text: ' is Paris, and its people',
          nTokens: 32,
          repetition: 0.05,
          entropyBits: 5.1,
          alarm: false,
        },
        {
          model: 1,
          prompt: 'The capital of France',
          text: ' the the the the the the',
          nTokens: 32,
          repetition: 0.91,
          entropyBits: 0.4,
          alarm: true,
        },
      ],
      warnings: ['SmolLM2-135M-pruned repeats itself; its scores may mean little.'],
    },
  );
  return [
    ...(['dark', 'light', 'high-contrast'] as const).flatMap((theme) => [
      made(`evaluate-${theme}`, evaluationState(), { theme }),
      made(`evaluate-${theme}-narrow`, evaluationState(), { theme, ...narrow }),
      made(`evaluate-form-${theme}`, evaluationState(evaluationForm()), { theme, height: 640 }),
    ]),
    made('evaluate-mismatch', both),
    made('evaluate-mismatch-narrow', both, narrow),
    made('evaluate-running', shown(evaluatedInPart())),
    made('evaluate-waiting', shown(evaluated({ run: evaluationRun({ state: 'queued' }), report: null }))),
    made(
      'evaluate-failed',
      shown(
        evaluated({
          run: evaluationRun({
            state: 'failed',
            code: 'badData',
            message: 'There is no hellaswag in /benchmarks; put its file there.',
          }),
          report: null,
        }),
      ),
    ),
    made('evaluate-all-subjects', shown(wholeMmlu())),
    made('evaluate-four-variants', shown(many)),
    made('evaluate-not-finite', shown(withoutHealed())),
    made('evaluate-not-finite-narrow', shown(withoutHealed()), narrow),
    made('evaluate-written', shown(evaluated({ report: written }))),
    made('evaluate-base-alone', shown(evaluated({ report: evaluationReport({ variants: [] }) }))),
    made('evaluate-1240', evaluationState(), { width: 1240 }),
    made('evaluate-480', evaluationState(), { width: 480, height: 1400 }),
    made(
      'evaluate-form-narrow',
      evaluationState(evaluationForm({ dataFolder: null, missingData: ['hellaswag', 'mmlu'] })),
      { width: 500 },
    ),
    made('evaluate-details', evaluationState(), {
      async before({ page }) {
        await page.focus('tr[data-row="hellaswag"]');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
      },
    }),
  ];
}
