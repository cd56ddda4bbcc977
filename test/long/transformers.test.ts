// The real transformers opens what we wrote and finds the loss that we find. The first run makes a Python with torch
// (6 GB, see test/python); ESPALIER_PYTHON names one that has it already.
import { ofBlocks } from '../../server/pruning/dropSet';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { available, modelFolder, repoRoot } from '../fixtures';
import { onCpu, runHere } from '../recipes/runHere';

const root = mkdtempSync(join(tmpdir(), 'transformers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tolerance = 1e-4;
const rows = [
  { name: 'stories260k', blocks: [1, 3], windows: 8, tokens: 256 },
  { name: 'smollm2-135m', blocks: [12, 13, 14, 15, 16], windows: 2, tokens: 256 },
];

describe.each(rows)('$name without $blocks', ({ name, blocks, windows, tokens }) => {
  const original = modelFolder(name);

  it.skipIf(!available(original))('means the same to transformers', { timeout: 30 * 60_000 }, async () => {
    const reference = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/reference', `${name}.json`), 'utf8'));
    const ids = join(root, `${name}.json`);
    writeFileSync(
      ids,
      JSON.stringify((reference.ids as number[][]).slice(0, windows).map((row) => row.slice(0, tokens))),
    );
    const { out } = await runHere({
      kind: 'prune',
      model: original,
      rule: { kind: 'chosen', ...ofBlocks(blocks) },
      source: null,
      out: join(root, name),
      dtype: 'f32',
      maxShardBytes: 1e8,
      repair: null,
      mergekit: null,
      compute: onCpu,
    });
    const source = { kind: 'ids', file: ids } as const;
    const { models } = await runHere({ kind: 'perplexity', models: [out], drop: ofBlocks([]), source, compute: onCpu });
    const ours = models[0]!.lossNats;
    const found = askTransformers(original, out, ids, ours);
    console.log(`${name} without ${blocks}: ours ${ours}, transformers ${found.loss}`);
    expect(found).toMatchObject({ layers: models[0]!.nBlocks, problems: [] });
    expect(Math.abs(found.loss - ours)).toBeLessThan(tolerance);
    // It would notice: the loss of the whole model is another one.
    expect(askTransformers(original, original, ids, ours).problems).toHaveLength(1);
  });
});

interface Answer {
  loss: number;
  layers: number;
  problems: string[];
}

function askTransformers(original: string, pruned: string, ids: string, expectedLoss: number): Answer {
  const folders = ['--original', original, '--pruned', pruned, '--ids', ids];
  const args = [...folders, '--expected-loss', `${expectedLoss}`, '--tolerance', `${tolerance}`];
  try {
    return JSON.parse(execFileSync(join(repoRoot, 'test/python/run.sh'), args, { encoding: 'utf8' }));
  } catch (error) {
    // It exits with 1 where it has found problems, and says which.
    const { stdout = '' } = error as { stdout?: string };
    if (stdout.startsWith('{')) return JSON.parse(stdout);
    throw error;
  }
}
