// The methods as the panel shows them: name, mark, digits; what they score by block, and what they would drop.
// A method that is not in the table is shown all the same, under its own name.
import type { DropSet } from '../../server/protocol/recipes';
import type { AnalyzeReport, MethodScores } from '../../server/protocol/reports';
import { span } from './choice';
import { ranks } from './ranks';
import { ofBlocks } from '../../server/shared/dropSets';

export interface MethodLook {
  readonly label: string;
  /** In text; the same shape is drawn in the strip of ranks. */
  readonly mark: string;
  /** An SVG path around the origin, 8 units wide. */
  readonly shape: string;
}

export interface ScoredMethod extends MethodLook {
  readonly name: string;
  readonly unit: string;
  readonly scores: readonly number[];
  /** Null where one window gives no spread. */
  readonly errors: readonly (number | null)[];
  readonly ranks: readonly number[];
  /** Scores are shown divided by this, with so many digits. */
  readonly shownPer: number;
  readonly digits: number;
  /** Of spans: `[count - 1][first]`. */
  readonly spans: readonly (readonly number[])[] | null;
}

const circle = 'M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0';
const looks: Record<string, MethodLook> = {
  blockInfluence: { label: 'Block influence', mark: '●', shape: circle },
  angularDistance: { label: 'Angular distance', mark: '◆', shape: 'M0-4L4 0L0 4L-4 0Z' },
  relativeMagnitude: { label: 'Relative magnitude', mark: '▲', shape: 'M0-4L3.6 3H-3.6Z' },
  taylor: { label: 'Taylor', mark: '▼', shape: 'M0 4L3.6-3H-3.6Z' },
  weightMagnitude: { label: 'Magnitude', mark: '■', shape: 'M-3-3H3V3H-3Z' },
};

/** Variants of those above: shown when they are chosen, and not in the strip beside their like. */
const variants: Record<string, MethodLook> = {
  blockInfluenceAsPublished: { label: 'Block influence, as published', mark: '○', shape: circle },
  angularDistanceAllTokens: { label: 'Angular distance, all tokens', mark: '◇', shape: 'M0-4L4 0L0 4L-4 0Z' },
  weightFrobenius: { label: 'Magnitude, Frobenius', mark: '□', shape: 'M-3-3H3V3H-3Z' },
};

/** The methods of a report that score blocks, in the order of the tables. */
export function scoredMethods(methods: AnalyzeReport['methods'] | undefined): ScoredMethod[] {
  const order = [...Object.keys(looks), ...Object.keys(variants)];
  const place = (name: string) => (order.indexOf(name) + order.length + 1) % (order.length + 1);
  return Object.entries(methods ?? {})
    .filter(([, { of }]) => of === 'block' || of === 'span')
    .sort(([a], [b]) => place(a) - place(b))
    .map(([name, scores]) => scored(name, scores));
}

export const isVariant = (name: string): boolean => name in variants;

function scored(name: string, method: MethodScores): ScoredMethod {
  const spans = method.of === 'span' ? (method.scores as number[][]) : null;
  const scores = spans ? (spans[0] ?? []) : (method.scores as number[]);
  const errors = spans
    ? ((method.standardErrors as (number | null)[][])[0] ?? [])
    : (method.standardErrors as (number | null)[]);
  const greatest = Math.max(0, ...scores.map(Math.abs));
  const shownPer = greatest >= 1e5 ? 1000 : 1;
  const digits = greatest / shownPer >= 100 ? 0 : greatest >= 20 ? 1 : 3;
  const look = looks[name] ?? variants[name] ?? { label: words(name), mark: '✚', shape: 'M-4 0H4M0-4V4' };
  return { ...look, name, unit: method.unit, scores, errors, ranks: ranks(scores), shownPer, digits, spans };
}

/** What a method would drop around the protected blocks; null where it cannot drop so many. */
export function suggestion(
  { scores, spans }: Pick<ScoredMethod, 'scores' | 'spans'>,
  count: number,
  kept: readonly number[],
): DropSet | null {
  if (spans) {
    const row = spans[count - 1] ?? [];
    const allowed = row.map((_, first) => first).filter((first) => !kept.some((k) => k >= first && k < first + count));
    if (allowed.length === 0) return null;
    return ofBlocks(
      span(
        allowed.reduce((best, at) => (row[at]! < row[best]! ? at : best)),
        count,
      ),
    );
  }
  const free = scores.map((_, k) => k).filter((k) => !kept.includes(k));
  if (free.length < count) return null;
  return ofBlocks(free.sort((a, b) => scores[a]! - scores[b]! || a - b).slice(0, count));
}

/** `someOtherMethod` as `Some other method`. */
function words(name: string): string {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
