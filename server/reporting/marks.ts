// The marks of charts as echarts takes them from a custom series: intervals, symbols, lines and words at places in pixels.
import { printable } from './escaped';
import { type Colour, type Style, palette, shapePath } from '../shared/styles';

/** x and y. */
export type Place = readonly [number, number];

export const group = (children: object[]) => ({ type: 'group', children });

export const whisker = ([x1, y1]: Place, [x2, y2]: Place, colour: Colour) => ({
  type: 'line',
  shape: { x1, y1, x2, y2 },
  style: { stroke: palette[colour], lineWidth: 1.5, fill: 'none' },
});

export const symbol = ([x, y]: Place, { colour, shape }: Style, hollow = false) => ({
  type: 'path',
  x,
  y,
  shape: { pathData: shapePath[shape] },
  style: { fill: hollow ? palette.background : palette[colour], stroke: palette[colour], lineWidth: 1.5 },
});

/** From the left end to the right one, around the middle of its height. */
export const bar = ([x1, y]: Place, [x2]: Place, colour: Colour) => ({
  type: 'rect',
  shape: { x: Math.min(x1, x2), y: y - 6, width: Math.abs(x2 - x1), height: 12 },
  style: { fill: palette[colour] },
});

export const polyline = (points: readonly (readonly number[])[], colour: Colour) => ({
  type: 'polyline',
  shape: { points },
  style: { stroke: palette[colour], lineWidth: 1.5, fill: 'none' },
});

export const words = ([x, y]: Place, text: string) => ({
  type: 'text',
  style: { x, y, text: drawnText(text), fill: palette.foreground, fontSize: 12, verticalAlign: 'middle' },
});

/** Down from a place. */
export const verticalLine = ([x, y]: Place, height: number, kind: 'solid' | 'dashed') => ({
  type: 'line',
  shape: { x1: x, x2: x, y1: y, y2: y + height },
  style: { stroke: palette.quiet, lineWidth: 1, fill: 'none', ...(kind === 'dashed' ? { lineDash: [2, 2] } : {}) },
});

/**
 * echarts keeps the widths of texts in a plain object, where a text that begins like a name every object has would be
 * taken for an entry, and that name's value be written to. An invisible joiner makes it another text.
 */
export function drawnText(text: string): string {
  const clean = printable(text);
  return inherited.some((name) => clean.startsWith(name)) ? `${clean[0]}\u2060${clean.slice(1)}` : clean;
}

const inherited = Object.getOwnPropertyNames(Object.prototype);
