// How numbers and names are written, on pages, in trees and in reports. The minus sign is U+2212, zero has no sign, a narrow
// no-break space stands before the percent sign of a page, sizes are decimal, and ± is always a 95 % interval. Pure.
import { normalQuantile } from './statistics';

const minus = '−';
const narrowSpace = '\u202f';

/** `−7.46` with so many digits; `–` for what is no number. */
export function plain(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '–';
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? minus + text : text;
}

/** `+0.913`, `−0.440`, `0.000`. */
export function signed(value: number, digits: number): string {
  const text = plain(value, digits);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

export const loss = (nats: number): string => plain(nats, 3);
export const cost = (nats: number): string => signed(nats, 3);

/** `+0.913 ± 0.085`; without a standard error only the difference. */
export const costWithInterval = (nats: number, standardError: number | null): string =>
  standardError === null ? cost(nats) : `${cost(nats)} ± ${plain(normalQuantile * standardError, 3)}`;

export const perplexity = (value: number): string => (value < 1e5 ? plain(value, 1) : value.toExponential(1));
/** `45.0 %` in running text, reports and on the terminal. */
export const percent = (ratio: number, digits = 1): string => `${plain(100 * ratio, digits)} %`;
/** `45.0 %` on a page, where no line may break before the sign. */
export const share = (ratio: number, digits = 1): string => `${plain(100 * ratio, digits)}${narrowSpace}%`;
export const signedShare = (ratio: number): string => `${signed(100 * ratio, 1)}${narrowSpace}%`;
export const correlation = (value: number): string => plain(value, 2);
export const speedUp = (ratio: number): string => `× ${plain(ratio, 2)}`;
export const tokensPerSecond = (value: number): string => `${plain(value, value < 100 ? 1 : 0)} tokens/s`;

/** `134.5 M`, `3.21 B`. */
export const parameters = (count: number): string =>
  count >= 1e9 ? `${plain(count / 1e9, 2)} B` : `${plain(count / 1e6, 1)} M`;

/** `233.6 MB`, `6.43 GB`, `84 kB`: decimal, as the Hub counts. */
export function size(bytes: number): string {
  if (bytes >= 1e9) return `${plain(bytes / 1e9, 2)} GB`;
  return bytes >= 1e6 ? `${plain(bytes / 1e6, 1)} MB` : `${plain(bytes / 1e3, 0)} kB`;
}

export const memory = (bytes: number): string =>
  bytes < 1e8 ? `${plain(Math.ceil(bytes / 1e6), 0)} MB` : `${plain(bytes / 1e9, 1)} GB`;

/** How fast a device is: `0.9 GFLOP/s`, `52 GFLOP/s`. */
export function gigaflops(operationsPerSecond: number): string {
  const value = operationsPerSecond / 1e9;
  return `${plain(value, value < 10 ? 1 : 0)} GFLOP/s`;
}

/** `1st`, `2nd`, `13th`. */
export function ordinal(n: number): string {
  const teen = n % 100 > 10 && n % 100 < 14;
  return n + (teen ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th'));
}

/** In sentences: `40 s`, `2 min 20 s`, `1 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return whole % 60 === 0 ? `${whole / 60} min` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** On a clock: `3:32`, `1:02:05`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `1 block`, `2 blocks`. */
export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** A name of the code for people who have no better one: `someField` as `Some field`. */
export function nameInWords(name: string): string {
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
