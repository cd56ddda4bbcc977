// An evaluation had back from the results.json that harnessResults.ts makes of it.
import type { RunFacts } from '../protocol/reports';
import { widthFacts } from '../shared/weightWidths';
import type { EvaluateReport, Score } from '../recipes/evaluate/recipe';
import { isMetric } from '../shared/metrics';
import { rowOf } from '../shared/rowOf';
import { filter, type HarnessResults, type TaskResults } from './harnessResults';

/** What of the results is not said twice: enough to have the report back. */
export type ReportSource = Pick<
  HarnessResults,
  | 'kind'
  | 'tasks'
  | 'comparisons'
  | 'generation'
  | 'notFinite'
  | 'warnings'
  | 'items'
  | 'work'
  | 'models'
  | 'task_groups'
  | 'software'
  | 'date'
> &
  Omit<RunFacts, 'versions'>;

/** The report that `results` was made of. */
export function reportOf(results: ReportSource): { report: EvaluateReport; dateEpochMs: number } {
  const { kind, tasks, task_groups: groups, comparisons, generation, warnings, items, work } = results;
  const notFinite = results.notFinite ? { notFinite: results.notFinite } : {};
  const { timing, transfers, peakMemoryBytes, device, threads, memory, software: versions } = results;
  const scores = results.models.flatMap(({ results: ofTasks, groups: ofGroups }, model) => [
    ...tasks.flatMap(({ task }) => scoresOf(model, task, rowOf(ofTasks, task) ?? {})),
    ...groups.flatMap(({ group }) => scoresOf(model, group, rowOf(ofGroups, group) ?? {})),
  ]);
  const models = results.models.map(({ dropSet: _, results: __, groups: ___, ...model }) => model);
  const run: RunFacts = {
    timing,
    transfers,
    peakMemoryBytes,
    device,
    threads,
    memory,
    ...widthFacts(results),
    versions,
  };
  return {
    report: {
      kind,
      models,
      tasks,
      groups,
      scores,
      comparisons,
      generation,
      ...notFinite,
      warnings,
      items,
      work,
      ...run,
    },
    dateEpochMs: results.date * 1000,
  };
}

function scoresOf(model: number, task: string, found: TaskResults): Score[] {
  const counts = found.sample_count;
  return Object.entries(found).flatMap(([key, value]) => {
    const metric = key.slice(0, -filter.length - 1);
    if (!key.endsWith(`,${filter}`) || !isMetric(metric)) return [];
    const stderr = found[`${metric}_stderr,${filter}`];
    const nItems = typeof counts === 'object' && counts !== null ? counts[key] : found.sample_len;
    return [
      {
        model,
        task,
        metric,
        value: typeof value === 'number' ? value : Number.NaN,
        stderr: typeof stderr === 'number' ? stderr : null,
        nItems: Number(nItems),
      },
    ];
  });
}
