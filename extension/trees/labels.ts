// Models, blocks and runs in words; pure.
import { isAbsolute, relative, sep } from 'node:path';
import type { RunSummary } from '../../server/protocol/server';

/** `134.5 M`; more digits are in tooltips. */
export const million = (n: number): string => `${(n / 1e6).toFixed(1)} M`;

/** `269.1 MB`: decimal, as the Hub counts. */
export const sizeOf = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(2)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${Math.round(bytes / 1e3)} kB`;

/** `13–15, 17, 26`: inclusive, from 0. */
export function blockRanges(blocks: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last && last[1] === block - 1) last[1] = block;
    else runs.push([block, block]);
  }
  return runs.map(([first, end]) => (first === end ? `${first}` : `${first}–${end}`)).join(', ');
}

/** `+0.113`, with the real minus sign; zero has none. */
export function signed(nats: number): string {
  const digits = Math.abs(nats).toFixed(3);
  return Number(digits) === 0 ? digits : `${nats < 0 ? '−' : '+'}${digits}`;
}

/** Nine bars, by the logarithm of what leaving the block out costs, between 0.1 and 4 nats. */
export function barLevel(costNats: number): number {
  const [least, most] = [0.1, 4];
  const share = Math.log(Math.max(costNats, least) / least) / Math.log(most / least);
  return Math.max(1, Math.min(9, 1 + Math.round(share * 8)));
}

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)} %`;

/** `3:32`, `1:02:05`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** `1.8 s`; from a minute on `2:17`. */
export const taken = (seconds: number): string => (seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds));

/** Seconds that are left if the rest takes as long as what is done; null where that cannot be said yet. */
export function secondsLeft(run: RunSummary, nowEpochMs: number): number | null {
  if (run.state !== 'running' || run.startedAtEpochMs === null || run.fraction < 0.02) return null;
  const spent = (nowEpochMs - run.startedAtEpochMs) / 1000;
  return (spent / run.fraction) * (1 - run.fraction);
}

/** `stories260k-pruned`, `stories260k-pruned-2`: the first that is free. */
export function freeName(base: string, taken: (name: string) => boolean, what = 'pruned'): string {
  for (let n = 1; ; n++) {
    const name = `${base}-${what}${n === 1 ? '' : `-${n}`}`;
    if (!taken(name)) return name;
  }
}

/** Whether a folder is another one or lies in it. */
export function holds(folder: string, other: string): boolean {
  const way = relative(folder, other);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
