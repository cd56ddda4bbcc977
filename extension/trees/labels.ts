// Models, blocks and runs in words and bars; pure.
import { isAbsolute, relative, sep } from 'node:path';
import { clock } from '../../server/shared/numbers';

/** Nine bars, by the logarithm of what leaving the block out costs, between 0.1 and 4 nats. */
export function barLevel(costNats: number): number {
  const [least, most] = [0.1, 4];
  const share = Math.log(Math.max(costNats, least) / least) / Math.log(most / least);
  return Math.max(1, Math.min(9, 1 + Math.round(share * 8)));
}

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)} %`;

/** `1.8 s`; from a minute on `2:17`. */
export const taken = (seconds: number): string => (seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds));

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
