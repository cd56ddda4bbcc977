// A model whose loss is measured once it is written is complete, whatever refuses the measuring: the report says why.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { render } from '../../server/cli/renderers';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import type { EngineEvent } from '../../server/protocol/engine';
import type { PruneReport } from '../../server/recipes/prune/recipe';
import type { SparsifyReport } from '../../server/recipes/sparsify/recipe';
import type { Recipe } from '../../server/recipes/kinds';
import { runRecipe } from '../../server/recipes/runRecipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { modelFolder } from '../fixtures';
import { storyText } from './healing';
import { onCpu } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'after-writing-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let n = 0;
const place = () => join(root, `${n++}`);

const stories = modelFolder('stories260k');

/** A text that the measuring before finds, and a run that goes on to `whenWritten` as soon as all weights are written. */
async function interfered(
  recipeOf: (text: string) => Recipe,
  whenWritten: (text: string, end: AbortController) => void,
) {
  const text = `${place()}.txt`;
  writeFileSync(text, storyText(60));
  const end = new AbortController();
  const warnings: string[] = [];
  const report = await runRecipe(recipeOf(text), {
    signal: end.signal,
    emit(event: EngineEvent) {
      if (event.kind === 'warning') warnings.push(event.text);
      if (event.kind === 'progress' && event.step === 'write' && event.fraction === 1) whenWritten(text, end);
    },
  });
  return { report, warnings };
}

const sourceOf = (text: string) => {
  const cut = { field: null, sequences: 2, tokens: 32, start: 0, bos: 'none' as const, seed: 0 };
  return { kind: 'text' as const, files: [text], ...cut, sampling: 'consecutive' as const };
};
const prune = (text: string): Recipe => {
  const common = { repair: null, maxShardBytes: null, mergekit: null, compute: onCpu };
  const rule = { kind: 'chosen' as const, ...ofBlocks([1]) };
  return { kind: 'prune', model: stories, rule, source: sourceOf(text), dtype: 'f16', out: place(), ...common };
};
const sparsify = (text: string): Recipe => {
  const common = { dtype: null, maxShardBytes: null, compute: onCpu };
  return { kind: 'sparsify', model: stories, ratio: 0.1, source: sourceOf(text), out: place(), ...common };
};
const reasonOf = (report: PruneReport | SparsifyReport) =>
  report.kind === 'prune' ? report.rounding!.notMeasured : report.notMeasured;

describe.each([
  ['prune', prune],
  ['sparsify', sparsify],
])('%s', (_, recipeOf) => {
  it.each([
    ['whose text is gone', (text: string) => rmSync(text), 'There is no file '],
    ['that is cancelled', (_text: string, end: AbortController) => end.abort(), 'It was cancelled.'],
  ])('of a run %s leaves a folder that can be opened', async (_name, whenWritten, because) => {
    const { report, warnings } = await interfered(recipeOf, whenWritten);
    const known = report as PruneReport | SparsifyReport;
    expect(reasonOf(known)).toContain(because);
    expect(warnings).toEqual([
      `The model in ${known.out} is complete, but its loss was not measured: ${reasonOf(known)}`,
    ]);
    expect(render(known)).toContain(`not measured: ${reasonOf(known)}`);
    await (await openCheckpoint(known.out)).close();
  });
});
