// The legend of the table: what its marks mean, and which differences are too small for so many questions.
import { html, nothing, type TemplateResult } from 'lit';
import { isShare } from '../../server/shared/metrics';
import { duration, plain } from '../../server/shared/numbers';
import { link } from '../components/controls';
import { icon } from '../components/icons';
import type { EvaluateActions } from './actions';
import { settingsIn } from './settings';
import type { Row } from './table';
import { type TableView, variantsOf } from './view';

export function legend(view: TableView, act: EvaluateActions): TemplateResult {
  const key = (sign: unknown, text: string) => html`<span><span class="fg">${sign}</span> ${text}</span>`;
  const compares = variantsOf(view).length > 0;
  const more = allQuestions(view);
  return html`
    <p class="row small quiet" id="legend">
      ${
        compares
          ? [
              key('▼ ▲', 'significant, tasks by Holm’s correction'),
              key('bold, filled', 'interval leaves out zero'),
              key('hollow', 'zero is inside'),
              key('±', '95 %, paired by question'),
            ]
          : nothing
      }
      ${key(icon('info', 's'), compares ? 'base not above chance, cannot show a loss' : 'not above chance')}
      ${compares ? resolution(view.rows, key) : nothing}
      ${more ? link(`Evaluate all questions${more.seconds === null ? '' : `, ${duration(more.seconds)}`}…`, () => act.again({ items: null })) : nothing}
    </p>`;
}

/** The median half width of the intervals: about half of the differences of that size would be significant. */
function resolution(rows: readonly Row[], key: (sign: unknown, text: string) => TemplateResult) {
  const tasks = rows.filter(({ kind, metric }) => kind === 'task' && isShare(metric));
  const halves = tasks
    .flatMap(({ cells }) =>
      cells.flatMap(({ difference }) =>
        difference.state === 'known' && difference.interval
          ? [(difference.interval[1] - difference.interval[0]) / 2]
          : [],
      ),
    )
    .sort((a, b) => a - b);
  const counts = new Set(tasks.flatMap(({ base }) => (base.state === 'known' ? [base.nItems] : [])));
  const middle = halves[Math.floor(halves.length / 2)];
  if (middle === undefined || !(middle > 0)) return nothing;
  const n = counts.size === 1 ? `n = ${[...counts][0]}` : 'so many questions';
  return key(n, `differences under about ${plain(middle, middle < 1 ? 1 : 0)} points stay noise`);
}

/** The time that all questions of the tasks would take; null where all were evaluated. */
function allQuestions({ evaluation }: TableView): { seconds: number | null } | null {
  const { report, recipe } = evaluation;
  if (!report || settingsIn(recipe).items === null) return null;
  const share = report.tasks.reduce((sum, { nItems }) => sum + nItems, 0);
  const whole = report.tasks.reduce((sum, { nItemsOfTask }) => sum + nItemsOfTask, 0);
  if (whole <= share) return null;
  return { seconds: share > 0 ? ((report.timing.elapsedMs / 1000) * whole) / share : null };
}
