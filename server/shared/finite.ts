// Numbers that are not finite: neither a report nor a file holds NaN or an infinity, for which JSON has no word and writes
// null. What may come out so is said by `notFinite`; everything else is refused where it is made. Pure.
import { UserError } from '../errors';
import type { NotFinite } from '../protocol/reports';

/** Stands in a report where a number came out as NaN or infinite. */
export const notFinite: NotFinite = 'not finite';

/** What losses are ordered by: one that is not finite comes last, so that it is never the least. */
export const orderOf = (loss: number | NotFinite): number => (loss === notFinite ? Number.POSITIVE_INFINITY : loss);

/** The place of the first number that is NaN or infinite; -1: all are finite. */
export function firstNotFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return i;
  return -1;
}

export const allFinite = (values: ArrayLike<number>): boolean => firstNotFinite(values) < 0;

/** What is said of a model without scores. @param sentence why what it computes is not finite */
export const withoutScores = (label: string, sentence: string): string => `${label} has no scores: ${sentence}`;

/** null where it is NaN or infinite, for a figure that a report may lack. */
export const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** exp(nats), and the largest number there is for a loss of more than 709 nats. */
export const perplexityOf = (nats: number): number => Math.min(Math.exp(nats), Number.MAX_VALUE);

/**
 * A value as JSON.
 * @throws UserError `notFinite` naming the field that holds NaN or an infinity
 */
export function finiteJson(value: object, indent?: number): string {
  checkFinite(value);
  return JSON.stringify(value, null, indent);
}

/**
 * Refuses a value with a number that JSON would write as null.
 * @throws UserError `notFinite` naming the field
 */
export function checkFinite(value: unknown, path = ''): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new UserError(
      'notFinite',
      `The field ${path} came out as ${value}, so that nothing is written; report it as a defect, with the model.`,
    );
  if (typeof value !== 'object' || value === null) return;
  const inside = Array.isArray(value) ? (key: string) => `${path}[${key}]` : (key: string) => joined(path, key);
  for (const [key, field] of Object.entries(value)) checkFinite(field, inside(key));
}

const joined = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);
