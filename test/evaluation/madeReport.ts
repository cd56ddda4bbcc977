// A report as an evaluation of an original and three variants would give it, from items drawn by a seed: what pages and files
// are tried on. Scores come from the items, comparisons from the real code.
import { compareWithBase, type ItemScores } from '../../server/evaluation/compare';
import { isShare, metricOf } from '../../server/shared/metrics';
import type {
  EvaluatedGroup,
  EvaluatedModel,
  EvaluatedTask,
  EvaluateReport,
  Score,
} from '../../server/recipes/evaluate/recipe';

export interface MadeOptions {
  models?: readonly EvaluatedModel[];
  /** Items of each task. */
  nItems?: number;
  tasks?: readonly EvaluatedTask[];
  generation?: EvaluateReport['generation'];
}

export function madeReport({ models = madeModels, nItems = 100, tasks = madeTasks, generation }: MadeOptions = {}) {
  const names = new Set(tasks.map(({ task }) => task));
  const groups = madeGroups.filter((group) => group.tasks.every((task) => names.has(task)));
  const sized = tasks.map((task) => ({ ...task, nItems: Math.min(nItems, task.nItemsOfTask) }));
  const random = uniform(11);
  // One difficulty an item, shared by all models: that is what makes them pairs.
  const hardness = new Map(sized.map(({ task, nItems }) => [task, Array.from({ length: nItems }, random)]));
  const items = models.map((_, model) =>
    sized.flatMap((task) => itemsOf(task, model, hardness.get(task.task)!, random)),
  );
  const scores = items.flatMap((ofModel, model) => [
    ...ofModel.map((it) => scoreOf(model, it)),
    ...groups.map(({ group, tasks }) =>
      groupScore(
        model,
        group,
        ofModel.filter((it) => tasks.includes(it.task)),
      ),
    ),
  ]);
  const [base, ...variants] = models.map(({ label }, k) => ({ label, scores: items[k]! }));
  const report: EvaluateReport = {
    kind: 'evaluate',
    models: [...models],
    tasks: sized,
    groups,
    scores,
    comparisons: variants.flatMap((variant) => compareWithBase(base!, variant, sized, groups)),
    generation: generation ?? null,
    warnings: [`Scored on the first ${nItems} items of each task.`],
    items: { first: 0, end: nItems },
    work: {
      nRequests: 41_234,
      nTokens: 2_345_678,
      nPaddedTokens: 2_445_678,
      nPlainTokens: 9_876_543,
      blockRuns: 4_200,
      headRuns: 130,
      operations: 9.1e14,
      base: { blockRuns: 1_500, headRuns: 40, operations: 3.2e14 },
    },
    timing: { elapsedMs: 312_400, loadMs: 800, compileMs: 900, tokenizeMs: 4_100, writeMs: 0, tokens: 2_345_678 },
    transfers: null,
    peakMemoryBytes: 1_934_000_000,
    device: 'cpu',
    threads: 2,
    memory: 'resident',
    versions: { espalier: '0.5.0', onnxruntime: '1.30.0', node: '20.19.0' },
  };
  return report;
}

const model = (change: Partial<EvaluatedModel>): EvaluatedModel => ({
  label: 'SmolLM2-135M',
  name: 'SmolLM2-135M',
  folder: '/models/SmolLM2-135M',
  drop: { blocks: [], attention: [], mlp: [] },
  removedBlocks: [],
  healed: false,
  nBlocks: 30,
  nParameters: 134_515_008,
  sizeBytes: 269_060_552,
  dtype: 'bf16',
  maxTokens: 8192,
  tokenizerSha256: 'a'.repeat(64),
  ...change,
});

const cut = { removedBlocks: [12, 13, 14, 15, 16], nBlocks: 25, nParameters: 116_814_528, sizeBytes: 233_658_400 };

/** The original, five blocks left out, the same healed, and seven left out. */
export const madeModels: readonly EvaluatedModel[] = [
  model({}),
  model({
    label: 'SmolLM2-135M without 12-16',
    drop: { blocks: [12, 13, 14, 15, 16], attention: [], mlp: [] },
    ...cut,
  }),
  model({ label: 'SmolLM2-135M-healed', name: 'SmolLM2-135M-healed', folder: '/models/healed', healed: true, ...cut }),
  model({
    label: 'SmolLM2-135M without 12-18',
    drop: { blocks: [12, 13, 14, 15, 16, 17, 18], attention: [], mlp: [] },
    removedBlocks: [12, 13, 14, 15, 16, 17, 18],
    nBlocks: 23,
    nParameters: 109_734_336,
    sizeBytes: 219_497_488,
  }),
];

const task = (
  name: string,
  title: string,
  nItemsOfTask: number,
  change: Partial<EvaluatedTask> = {},
): EvaluatedTask => ({
  task: name,
  title,
  version: 1,
  group: null,
  output: 'multipleChoice',
  nFewShot: 0,
  nItems: nItemsOfTask,
  nItemsOfTask,
  chance: 0.25,
  metrics: ['acc', 'acc_norm'],
  files: [{ name: `${name}.jsonl`, sha256: name.padEnd(64, '0').slice(0, 64), sizeBytes: 1000 * nItemsOfTask }],
  ...change,
});

