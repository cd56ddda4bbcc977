// Mouse and keys on the loss chart: they move the crosshair over the logged steps, and zoom.
import { clock, loss } from '../../server/shared/numbers';
import { hideTip, showTip } from '../components/tooltip';
import type { HealActions } from './actions';
import { firstAtLeast } from './curve';
import { margins, type PlotArea, plotAreaOf } from './plotArea';
import { tokensPerStep } from './settings';
import type { RunView } from './view';

export const plotBox = (): HTMLElement | null => document.getElementById('loss');

export function plotAreaNow(view: RunView): PlotArea | null {
  const figure = plotBox();
  return figure && figure.clientWidth > 0 ? plotAreaOf(view, figure.clientWidth, figure.clientHeight) : null;
}

export function onMove(event: MouseEvent, act: HealActions): void {
  const view = act.now();
  const area = view && plotAreaNow(view);
  if (!area || view.state.cross?.pinned) return;
  const pixel = event.clientX - plotBox()!.getBoundingClientRect().left;
  const step = stepNear(view, area, pixel);
  const outside = pixel < margins.left || pixel > plotBox()!.clientWidth - margins.right;
  act.cross(outside ? null : step, false);
  if (step === null || outside) hideTip();
  else showTip(tipText(view, step), event);
}

export function onKey(event: KeyboardEvent, act: HealActions): void {
  // Keys come faster than the page is drawn.
  const view = act.now();
  const area = view && plotAreaNow(view);
  if (!area) return;
  const { curve, state } = view;
  if (event.ctrlKey || event.metaKey || event.altKey || curve.length === 0) return;
  const { from, to } = area.shown;
  const zoomBy = (factor: number) => {
    const middle = area.x.place(state.cross ? view.x.at(state.cross.step) : (from + to) / 2);
    const place = (edge: number) => area.x.value(middle + (area.x.place(edge) - middle) * factor);
    act.zoom({ from: place(from), to: place(to) });
  };
  const move = (by: number) => {
    const step = Math.max(1, Math.min(curve.nDone, (state.cross?.step ?? curve.nDone + (by < 0 ? 1 : 0)) + by));
    act.cross(step, state.cross?.pinned ?? false);
    const { left, top } = plotBox()!.getBoundingClientRect();
    showTip(tipText(view, step), { clientX: left + area.xPixel(view.x.at(step)), clientY: top + margins.top });
  };
  const keys: Record<string, () => void> = {
    ArrowLeft: () => move(event.shiftKey ? -10 : -1),
    ArrowRight: () => move(event.shiftKey ? 10 : 1),
    Home: () => move(-curve.nDone),
    End: () => move(curve.nDone),
    Enter: () => state.cross && act.cross(state.cross.step, !state.cross.pinned),
    Escape: () => act.cross(null),
    '+': () => zoomBy(0.5),
    '=': () => zoomBy(0.5),
    '-': () => zoomBy(2),
    '0': () => act.zoom(null),
  };
  const does = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
  if (!does) return;
  event.preventDefault();
  does();
}

/** Dragging zooms into a part. Dragging with Shift moves the part; the chart does that itself. */
export function onDown(event: MouseEvent, act: HealActions): void {
  const view = act.now();
  const area = view && plotAreaNow(view);
  const { left, height, top } = plotBox()!.getBoundingClientRect();
  if (!area || event.button !== 0 || event.shiftKey || event.clientY > top + height - margins.bottom) return;
  const begin = event.clientX - left;
  const right = plotBox()!.clientWidth - margins.right;
  const clamped = ({ clientX }: MouseEvent) => Math.max(margins.left, Math.min(right, clientX - left));
  const move = (moved: MouseEvent) => act.drag({ from: begin, to: clamped(moved) });
  const up = (released: MouseEvent) => {
    window.removeEventListener('mousemove', move, true);
    act.drag(null);
    const [from, to] = [begin, clamped(released)].sort((a, b) => a - b) as [number, number];
    if (to - from > 4) act.zoom({ from: area.xAt(from), to: area.xAt(to) });
    else if (view.state.cross?.pinned) act.cross(null);
  };
  // Captured, because the chart stops the propagation of these events while a button is held.
  window.addEventListener('mousemove', move, true);
  window.addEventListener('mouseup', up, { once: true, capture: true });
}

export function zoomTo(act: HealActions, from: number, to: number): void {
  const view = act.now();
  const area = view && plotAreaNow(view);
  if (!area) return;
  const [low, high] = [area.x.value(from), area.x.value(to)];
  const slack = (area.whole.to - area.whole.from) * 1e-6;
  const isWhole = low <= area.whole.from + slack && high >= area.whole.to - slack;
  act.zoom(isWhole ? null : { from: low, to: high });
}

export function tipText(view: RunView, step: number): string {
  const { curve, state, healing } = view;
  const i = firstAtLeast(curve.column('step'), curve.length, step - 1);
  const value = (values: Float64Array) => loss(values[i] ?? Number.NaN);
  const held = curve.evals.find((it) => it.step === step);
  const tokens = (step * tokensPerStep(healing.recipe)).toLocaleString('en').replaceAll(',', '\u202f');
  return [
    `Step ${step}, ${clock(curve.seconds[i] ?? 0)}, ${tokens} tokens`,
    `train ${value(curve.column('lossNats'))}, smoothed ${value(curve.smoothed(state.host.view.smoothing))}`,
    ...(held ? [`held out ${loss(held.lossNats)}`] : []),
  ].join('\n');
}

/** The step whose end is nearest to a place on the axis; null: there is none. */
function stepNear(view: RunView, area: PlotArea, pixel: number): number | null {
  const { curve, x } = view;
  if (curve.length === 0) return null;
  const value = area.xAt(pixel);
  const after = Math.min(firstAtLeast(x.values, curve.length, value), curve.length - 1);
  const before = Math.max(0, after - 1);
  const nearest = value - x.values[before]! < x.values[after]! - value ? before : after;
  return curve.column('step')[nearest]! + 1;
}
