// The perplexity of each model on a text as a bar from 0, with a line for the original, and the share that healing recovered.
import { html, nothing, svg, type TemplateResult } from 'lit';
import { metricOf } from '../../server/shared/metrics';
import { share } from '../../server/shared/numbers';
import { scoreText } from '../../server/shared/scores';
import { recoveredFraction } from '../../server/shared/recovery';
import { scoreOf } from './cell';
import { type Column, lacksOf } from './columns';
import type { TableView } from './view';

/** The longest bar, as a multiple of the original; larger perplexities are shown by their number only. */
const longestRatio = 8;

export function perplexity(view: TableView): TemplateResult | typeof nothing {
  const of = textTask(view);
  if (!of) return nothing;
  const { task, metric } = of;
  const rows = inOrder(view.columns).flatMap((column) => {
    const score = scoreOf(column, task.task, metric);
    return score && column.sheet.over ? [{ column, value: score.value, nItems: score.nItems }] : [];
  });
  const base = rows.find(({ column }) => column.kind === 'base');
  if (!base || rows.length < 2) return nothing;
  const end = 1.07 * Math.min(longestRatio * base.value, Math.max(...rows.map(({ value }) => value)));
  const isCut = rows.some(({ value }) => value > end);
  const width = (value: number) => `${Math.min(100, (100 * value) / end).toFixed(2)}%`;
  return html`
    <section aria-labelledby="perplexity-title">
      <h2 id="perplexity-title">Perplexity and recovery</h2>
      <p class="small quiet">${task.title}, ${metricOf(metric).label}; the bar starts at 0, the line is base${isCut ? `, and it ends at ${longestRatio} times base` : ''}</p>
      <table id="perplexity"><caption class="sr">Perplexity of each model and the share of its rise that is won back</caption><tbody>
        ${rows.map(({ column, value, nItems }) => {
          const back = nItems === base.nItems ? recovered(column, value, base.value, rows) : null;
          const isUnder = column.kind === 'healed' && prunedOf(column, rows) !== undefined;
          return html`
            <tr>
              <th scope="row" class=${isUnder ? 'under' : ''}><bdi>${isUnder ? 'healed' : column.name}</bdi></th>
              <td class="fill"><svg width="100%" height="16" aria-hidden="true">
                ${svg`<rect class=${column.kind} y="3" width=${width(value)} height="10"></rect>
                  <line class="here" x1=${width(base.value)} x2=${width(base.value)} y1="-4" y2="20"></line>`}</svg></td>
              <td class="num">${scoreText(metric, value)}</td>
              <td class="num">${back === null ? nothing : html`<b class="strong">${share(back)}</b> <span class="quiet">recovered</span>`}</td>
            </tr>`;
        })}
      </tbody></table>
    </section>`;
}

/** The task of which a rolling perplexity was asked for, if any; else a task with a perplexity. */
function textTask({ columns }: TableView) {
  const tasks = columns[0]?.sheet.scored.tasks ?? [];
  const rolling = tasks.find(({ output }) => output === 'rolling');
  if (rolling) return { task: rolling, metric: 'word_perplexity' as const };
  const other = tasks.find(({ metrics }) => metrics.includes('perplexity'));
  return other ? { task: other, metric: 'perplexity' as const } : null;
}

/** Each healed model comes after the pruned model that it was made from. */
function inOrder(columns: readonly Column[]): Column[] {
  const healed = columns.filter(({ kind }) => kind === 'healed');
  const under = (column: Column) => healed.filter((it) => column.kind === 'pruned' && isOf(it, column));
  const placed = columns.filter(({ kind }) => kind !== 'healed').flatMap((column) => [column, ...under(column)]);
  return [...new Set([...placed, ...healed])];
}

const isOf = (healed: Column, pruned: Column) =>
  lacksOf({ ...healed.model, name: '' }) === lacksOf({ ...pruned.model, name: '' });

type Known = readonly { column: Column; value: number }[];
const prunedOf = (healed: Column, rows: Known) =>
  rows.find(({ column }) => column.kind === 'pruned' && isOf(healed, column));

/** (pruned - healed) / (pruned - base), in nats, as on the page of a healing. */
function recovered(column: Column, value: number, base: number, rows: Known): number | null {
  const pruned = column.kind === 'healed' ? prunedOf(column, rows)?.value : undefined;
  if (pruned === undefined) return null;
  return recoveredFraction({ original: Math.log(base), pruned: Math.log(pruned), healed: Math.log(value) });
}
