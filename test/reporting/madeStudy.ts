// A study as a small model would give it, with numbers from a formula: what its pages and charts are tried on.
import type { EvaluatedModel } from '../../server/recipes/evaluate/recipe';
import type { StudyReport, StudyVariant } from '../../server/recipes/study/recipe';
import { formatDropSet, isEmpty, ofBlocks } from '../../server/shared/dropSets';
import { madeModels, madeReport, madeTasks } from '../evaluation/madeReport';

export interface MadeStudy {
  methods?: readonly string[];
  counts?: readonly number[];
  /** The count at which variants are healed; null: none are. */
  healedAt?: number | null;
  measures?: readonly ('loss' | 'tasks')[];
  /** Of the model. */
  name?: string;
  /** Of tasks to evaluate. */
  tasks?: readonly string[];
}

export function madeStudy({
  methods = ['weightMagnitude', 'blockInfluence', 'angularDistance', 'attentionOutputNorm', 'greedy'],
  counts = [4, 5, 6, 7, 12],
  healedAt = 5,
  measures = ['loss', 'tasks'],
  name = 'SmolLM2-135M',
  tasks = laptopTasks,
}: MadeStudy = {}): StudyReport {
  const grid = counts.flatMap((count) =>
    methods.flatMap((method, nth) =>
      (count === healedAt ? [false, true] : [false]).map((healed) => ({ count, method, nth, healed })),
    ),
  );
  const variants = [{ count: 0, method: '', nth: 0, healed: false }, ...grid].map(
    ({ count, method, nth, healed }, model): StudyVariant => {
      const costNats = count === 0 ? 0 : (0.11 * count + 0.012 * count ** 2) * (1 + 0.25 * nth) * (healed ? 0.45 : 1);
      const drop = ofBlocks(Array.from({ length: count }, (_, i) => 10 + 2 * nth + i));
      return {
        id: count === 0 ? 'base' : `${count}-${method}${healed ? '-healed' : ''}`,
        label: count === 0 ? name : `${method} ${count}${healed ? ', healed' : ''}`,
        methods: count === 0 ? [] : [method],
        count,
        drop,
        without: isEmpty(drop) ? '' : formatDropSet(drop),
        repair: 'none',
        healed,
        nParameters: 134_515_008 - count * 3_540_096,
        sizeBytes: 269_060_552 - count * 7_080_192,
        loss: measures.includes('loss')
          ? {
              lossNats: 2.9 + costNats,
              standardError: 0.08,
              perplexity: Math.exp(2.9 + costNats),
              costNats,
              costStandardError: count === 0 ? 0 : 0.02 + 0.02 * costNats,
            }
          : null,
        healing: null,
        folder: null,
        model: measures.includes('tasks') ? model : null,
      };
    },
  );
  const models = variants.map(
    ({ label, drop, healed, nParameters, sizeBytes, count }): EvaluatedModel => ({
      ...madeModels[0]!,
      ...{ label, drop: healed ? ofBlocks([]) : drop, removedBlocks: drop.blocks, healed, nParameters, sizeBytes },
      nBlocks: 30 - count,
    }),
  );
  const evaluation = madeReport({
    models,
    nItems: 60,
    tasks: madeTasks.filter(({ task }) => tasks.includes(task)).map((it) => ({ ...it, group: null })),
  });
  const text = {
    kind: 'text',
    files: [{ name: 'wiki.txt', sha256: '', sizeBytes: 1 }],
    nSequences: 8,
    tokensPerSequence: 512,
  };
  const source = { kind: 'text', files: ['/data/wiki.txt'], sequences: 8, tokens: 512, start: 0 };
  return {
    ...({ ...evaluation, kind: 'study' } as unknown as StudyReport),
    model: { name, folder: '/models/base', nBlocks: 30, nParameters: 134_515_008 } as StudyReport['model'],
    out: '/studies/made',
    recipe: {
      ...({ kind: 'study', model: '/models/base', out: '/studies/made', dtype: null } as StudyReport['recipe']),
      ...({ source, perplexity: source, keepModels: 'none', batchBytes: 1, protected: [] } as object),
      ...{ methods: [...methods], counts: [...counts], repairs: ['none'], healing: null },
      evaluate: measures.includes('tasks')
        ? { tasks: [...tasks], data: '/data', items: { first: 0, end: 60 }, fewShot: null, maxTokens: null }
        : null,
      compute: { device: 'cpu', threads: 2, memory: 'auto', weights: 'f32', memoryLimitBytes: null },
    } as StudyReport['recipe'],
    methods: Object.fromEntries(
      methods.filter((it) => it !== 'greedy').map((it) => [it, { unit: 'a unit', of: 'block', paper: 'a paper' }]),
    ),
    calibration: { ...text, start: 0 } as unknown as StudyReport['calibration'],
    perplexity: measures.includes('loss') ? ({ ...text, start: 0 } as unknown as StudyReport['calibration']) : null,
    variants,
    evaluation: measures.includes('tasks') ? evaluation : null,
    steps: [{ id: 'analyze', title: 'score', kind: 'analyze', elapsedMs: 1500, doneBefore: false }],
  };
}

export const laptopTasks: readonly string[] = [
  ...['hellaswag', 'arc_easy', 'arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'],
  ...['medical_genetics', 'college_mathematics', 'high_school_physics', 'machine_learning', 'philosophy'].map(
    (subject) => `mmlu_${subject}`,
  ),
  'mmlu_professional_law',
];
