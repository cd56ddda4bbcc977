// Sizes as people write them: `4GB`, `800 MB` and `3.5GiB` for bytes, `2.5B` and `135M` for parameters. Pure.
import { UserError } from '../errors';

const decimal: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const binary: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
const short: Record<string, number> = { '': 1, k: 1e3, m: 1e6, b: 1e9, t: 1e12 };

/** Bytes, rounded down. Throws UserError('usage') for anything else. */
export function parseBytes(text: string): number {
  const [, digits, prefix = '', i] = /^\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt]?)(i?)b\s*$/i.exec(text) ?? [];
  const unit = i ? binary[prefix.toLowerCase()] : decimal[prefix.toLowerCase()];
  return whole(digits, unit) ?? refuse(text, 'a size in bytes', '4GB, 800MB or 3.5GiB');
}

/** Parameters, rounded down. Throws UserError('usage') for anything else. */
export function parseParameters(text: string): number {
  const [, digits, prefix = ''] = /^\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmbt]?)\s*$/i.exec(text) ?? [];
  return whole(digits, short[prefix.toLowerCase()]) ?? refuse(text, 'a number of parameters', '2.5B or 135M');
}

function whole(digits: string | undefined, unit: number | undefined): number | null {
  if (digits === undefined || unit === undefined) return null;
  // Of 1.1 * 1e9 and the like, the last bit is not meant.
  const value = Math.floor(Number((Number(digits) * unit).toPrecision(15)));
  return value >= 1 && Number.isSafeInteger(value) ? value : null;
}

function refuse(text: string, what: string, such: string): never {
  throw new UserError('usage', `"${text}" is not ${what}; write a number with its unit, such as ${such}.`);
}
