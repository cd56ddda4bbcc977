// What we write of every family whose blocks are not LLaMA's means the same to the real transformers and PEFT: pruned, with
// sublayers dropped, healed and merged. ESPALIER_PYTHON names a Python that has them (see test/python).
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ofBlocks, parseDropSet } from '../../server/shared/dropSets';
import { repoRoot } from '../fixtures';
import { healing, storyText } from '../recipes/healing';
import { onCpu, runHere } from '../recipes/runHere';
import { askPython } from './askPython';

const root = mkdtempSync(join(tmpdir(), 'families-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tolerance = 1e-4;
const families = ['gemma2', 'gemma3', 'phi3', 'olmo2', 'granite'];
const rows = families.flatMap((family) => ['1', '0a,2m'].map((drop) => ({ family, drop })));

describe.each(rows)('$family without $drop', ({ family, drop }) => {
  it('means the same to transformers, pruned, and healed and merged', { timeout: 30 * 60_000 }, async () => {
    const folder = mkdtempSync(join(root, 'row-'));
    const at = (name: string) => join(folder, name);
    const ids = at('ids.json');
    const fixture = join(repoRoot, 'test/fixtures/families', family);
    writeFileSync(ids, JSON.stringify(JSON.parse(readFileSync(join(fixture, 'expected.json'), 'utf8')).input_ids));
    const original = at('original');
    writeOriginal(fixture, original);
    const output = { dtype: 'f32', maxShardBytes: null, compute: onCpu } as const;
    const nothing = { source: null, repair: null, mergekit: null };
    const rule = { kind: 'chosen', ...parseDropSet(drop) } as const;
    await runHere({ kind: 'prune', model: original, rule, ...nothing, out: at('pruned'), ...output });
    writeFileSync(at('text.txt'), storyText(120));
    const loop = { steps: 6, evaluateEverySteps: 6 };
    await runHere(healing(at('pruned'), at('text.txt'), at('adapter'), { data: { tokens: 32 }, loop }));
    await runHere({ kind: 'merge', model: at('pruned'), adapter: at('adapter'), out: at('merged'), ...output });

    const losses = { pruned: 0, merged: 0 };
    for (const name of ['pruned', 'merged'] as const) {
      const source = { kind: 'ids', file: ids } as const;
      const models = [at(name)];
      const report = await runHere({ kind: 'perplexity', models, drop: ofBlocks([]), source, compute: onCpu });
      const { lossNats } = report.models[0]!;
      const found = askPython<{ loss: number; problems: string[] }>('check_folder.py', [], {
        ...{ original, pruned: at(name), ids },
        ...{ 'expected-loss': `${lossNats}`, tolerance: `${tolerance}` },
      });
      console.log(`${family} without ${drop}, ${name}: ours ${lossNats}, transformers ${found.loss}`);
      expect(found.problems, name).toEqual([]);
      losses[name] = lossNats;
    }
    expect(Math.abs(losses.merged - losses.pruned)).toBeGreaterThan(10 * tolerance);
    const folders = { model: at('pruned'), adapter: at('adapter'), merged: at('merged'), ids };
    const found = askPython<{ unmerged: number; problems: string[] }>('adapter.py', ['compare'], folders);
    expect(found.problems).toEqual([]);
    expect(found.unmerged).toBeLessThan(tolerance);
  });
});

/** The family's model with a tokenizer of its 61 characters, for the text to heal on. */
function writeOriginal(fixture: string, out: string): void {
  mkdirSync(out);
  for (const name of ['config.json', 'model.safetensors']) cpSync(join(fixture, name), join(out, name));
  const characters = [...' .,?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234'];
  const vocab = Object.fromEntries(characters.map((character, id) => [character, id]));
  const model = { type: 'BPE', unk_token: null, fuse_unk: false, byte_fallback: false, vocab, merges: [] };
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: { type: 'Fuse' } };
  writeFileSync(join(out, 'tokenizer.json'), JSON.stringify({ version: '1.0', added_tokens: [], ...parts, model }));
  writeFileSync(join(out, 'tokenizer_config.json'), JSON.stringify({ tokenizer_class: 'PreTrainedTokenizerFast' }));
}
