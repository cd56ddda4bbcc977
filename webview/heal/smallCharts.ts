// Small charts below the loss: learning rate, gradient norm, speed and memory. Their horizontal axis goes to the last step of
// the run, so that the empty part is the time that is left.
import { html, svg, type TemplateResult } from 'lit';
import { plain } from '../../server/shared/numbers';
import type { ColumnName } from './curve';
import { downsampled } from './downsample';
import { scientific } from './settings';
import type { RunView } from './view';

/** Of the viewBox; the picture is stretched to the place it has. */
const [width, height] = [300, 54];

interface Small {
  readonly name: string;
  readonly column: ColumnName;
  format(value: number, view: RunView): string;
}

const smalls: readonly Small[] = [
  { name: 'Learning rate', column: 'learningRate', format: (value) => scientific(value, 2) },
  { name: 'Gradient norm', column: 'gradNorm', format: (value) => plain(value, 2) },
  { name: 'Tokens per second', column: 'tokensPerSecond', format: (value) => plain(value, value < 10 ? 1 : 0) },
  {
    name: 'Memory',
    column: 'memoryBytes',
    format(value, { healing }) {
      const limit = healing.plan ? ` of ${plain(healing.plan.limitBytes / 1e9, 1)} GB` : ' GB';
      return plain(value / 1e9, 2) + limit;
    },
  },
];

export const smallCharts = (view: RunView): TemplateResult => html`
  <div id="small">${smalls.map((small) => figure(small, view))}</div>`;

function figure({ name, column, format }: Small, view: RunView): TemplateResult {
  const { curve, x } = view;
  const values = curve.column(column);
  const newest = values[curve.length - 1];
  const said = curve.length === 0 || !Number.isFinite(newest) ? '–' : format(newest!, view);
  return html`
    <figure>
      <figcaption><span>${name}</span><b class="strong">${said}</b></figcaption>
      <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
        ${[0.5, height / 2, height - 0.5].map((y) => svg`<line class="axis" x2=${width} y1=${y} y2=${y}></line>`)}
        <path class="mini" d=${pathOf(values, x.values, curve.length, Math.max(x.end, 1e-9))}></path>
      </svg>
    </figure>`;
}

function pathOf(values: Float64Array, x: ArrayLike<number>, length: number, end: number): string {
  const points = downsampled({
    x,
    y: values,
    length,
    pixel: (value) => (value / end) * width,
    at: (pixel) => (pixel / width) * end,
  });
  const most = points.reduce((high, [, value]) => Math.max(high, value), 0) * 1.12 || 1;
  return points
    .map(([at, value], i) => {
      const place = `${((at / end) * width).toFixed(1)} ${(height - (height * value) / most).toFixed(1)}`;
      return `${i === 0 ? 'M' : 'L'}${place}`;
    })
    .join('');
}
