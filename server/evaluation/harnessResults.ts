// An evaluation as lm-evaluation-harness writes its results.json, so that what reads those reads ours. The harness knows
// one model: the original is where it has its own. All models, the comparisons and the run's facts stand beside it under names
// that the harness does not use, complete, so that the report can be had back.
import type {
  ItemRange,
  EvaluatedGroup,
  EvaluatedModel,
  EvaluatedTask,
  EvaluateReport,
} from '../recipes/evaluate/recipe';
import type { RunFacts } from '../protocol/reports';
import { metricOf } from '../shared/metrics';

/** Of a task or group: `acc,none` and `acc_stderr,none` for every metric, the filter being none; JSON has no infinity. */
export type TaskResults = Record<string, string | number | null | Record<string, number>>;

export interface HarnessResults
  extends Pick<
      EvaluateReport,
      'kind' | 'tasks' | 'comparisons' | 'generation' | 'notFinite' | 'warnings' | 'items' | 'work'
    >,
    Omit<RunFacts, 'versions'> {
  results: Record<string, TaskResults>;
  groups?: Record<string, TaskResults>;
  group_subtasks: Record<string, string[]>;
  configs: Record<string, Record<string, unknown>>;
  /** Of tasks and groups. */
  versions: Record<string, number>;
  'n-shot': Record<string, number>;
  higher_is_better: Record<string, Record<string, boolean>>;
  'n-samples': Record<string, { original: number; effective: number }>;
  config: Record<string, string | number | null>;
  git_hash: null;
  /** In seconds since 1970. */
  date: number;
  max_length: number;
  model_source: string;
  model_name: string;
  model_name_sanitized: string;
  total_evaluation_time_seconds: string;
  models: (EvaluatedModel & {
    /** The whole blocks of `drop`, as other reports name them. */
    dropSet: number[];
    results: Record<string, TaskResults>;
    groups: Record<string, TaskResults>;
  })[];
  task_groups: EvaluatedGroup[];
  /** The run's own `versions`. */
  software: RunFacts['versions'];
}

export function harnessResults(report: EvaluateReport, dateEpochMs: number): HarnessResults {
  const { kind, models, tasks, groups, scores: _, versions: software, ...rest } = report;
  const base = models[0]!;
  const ofModels = models.map((_, k) => resultsOf(report, k));
  return {
    results: { ...ofModels[0]!.results, ...ofModels[0]!.groups },
    ...(groups.length > 0 ? { groups: ofModels[0]!.groups } : {}),
    ...tableFields(report),
    config: runConfig(report),
    git_hash: null,
    date: dateEpochMs / 1000,
    max_length: base.maxTokens,
    model_source: 'espalier',
    model_name: base.name,
    model_name_sanitized: base.name.replaceAll(/[^\w.-]+/g, '__'),
    total_evaluation_time_seconds: `${report.timing.elapsedMs / 1000}`,
    kind,
    models: models.map((model, k) => ({ ...model, dropSet: model.drop.blocks, ...ofModels[k]! })),
    tasks,
    task_groups: groups,
    software,
    ...rest,
  };
}

type TableFields = 'group_subtasks' | 'configs' | 'versions' | 'n-shot' | 'higher_is_better' | 'n-samples';

