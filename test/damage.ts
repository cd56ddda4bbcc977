// Kinds of damage that a disk, a crash or another program does to a file. Each takes the path of a whole one.
import { mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';

const changed = (path: string, change: (bytes: Buffer) => Buffer): void =>
  writeFileSync(path, change(readFileSync(path)));
const lines = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n');

export const damages = {
  zeroed: (path: string) => changed(path, (bytes) => Buffer.alloc(bytes.length)),
  empty: (path: string) => truncateSync(path, 0),
  half: (path: string) => changed(path, (bytes) => bytes.subarray(0, bytes.length / 2)),
  /** The line end, and what is before it. */
  withoutItsLastBytes: (path: string) => changed(path, (bytes) => bytes.subarray(0, -2)),
  /** In the middle of a line near the middle. */
  flippedBit: (path: string) =>
    changed(path, (bytes) => {
      const at = bytes.indexOf(10, bytes.length / 2);
      const middle = at < 0 || at > bytes.length - 40 ? Math.floor(bytes.length / 2) : at + 20;
      bytes[middle]! ^= 1;
      return bytes;
    }),
  garbageInTheMiddle: (path: string) =>
    changed(path, (bytes) => {
      const middle = Math.floor(bytes.length / 2);
      return Buffer.concat([bytes.subarray(0, middle), Buffer.from([0, 255, 10, 7, 10, 125]), bytes.subarray(middle)]);
    }),
  aLineTwice: (path: string) => {
    const all = lines(path);
    const middle = Math.floor(all.length / 2);
    writeFileSync(path, `${all.toSpliced(middle, 0, all[middle]!).join('\n')}\n`);
  },
  withoutItsLineEnd: (path: string) => changed(path, (bytes) => bytes.subarray(0, -1)),
  gone: (path: string) => rmSync(path),
  aFolder: (path: string) => {
    rmSync(path);
    mkdirSync(path);
  },
  aCircleOfLinks: (path: string) => {
    rmSync(path);
    symlinkSync(path, path);
  },
} satisfies Record<string, (path: string) => void>;

export type Damage = keyof typeof damages;
export const damageNames = Object.keys(damages) as Damage[];
