// The loss chart on the page: its toolbar, the chart itself, and the crosshair over it.
import { html, nothing, svg, type TemplateResult } from 'lit';
import { counted, loss, plain } from '../../server/shared/numbers';
import { chart } from '../components/chart';
import { dropdown, tool } from '../components/controls';
import type { HealActions } from './actions';
import { onDown, onKey, onMove, plotAreaNow, plotBox, tipText, zoomTo } from './interaction';
import { legend } from './legend';
import { lossChartOption } from './lossChart';
import { margins } from './plotArea';
import type { RunView } from './view';

export function plot(view: RunView, act: HealActions): TemplateResult {
  const { curve, state, healing } = view;
  const key = [curve.version, healing.remainingSeconds, healing.run.state, view.nSteps, view.original?.lossNats];
  const shown = [state.zoom, state.host.view, view.overlays.map(({ evals }) => evals.length), view.pruned?.lossNats];
  return html`
    ${tools(view, act)}
    <figure
      id="loss" tabindex="0" role="application" aria-roledescription="chart" aria-label=${labelOf(view)}
      aria-describedby="loss-keys"
      @keydown=${(event: KeyboardEvent) => onKey(event, act)}
      @mousemove=${(event: MouseEvent) => onMove(event, act)}
      @mousedown=${(event: MouseEvent) => onDown(event, act)}
      @mouseleave=${() => !state.cross?.pinned && act.cross(null)}
      @blur=${() => act.cross(null)}
      @dblclick=${() => act.zoom(null)}
    >
      <div
        class="canvas"
        ${chart({
          key: JSON.stringify([key, shown]),
          live: true,
          option: (colours, width, height) => lossChartOption(view, colours, width, height),
          onZoom: (from, to) => zoomTo(act, from, to),
        })}
      ></div>
      ${crosshair(view)}
    </figure>
    <p class="sr" id="loss-keys">
      Left and Right move the crosshair, with Shift by ten steps; Enter pins it; plus and minus zoom, 0 shows everything.
    </p>
    <p class="sr" aria-live="polite">${state.cross?.pinned ? tipText(view, state.cross.step) : nothing}</p>
    ${legend(view)}`;
}

const choices = [
  { value: 'step', label: 'Step' },
  { value: 'tokens', label: 'Tokens' },
  { value: 'seconds', label: 'Time' },
];

function tools({ state }: RunView, act: HealActions): TemplateResult {
  const { smoothing, by, logX, logY } = state.host.view;
  const change = (event: Event) => act.view({ smoothing: Number((event.target as HTMLInputElement).value) });
  return html`
    <div class="row chartbar">
      <h2>Loss, nats</h2><span class="grow"></span>
      <label class="small quiet" title="Exponential moving average, corrected for its start">Smoothing
        <input type="range" id="smoothing" min="0" max="0.99" step="0.01" .value=${String(smoothing)} @input=${change}>
        <output id="smoothed">${plain(smoothing, 2)}</output></label>
      <label class="small quiet">By ${dropdown({
        id: 'by',
        label: 'Horizontal axis',
        choices,
        value: by,
        onChange: (value) => act.view({ by: value as typeof by }),
      })}</label>
      <span class="row tools">
        ${tool({ id: 'log-x', text: 'Log x', title: 'Logarithmic horizontal axis', pressed: logX, onPress: () => act.view({ logX: !logX }) })}
        ${tool({ id: 'log-y', text: 'Log y', title: 'Logarithmic loss axis', pressed: logY, onPress: () => act.view({ logY: !logY }) })}
        ${tool({ id: 'reset-zoom', icon: 'zoom-out', title: 'Show everything (drag on the chart to zoom)', disabled: state.zoom === null, onPress: () => act.zoom(null) })}
        ${tool({ id: 'export', icon: 'export', title: 'Save as CSV, PNG or SVG', pressed: state.menu, onPress: act.menu })}
      </span>
    </div>
    ${
      state.menu
        ? html`<p class="row small" id="exports" role="group" aria-label="Save the curve as">
            <span class="grow"></span>Save as ${(['csv', 'png', 'svg'] as const).map((kind) =>
              tool({
                id: `save-${kind}`,
                text: kind.toUpperCase(),
                title: `Save as ${kind.toUpperCase()}`,
                onPress: () => act.exportAs(kind),
              }),
            )}</p>`
        : nothing
    }`;
}

function crosshair(view: RunView): TemplateResult | typeof nothing {
  const { cross, drag } = view.state;
  const figure = plotBox();
  const area = cross || drag ? plotAreaNow(view) : null;
  if (!figure || !area) return nothing;
  const bottom = figure.clientHeight - margins.bottom;
  const at = cross ? area.xPixel(view.x.at(cross.step)) : Number.NaN;
  return html`<svg class="over" aria-hidden="true">
    ${cross ? svg`<line class="cross" x1=${at} x2=${at} y1=${margins.top} y2=${bottom}></line>` : nothing}
    ${
      drag
        ? svg`<rect class="part" x=${Math.min(drag.from, drag.to)} y=${margins.top} width=${Math.abs(drag.to - drag.from)} height=${bottom - margins.top}></rect>`
        : nothing
    }
  </svg>`;
}

function labelOf({ curve, last, state, nSteps }: RunView): string {
  if (curve.length === 0) return `Loss by step. No step of ${counted(nSteps, 'step')} is done yet.`;
  const smoothed = curve.smoothed(state.host.view.smoothing)[curve.length - 1]!;
  const held = last ? `; held out ${loss(last.lossNats)} after step ${last.step}` : '';
  return `Loss by step. Smoothed training loss ${loss(smoothed)} at step ${curve.nDone} of ${nSteps}${held}.`;
}