const subjects: Record<string, string> = {
  stem:
    'abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science college_mathematics ' +
    'college_physics computer_security conceptual_physics electrical_engineering elementary_mathematics ' +
    'high_school_biology high_school_chemistry high_school_computer_science high_school_mathematics ' +
    'high_school_physics high_school_statistics machine_learning',
  humanities:
    'formal_logic high_school_european_history high_school_us_history high_school_world_history international_law ' +
    'jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory professional_law world_religions',
  social_sciences:
    'econometrics high_school_geography high_school_government_and_politics high_school_macroeconomics ' +
    'high_school_microeconomics high_school_psychology human_sexuality professional_psychology public_relations ' +
    'security_studies sociology us_foreign_policy',
  other:
    'business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing medical_genetics ' +
    'miscellaneous nutrition professional_accounting professional_medicine virology',
};

const mmlu = Object.entries(subjects).flatMap(([group, names]) =>
  names
    .split(' ')
    .map((name) =>
      task(`mmlu_${name}`, name.replaceAll('_', ' '), 100, { group: `mmlu_${group}`, nFewShot: 5, metrics: ['acc'] }),
    ),
);

export const madeGroups: readonly EvaluatedGroup[] = [
  { group: 'mmlu', title: 'MMLU', version: 2, parent: null, tasks: mmlu.map((it) => it.task) },
  ...Object.keys(subjects).map((group) => ({
    group: `mmlu_${group}`,
    title: group === 'stem' ? 'STEM' : group.replaceAll('_', ' '),
    version: 2,
    parent: 'mmlu',
    tasks: mmlu.filter((it) => it.group === `mmlu_${group}`).map((it) => it.task),
  })),
];

export const madeTasks: readonly EvaluatedTask[] = [
  task('hellaswag', 'HellaSwag', 10_042),
  task('arc_easy', 'ARC easy', 2376),
  task('arc_challenge', 'ARC challenge', 1172),
  task('boolq', 'BoolQ', 3270, { version: 2, metrics: ['acc'], chance: 0.5 }),
  task('piqa', 'PIQA', 1838, { chance: 0.5 }),
  task('winogrande', 'WinoGrande', 1267, { metrics: ['acc'], chance: 0.5 }),
  task('openbookqa', 'OpenBookQA', 500),
  task('lambada_openai', 'LAMBADA', 5153, { output: 'logLikelihood', metrics: ['perplexity', 'acc'], chance: null }),
  ...mmlu,
  task('wikitext', 'WikiText', 62, {
    version: 2,
    output: 'rolling',
    metrics: ['word_perplexity', 'byte_perplexity', 'bits_per_byte'],
    chance: null,
  }),
];

/** How good each model is: the share of items it answers right, and the nats of a word. */
const skill = [0.52, 0.37, 0.47, 0.32, 0.42];
const natsPerWord = [3.42, 4.33, 3.56, 4.85, 3.9];

function itemsOf(task: EvaluatedTask, model: number, hardness: readonly number[], random: () => number): ItemScores[] {
  const right = (skill[model % skill.length]! + (task.chance ?? 0) * 0.3) * (task.group ? 0.62 : 1);
  const nats = natsPerWord[model % natsPerWord.length]!;
  const docIds = hardness.map((_, i) => i);
  const words = hardness.map((h) => 300 + Math.round(4000 * h));
  const natsOf = hardness.map((h) => nats * (0.85 + 0.3 * h) * (0.97 + 0.06 * random()));
  return task.metrics.map((metric) => {
    if (isShare(metric))
      return {
        task: task.task,
        metric,
        docIds,
        weights: null,
        values: hardness.map((h) => (0.75 * h + 0.25 * random() < right ? 1 : 0)),
      };
    if (metric === 'perplexity')
      return { task: task.task, metric, docIds, weights: null, values: natsOf.map((x) => -x) };
    const weights = metric === 'word_perplexity' ? words : words.map((n) => Math.round(5.1 * n));
    return { task: task.task, metric, docIds, weights, values: natsOf.map((x, i) => -x * words[i]!) };
  });
}

function scoreOf(model: number, { task, metric, values, weights }: ItemScores): Score {
  const x = Array.from(values);
  const total = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
  const n = x.length;
  const value = metricOf(metric).fromRatio(total(x) / (weights ? total(Array.from(weights)) : n));
  const mean = total(x) / n;
  const error = Math.sqrt(total(x.map((v) => (v - mean) ** 2)) / (n - 1) / n);
  return {
    model,
    task,
    metric,
    value,
    stderr: weights ? null : metric === 'perplexity' ? value * error : error,
    nItems: n,
  };
}

function groupScore(model: number, group: string, members: readonly ItemScores[]): Score {
  const values = members.flatMap((it) => Array.from(it.values));
  return { ...scoreOf(model, { ...members[0]!, values, weights: null }), task: group, metric: 'acc' };
}

/** Linear congruential, in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}
