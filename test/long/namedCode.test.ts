// A model whose config.json names code of its own (auto_map), written without a block, in the real transformers: it opens
// whatever transformers is told of such code, without asking, and has our loss.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ofBlocks } from '../../server/shared/dropSets';
import { modelFolder, repoRoot } from '../fixtures';
import { onCpu, runHere } from '../recipes/runHere';
import { askPython } from './askPython';

const root = mkdtempSync(join(tmpdir(), 'named-code-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const stories = modelFolder('stories260k');
const ids = join(root, 'ids.json');
const reference = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/reference/stories260k.json'), 'utf8'));
writeFileSync(ids, JSON.stringify((reference.ids as number[][]).slice(0, 2).map((row) => row.slice(0, 64))));

// What such files mostly are: classes of transformers under other names.
const code = {
  'configuration_own.py':
    'from transformers import LlamaConfig\n\n\nclass OwnConfig(LlamaConfig):\n    model_type = "llama"\n',
  'modeling_own.py':
    'from transformers import LlamaForCausalLM\n\nfrom .configuration_own import OwnConfig\n\n\n' +
    'class OwnForCausalLM(LlamaForCausalLM):\n    config_class = OwnConfig\n',
};
const autoMap = {
  AutoConfig: 'configuration_own.OwnConfig',
  AutoModelForCausalLM: 'modeling_own.OwnForCausalLM',
};

function modelWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'model-'));
  cpSync(stories, folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, auto_map: autoMap }));
  return folder;
}

const { 'configuration_own.py': configuration } = code;
describe.each<[string, Readonly<Record<string, string>>, object | undefined]>([
  ['all code', code, autoMap],
  ['no code', {}, undefined],
  ['the configuration alone', { 'configuration_own.py': configuration }, undefined],
])('a folder with %s', (_, files, named) => {
  it('opens in transformers with and without trust_remote_code', { timeout: 10 * 60_000 }, async () => {
    const model = modelWith(files);
    const common = { source: null, repair: null, dtype: 'f32' as const, maxShardBytes: null, mergekit: null };
    const rule = { kind: 'chosen' as const, ...ofBlocks([3]) };
    const { out } = await runHere({
      ...{ kind: 'prune', model, rule, ...common, compute: onCpu },
      out: join(mkdtempSync(join(root, 'out-')), 'pruned'),
    });
    expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).auto_map).toEqual(named);
    const source = { kind: 'ids', file: ids } as const;
    const { models } = await runHere({ kind: 'perplexity', models: [out], drop: ofBlocks([]), source, compute: onCpu });
    const ours = models[0]!.lossNats;
    for (const trust of ['no', 'yes', 'ask']) {
      const found = askPython<{ loss: number; layers: number; problems: string[] }>('check_folder.py', [], {
        ...{ original: stories, pruned: out, ids, 'trust-remote-code': trust },
        ...{ 'expected-loss': `${ours}`, tolerance: '0.0001' },
      });
      console.log(`${trust}: ours ${ours}, transformers ${found.loss}`);
      expect(found, trust).toMatchObject({ layers: 4, problems: [] });
    }
  });
});