/** What the harness says of each task and group, by name. */
function tableFields(report: EvaluateReport): Pick<HarnessResults, TableFields> {
  const { tasks, groups } = report;
  const directions = (metrics: readonly string[]) =>
    Object.fromEntries(metrics.map((metric) => [metric, metricOf(metric).higherIsBetter]));
  const everything = (of: (task: EvaluatedTask) => number, ofGroup: (group: EvaluatedGroup) => number | undefined) =>
    Object.fromEntries(
      [
        ...tasks.map((task) => [task.task, of(task)] as const),
        ...groups.flatMap((group) => {
          const value = ofGroup(group);
          return value === undefined ? [] : [[group.group, value] as const];
        }),
      ].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  return {
    group_subtasks: Object.fromEntries(groups.map((group) => [group.group, membersOf(group, report)])),
    configs: Object.fromEntries(tasks.map((task) => [task.task, configOf(task)])),
    versions: everything(
      (task) => task.version,
      (group) => group.version,
    ),
    'n-shot': everything(
      (task) => task.nFewShot,
      (group) => same(tasksOf(group, tasks).map((task) => task.nFewShot)),
    ),
    higher_is_better: {
      ...Object.fromEntries(tasks.map((task) => [task.task, directions(task.metrics)])),
      ...Object.fromEntries(
        groups.map((group) => [group.group, directions(tasksOf(group, tasks).flatMap(({ metrics }) => metrics))]),
      ),
    },
    'n-samples': Object.fromEntries(
      tasks.map((task) => [task.task, { original: task.nItemsOfTask, effective: task.nItems }]),
    ),
  };
}

/** How the harness would have been called. */
function runConfig({ models, device, items }: EvaluateReport): HarnessResults['config'] {
  const base = models[0]!;
  return {
    model: 'espalier',
    model_args: `pretrained=${base.folder},dtype=${base.dtype},max_length=${base.maxTokens}`,
    model_num_parameters: base.nParameters,
    model_dtype: base.dtype,
    batch_size: 'auto',
    device,
    use_cache: null,
    limit: limitOf(items),
    bootstrap_iters: 100_000,
    gen_kwargs: null,
    random_seed: 0,
    numpy_seed: 1234,
    torch_seed: 1234,
    fewshot_seed: 1234,
  };
}

function resultsOf({ tasks, groups, scores }: EvaluateReport, model: number) {
  const figures = (name: string): TaskResults =>
    Object.fromEntries(
      scores
        .filter((score) => score.model === model && score.task === name)
        .flatMap(({ metric, value, stderr }) => [
          [`${metric},${filter}`, value],
          [`${metric}_stderr,${filter}`, stderr ?? 'N/A'],
        ]),
    );
  return {
    results: Object.fromEntries(
      tasks.map(({ task, nItems }) => [
        task,
        { name: task, alias: aliasOf(task), sample_len: nItems, ...figures(task) },
      ]),
    ),
    groups: Object.fromEntries(
      groups.map((group) => {
        const nItems = tasksOf(group, tasks).reduce((sum, task) => sum + task.nItems, 0);
        const found = figures(group.group);
        const counts = Object.keys(found)
          .filter((key) => !key.includes('_stderr,'))
          .map((key) => [key, nItems]);
        const alias = aliasOf(group.group).replaceAll('_', ' ');
        return [group.group, { name: group.group, alias, ...found, sample_count: Object.fromEntries(counts) }];
      }),
    ),
  };
}

/** The harness runs answers through named filters; none of our tasks has one. */
export const filter = 'none';

/** Inside its group a subject is called without the group's name. */
const aliasOf = (task: string) => task.replace(/^mmlu_/, '');

/** As the harness nests them: groups below, or the tasks. */
function membersOf(group: EvaluatedGroup, { groups }: EvaluateReport): string[] {
  const below = groups.filter(({ parent }) => parent === group.group);
  const covered = new Set(below.flatMap(({ tasks }) => tasks));
  return [...below.map((it) => it.group), ...group.tasks.filter((task) => !covered.has(task))];
}

const tasksOf = (group: EvaluatedGroup, tasks: readonly EvaluatedTask[]) =>
  tasks.filter(({ task }) => group.tasks.includes(task));

/** What all have in common; undefined where they differ. */
const same = (values: readonly number[]) => (new Set(values).size === 1 ? values[0] : undefined);

const outputTypes = {
  multipleChoice: 'multiple_choice',
  logLikelihood: 'loglikelihood',
  rolling: 'loglikelihood_rolling',
} satisfies Record<EvaluatedTask['output'], string>;

function configOf(task: EvaluatedTask): Record<string, unknown> {
  return {
    task: task.task,
    ...(task.group ? { task_alias: aliasOf(task.task) } : {}),
    dataset_path: task.files[0]?.name ?? '',
    num_fewshot: task.nFewShot,
    output_type: outputTypes[task.output],
    metric_list: task.metrics.map((metric) => ({
      metric,
      higher_is_better: metricOf(metric).higherIsBetter,
    })),
    repeats: 1,
    should_decontaminate: false,
    metadata: { version: task.version, files: task.files },
  };
}

/** The harness' limit is a number of first items. */
const limitOf = (items: ItemRange | null) => (items && items.first === 0 ? items.end : null);
