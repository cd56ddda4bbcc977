// The file of hidden states has no name once it is open, so that nobody has to remove it.
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { openSpillFile } from '../../server/execution/spillFile';

it.skipIf(process.platform === 'win32')('is written and read without a name', () => {
  using file = openSpillFile();
  const numbers = Float32Array.from({ length: 100_000 }, (_, i) => i / 7);
  const offsets = [file.append(numbers), file.append(numbers.map((x) => -x))];
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`espalier-states-${process.pid}-`))).toEqual([]);
  expect(file.read(offsets[0]!, numbers.length)).toEqual(numbers);
  expect(file.read(offsets[1]! + 4, 2)).toEqual(Float32Array.of(-1 / 7, -2 / 7));
});
