// A heat map of the angular distance of every span of blocks, by first block and number of blocks. The more alike the hidden
// states before and after a span, the stronger the blue. Hatched spans contain a block that costs more than it looks. A click
// or Enter drops the span.
import { html, nothing, svg, type TemplateResult } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, plain } from '../../server/shared/numbers';
import { icon } from '../components/icons';
import { hideTip, showTip } from '../components/tooltip';
import type { Actions } from './actions';
import { span, takenSpan } from './choice';
import type { ScoredMethod } from './methods';
import { median } from './ranks';
import { mostSpan } from './state';
import { spanMethod, type View } from './view';

const cellHeight = 11;
const left = 24;
const width = 376;

export function heatMap(view: View, act: Actions): TemplateResult | typeof nothing {
  const method = spanMethod(view);
  if (!method) return nothing;
  const { nBlocks, state, surprises, choice } = view;
  const spans = method.spans!.slice(0, mostSpan);
  const cellWidth = Math.max(4, Math.min(22, Math.floor((width - left) / nBlocks)));
  const { first, count: n } = state.cell;
  const taken = takenSpan(choice.drop.blocks, spans.length);
  const label = `${method.label} by first block and number of blocks; arrow keys move, Enter takes the span.`;
  const place = (at: { first: number; count: number }) => ({
    x: left + at.first * cellWidth - 1,
    y: (at.count - 1) * cellHeight - 1,
  });
  return html`
    <section aria-labelledby="heat-title">
      <h2 id="heat-title">${method.label} by span</h2>
      <figure id="heat">
        <svg
          width=${left + nBlocks * cellWidth + 2} height=${spans.length * cellHeight + 30} role="application" tabindex="0"
          aria-label="${label} ${words(method, first, n)}"
          aria-describedby="span" @keydown=${(event: KeyboardEvent) => act.keyOnMap(event, spans.length)}
          @mousemove=${(event: MouseEvent) => {
            const at = cellAt(event, cellWidth, spans);
            if (!at) return leave(act);
            act.showCell(at.first, at.count, true);
            showTip(
              `${blockRanges(span(at.first, at.count))} (${counted(at.count, 'block')})\n${words(method, at.first, at.count)}`,
              event,
            );
          }}
          @mouseleave=${() => leave(act)} @blur=${() => leave(act)}
          @click=${(event: MouseEvent) => {
            const at = cellAt(event, cellWidth, spans);
            if (at) act.takeSpan(at.first, at.count);
          }}
        >
          ${guard([method, cellWidth, surprises.join()], () => cells(spans, cellWidth, surprises, nBlocks))}
          ${
            taken
              ? svg`<rect class="taken" x=${place(taken).x} y=${place(taken).y} width=${cellWidth + 1} height=${cellHeight + 1}></rect>`
              : nothing
          }
          <rect class="over" x=${place(state.cell).x} y=${place(state.cell).y} width=${cellWidth + 1} height=${cellHeight + 1}></rect>
        </svg>
      </figure>
      <p id="span" class="small" aria-live="polite">${sentence(method, first, n, surprises)}</p>
    </section>`;
}

function leave(act: Actions): void {
  hideTip();
  act.preview([]);
}

