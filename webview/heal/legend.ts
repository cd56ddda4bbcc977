// The legend of the loss chart, and how earlier runs are told apart in it without a hue: by dashes, by the shape of their
// points, and by a name.
import { html, type SVGTemplateResult, svg, type TemplateResult } from 'lit';
import type { EarlierHealing } from '../../server/protocol/pages/heal';
import { blockRanges } from '../../server/shared/dropSets';
import type { RunView } from './view';

export const dashes: readonly number[][] = [
  [7, 3, 2, 3],
  [4, 3],
  [1, 3],
  [10, 4],
];
export const shapes = ['rect', 'triangle', 'circle', 'pin'] as const;

/** What an earlier run is called where it is drawn. */
export const overlayName = ({ removedBlocks, recipe }: EarlierHealing): string =>
  `held out, ${removedBlocks.length > 0 ? blockRanges(removedBlocks) : `rank ${recipe.adapter.rank}`}`;

export const legend = ({ overlays }: RunView): TemplateResult => html`
  <p class="row small" id="legend">
    ${key(svg`<line class="raw" x2="22" y1="5" y2="5"></line>`, 'train')}
    ${key(svg`<line class="smooth" x2="22" y1="5" y2="5"></line>`, 'train, smoothed')}
    ${key(svg`<path class="held" d="M11 0L16 5L11 10L6 5Z"></path>`, 'held out')}
    ${overlays.map((earlier, i) =>
      key(
        svg`<line class="earlier" x2="22" y1="5" y2="5" stroke-dasharray=${dashes[i % dashes.length]!.join(' ')}></line>
          <path class="earlier-point" d=${marks[shapes[i % shapes.length]!]}></path>`,
        overlayName(earlier),
      ),
    )}
  </p>`;

const marks: Record<(typeof shapes)[number], string> = {
  rect: 'M8 2H14V8H8Z',
  triangle: 'M11 1L15 8H7Z',
  circle: 'M8 5a3 3 0 1 0 6 0a3 3 0 1 0 -6 0Z',
  pin: 'M11 9C6 4 8 1 11 1S16 4 11 9Z',
};

const key = (draw: SVGTemplateResult, text: string) => html`
  <span class="key text"><svg width="22" height="10" aria-hidden="true">${draw}</svg>${text}</span>`;
