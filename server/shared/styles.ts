// The styles of models in charts and tables: the original is grey, pruned models have warm colours, healed ones cold colours,
// and every style has a shape of its own.
import type { EvaluatedModel } from '../recipes/evaluate/recipe';

export const palette = {
  foreground: '#3b3b3b',
  quiet: '#6a6a6a',
  grid: '#e5e5e5',
  background: '#ffffff',
  base: '#707070',
  pruned: '#c27400',
  prunedDeep: '#8a4f00',
  prunedLight: '#e0a040',
  prunedRed: '#c0392b',
  prunedRose: '#d1608f',
  prunedOlive: '#7f7d00',
  healed: '#0f6fde',
  healedDeep: '#0a4890',
  healedLight: '#63aaf7',
  healedTeal: '#00868b',
  healedViolet: '#6d4fc4',
  healedGreen: '#2e8b57',
} as const;

export type Colour = keyof typeof palette;

const dark: Record<Colour, string> = {
  foreground: '#cccccc',
  quiet: '#9d9d9d',
  grid: '#333333',
  background: '#1f1f1f',
  base: '#a0a0a0',
  pruned: '#e8a33d',
  prunedDeep: '#b87a1c',
  prunedLight: '#f3cf95',
  prunedRed: '#ef6f61',
  prunedRose: '#f29cc0',
  prunedOlive: '#c3c04a',
  healed: '#4aa3ff',
  healedDeep: '#2a78cc',
  healedLight: '#a6d1ff',
  healedTeal: '#35c3c9',
  healedViolet: '#a891f0',
  healedGreen: '#6fce9b',
};

/** Puts the dark colours over the light ones, which are written as attributes and so give way to any sheet. */
export const darkSheet = `@media (prefers-color-scheme: dark){${(Object.keys(palette) as Colour[])
  .map((name) => `[fill="${palette[name]}"]{fill:${dark[name]}}[stroke="${palette[name]}"]{stroke:${dark[name]}}`)
  .join('')}}`;

/** Around the origin. */
export const shapePath = {
  cross: 'M-3.5,-3.5L3.5,3.5M-3.5,3.5L3.5,-3.5',
  tick: 'M-0.5,-4.5H0.5V4.5H-0.5Z',
  square: 'M-3.5,-3.5H3.5V3.5H-3.5Z',
  triangle: 'M0,-4.4L4.4,3.4H-4.4Z',
  diamond: 'M0,-4.8L4.8,0L0,4.8L-4.8,0Z',
  circle: 'M-3.8,0A3.8,3.8,0,1,0,3.8,0A3.8,3.8,0,1,0,-3.8,0Z',
  triangleDown: 'M0,4.4L4.4,-3.4H-4.4Z',
  hexagon: 'M-4.4,0L-2.2,-3.8H2.2L4.4,0L2.2,3.8H-2.2Z',
  bar: 'M-4.8,-2.2H4.8V2.2H-4.8Z',
  hourglass: 'M-4,-4.2H4L1,0L4,4.2H-4L-1,0Z',
  triangleRight: 'M4.4,0L-3.4,4.4V-4.4Z',
  plus: 'M-1.6,-4.4H1.6V-1.6H4.4V1.6H1.6V4.4H-1.6V1.6H-4.4V-1.6H-1.6Z',
  star: 'M0,-5.2L1.5,-1.5L5.2,0L1.5,1.5L0,5.2L-1.5,1.5L-5.2,0L-1.5,-1.5Z',
  triangleLeft: 'M-4.4,0L3.4,-4.4V4.4Z',
} as const;

export type Shape = keyof typeof shapePath;

/** In text, for the shapes that there are signs for. */
export const shapeMarks = {
  circle: { full: '●', hollow: '○' },
  diamond: { full: '◆', hollow: '◇' },
  triangle: { full: '▲', hollow: '△' },
  triangleDown: { full: '▼', hollow: '▽' },
  square: { full: '■', hollow: '□' },
  plus: { full: '✚', hollow: '✚' },
} as const satisfies Partial<Record<Shape, { full: string; hollow: string }>>;

export type MarkedShape = keyof typeof shapeMarks;

export interface Style {
  colour: Colour;
  shape: Shape;
}

/** In the order of the models, the original first. */
export function stylesOf(models: readonly Pick<EvaluatedModel, 'healed'>[]): Style[] {
  const used = { pruned: 0, healed: 0 };
  return models.map(({ healed }, k) => {
    if (k === 0) return baseStyle;
    const kind = healed ? 'healed' : 'pruned';
    return variantStyle(kind, used[kind]++);
  });
}

/** After the last of a kind, colours begin anew with the shapes of their neighbours. */
export function variantStyle(kind: keyof typeof variantStyles, nth: number): Style {
  const styles = variantStyles[kind];
  const at = (i: number) => styles[i % styles.length]!;
  return { colour: at(nth).colour, shape: at(nth + Math.floor(nth / styles.length)).shape };
}

export const baseStyle: Style = { colour: 'base', shape: 'cross' };

export const variantStyles: Record<'pruned' | 'healed', readonly Style[]> = {
  pruned: [
    { colour: 'pruned', shape: 'square' },
    { colour: 'prunedDeep', shape: 'triangle' },
    { colour: 'prunedLight', shape: 'diamond' },
    { colour: 'prunedRed', shape: 'bar' },
    { colour: 'prunedRose', shape: 'hourglass' },
    { colour: 'prunedOlive', shape: 'triangleRight' },
  ],
  healed: [
    { colour: 'healed', shape: 'circle' },
    { colour: 'healedDeep', shape: 'triangleDown' },
    { colour: 'healedLight', shape: 'hexagon' },
    { colour: 'healedTeal', shape: 'plus' },
    { colour: 'healedViolet', shape: 'star' },
    { colour: 'healedGreen', shape: 'triangleLeft' },
  ],
};