function cells(
  spans: ScoredMethod['spans'] & object,
  cellWidth: number,
  surprises: readonly number[],
  nBlocks: number,
) {
  const shown = spans.flat();
  const alike = Math.min(...shown);
  const apart = Math.max(1.5 * median(shown), alike * 1.01);
  const strength = (distance: number) => Math.max(0.06, Math.min(1, (apart - distance) / (apart - alike)));
  const bottom = spans.length * cellHeight;
  return svg`${spans.map((row, i) => {
    const least = Math.min(...row);
    return row.map((distance, first) => {
      const [x, y] = [left + first * cellWidth, i * cellHeight];
      const odd = surprises.some((block) => first <= block && block <= first + i);
      return svg`<rect class="cell" x=${x} y=${y} width=${cellWidth - 1} height=${cellHeight - 1} fill-opacity=${strength(distance).toFixed(3)}></rect>${
        odd ? svg`<rect class="odd" x=${x} y=${y} width=${cellWidth - 1} height=${cellHeight - 1}></rect>` : nothing
      }${
        distance === least
          ? svg`<circle class="least" cx=${x + cellWidth / 2 - 0.5} cy=${y + cellHeight / 2 - 0.5} r="2"></circle>`
          : nothing
      }`;
    });
  })}
  ${[1, 4, 8, 12]
    .filter((n) => n <= spans.length)
    .map((n) => svg`<text x=${left - 6} y=${n * cellHeight - 2} text-anchor="end">${n}</text>`)}
  ${ticks(nBlocks).map((block) => {
    const middle = left + (block + 0.5) * cellWidth;
    return svg`<text x=${middle} y=${bottom + 11} text-anchor="middle">${block}</text>`;
  })}
  <text x=${left} y=${bottom + 26}>across: first block; down: length</text>
  ${[0.06, 0.25, 0.5, 0.75, 1].map((strong, i) => {
    const x = left + 226 + i * 11;
    return svg`<rect class="cell" x=${x} y=${bottom + 17} width="10" height="10" fill-opacity=${strong}></rect>`;
  })}
  <text x=${left + 222} y=${bottom + 26} text-anchor="end">${short(apart)}</text>
  <text x=${left + 285} y=${bottom + 26}>${short(alike)} alike</text>`;
}

const short = (distance: number) => plain(distance, 2).replace(/^0\./, '.');

function ticks(nBlocks: number): number[] {
  const step = nBlocks <= 12 ? 1 : nBlocks <= 40 ? 5 : 10;
  const regular = Array.from({ length: Math.ceil(nBlocks / step) }, (_, i) => i * step);
  return [...regular.filter((block) => block + step * 0.6 < nBlocks - 1 || block === 0), nBlocks - 1].filter(
    (block, i, list) => list.indexOf(block) === i,
  );
}

function cellAt(event: MouseEvent, cellWidth: number, spans: readonly (readonly number[])[]) {
  const box = (event.currentTarget as Element).getBoundingClientRect();
  const first = Math.floor((event.clientX - box.left - left) / cellWidth);
  const n = Math.floor((event.clientY - box.top) / cellHeight) + 1;
  return first >= 0 && spans[n - 1]?.[first] !== undefined ? { first, count: n } : null;
}

const words = (method: ScoredMethod, first: number, n: number): string =>
  `${method.label.toLowerCase()} ${plain(method.spans![n - 1]?.[first] ?? Number.NaN, 3)}`;

/** The cell in words, and a span that scores as well but contains a block that costs more than it looks. */
function sentence(method: ScoredMethod, first: number, n: number, surprises: readonly number[]): TemplateResult {
  const row = method.spans![n - 1] ?? [];
  const best = row.indexOf(Math.min(...row));
  const name = (at: number) => blockRanges(span(at, n));
  const holding = (at: number) => surprises.find((block) => at <= block && block < at + n);
  const bad = row
    .map((_, at) => at)
    .filter((at) => holding(at) !== undefined)
    .sort((a, b) => row[a]! - row[b]!)[0];
  const trap = bad !== undefined && bad !== best && row[bad]! < 1.15 * row[best]! ? bad : undefined;
  const others = first === best ? `the lowest of all spans of ${n}. ` : `the lowest span of ${n} is ${name(best)}. `;
  return html`${name(first)}: ${plain(row[first] ?? Number.NaN, 4)}, ${others}${
    trap === undefined
      ? nothing
      : html`${icon('warning', 'warn')} ${name(trap)} is as near (${plain(row[trap]!, 4)}) but holds block ${holding(trap)}. `
  }${surprises.length === 0 ? nothing : `Hatched: spans with ${surprises.length === 1 ? 'block' : 'blocks'} ${blockRanges(surprises)}.`}`;
}
