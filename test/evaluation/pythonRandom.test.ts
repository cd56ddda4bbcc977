// Against what Python's random.Random draws; test/fixtures/evaluation/make_python.py asked it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pythonRandom } from '../../server/evaluation/pythonRandom';
import { repoRoot } from '../fixtures';

interface Facts {
  draws: { seed: number; random: number[] }[];
  /** Drawn one after another by the same generator, seeded with 1234. */
  samples: { n: number; k: number; drawn: number[][] }[];
}
const facts = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/evaluation/python.json'), 'utf8')) as Facts;

describe('draws are those of Python', () => {
  it.each(facts.draws)('random() after seed $seed', ({ seed, random }) => {
    const generator = pythonRandom(seed);
    expect(random.map(() => generator.random())).toEqual(random);
  });

  it.each(facts.samples)('sample($n, $k), twenty times', ({ n, k, drawn }) => {
    const generator = pythonRandom(1234);
    const population = Array.from({ length: n }, (_, i) => i);
    expect(drawn.map(() => generator.sample(population, k))).toEqual(drawn);
  });
});
