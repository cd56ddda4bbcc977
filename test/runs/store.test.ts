// Runs on disk as earlier versions have written them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { recipeSchema } from '../../server/recipes/kinds';
import { openRunStore } from '../../server/runs/store';
import { asWrittenBefore } from '../earlierFiles';

const root = mkdtempSync(join(tmpdir(), 'espalier-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('a run that called a sequence a window is read under the names of now', () => {
  const recipe = recipeSchema.parse({
    kind: 'heal',
    model: '/m',
    data: { files: ['/t'] },
    loop: { steps: 2, microBatchSequences: 3, heldOut: { kind: 'text', files: ['/h'], sequences: 5 } },
    out: '/o',
  });
  const record = { title: 't', model: '/m', roots: [], createdAtEpochMs: 1, startedAtEpochMs: null };
  const state = { ...record, endedAtEpochMs: null, lastSeq: 1, state: { state: 'interrupted' } };
  const event = { seq: 1, atEpochMs: 1, event: { kind: 'plan', plan: { nSequences: 4 } } };
  const report = {
    kind: 'perplexity',
    models: [{ source: { nSequences: 4, tokensPerSequence: 8 }, lossPerSequence: [1] }],
  };
  const folder = join(root, 'runs', 'a');
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries({
    'recipe.json': recipe,
    'state.json': state,
    'report.json': report,
    'events.jsonl': event,
  }))
    writeFileSync(join(folder, name), `${asWrittenBefore(JSON.stringify(content))}\n`);

  const store = openRunStore(root);
  const [found] = store.list();
  if (found?.kind !== 'whole') throw new Error('the run is not whole');
  expect(found.stored).toEqual({ runId: 'a', recipe, record: state });
  expect(store.ended.events(found.stored)).toEqual([event]);
  expect(store.report('a')).toEqual({ kind: 'read', value: report });
});
