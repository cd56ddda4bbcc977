// The real transformers opens what we wrote and finds the loss that we find. The first run makes a Python with torch
// (6 GB, see test/python); ESPALIER_PYTHON names one that has it already.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ofBlocks, parseDropSet } from '../../server/shared/dropSets';
import type { RepairOptions } from '../../server/recipes/prune/recipe';
import { available, modelFolder, repoRoot } from '../fixtures';
import { onCpu, runHere } from '../recipes/runHere';
import { askPython } from './askPython';

const root = mkdtempSync(join(tmpdir(), 'transformers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tolerance = 1e-4;
const repair: RepairOptions = { kind: 'linear', ridge: 1e-3, heldOutSequences: null };
const rows = [
  { name: 'stories260k', drop: '1,3', repair: null, sequences: 8, tokens: 256 },
  { name: 'stories260k', drop: '0a,2m,4', repair: null, sequences: 8, tokens: 256 },
  { name: 'stories260k', drop: '1a,3m', repair, sequences: 8, tokens: 256 },
  { name: 'smollm2-135m', drop: '12-16', repair: null, sequences: 2, tokens: 256 },
  { name: 'smollm2-135m', drop: '4a,7a,26a,29a,12m,17m', repair: null, sequences: 2, tokens: 256 },
  { name: 'smollm2-135m', drop: '12-16', repair, sequences: 4, tokens: 512 },
];

describe.each(rows)('$name without $drop, repair $repair', ({ name, drop, repair: how, sequences, tokens }) => {
  const original = modelFolder(name);

  it.skipIf(!available(original))('means the same to transformers', { timeout: 30 * 60_000 }, async () => {
    const reference = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/reference', `${name}.json`), 'utf8'));
    const folder = mkdtempSync(join(root, 'row-'));
    const ids = join(folder, 'ids.json');
    writeFileSync(
      ids,
      JSON.stringify((reference.ids as number[][]).slice(0, sequences).map((row) => row.slice(0, tokens))),
    );
    const { out } = await runHere({
      kind: 'prune',
      model: original,
      rule: { kind: 'chosen', ...parseDropSet(drop) },
      source: how && { kind: 'ids', file: ids },
      out: join(folder, 'out'),
      dtype: 'f32',
      maxShardBytes: 1e8,
      repair: how,
      mergekit: null,
      compute: onCpu,
    });
    const source = { kind: 'ids', file: ids } as const;
    const { models } = await runHere({ kind: 'perplexity', models: [out], drop: ofBlocks([]), source, compute: onCpu });
    const ours = models[0]!.lossNats;
    const found = askTransformers(original, out, ids, ours);
    console.log(`${name} without ${drop}${how ? ', repaired' : ''}: ours ${ours}, transformers ${found.loss}`);
    expect(found).toMatchObject({ layers: models[0]!.nBlocks, problems: [] });
    expect(Math.abs(found.loss - ours)).toBeLessThan(tolerance);
    // It would notice: the loss of the original is another one.
    expect(askTransformers(original, original, ids, ours).problems).toHaveLength(1);
  });
});

interface Answer {
  loss: number;
  layers: number;
  problems: string[];
}

const askTransformers = (original: string, pruned: string, ids: string, expectedLoss: number): Answer =>
  askPython('check_folder.py', [], {
    ...{ original, pruned, ids },
    ...{ 'expected-loss': `${expectedLoss}`, tolerance: `${tolerance}` },
  });
