// A pipeline on a terminal: what each of its steps reported, as the step's own command would print it.
import type { PipelineReport, PipelineStepReport } from '../recipes/pipeline/recipe';
import { seconds } from './render';
import { table } from './table';

export function renderPipeline(
  { steps, out }: PipelineReport,
  renderStep: (report: PipelineStepReport) => string,
): string {
  const parts = steps.flatMap(({ id, kind, report }) => [`# ${id} (${kind})`, renderStep(report), '']);
  const rows = steps.map(({ id, elapsedMs, doneBefore, made }) => [
    id,
    doneBefore ? 'done before' : seconds(elapsedMs / 1000),
    made ?? '',
  ]);
  return [...parts, table([['step', 'time', 'made'], ...rows]), `report.json and reports/ are in ${out}`].join('\n');
}
