// What lies beside the weights: which files come along, the code that a folder names, and where text ends.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { copyAuxiliaryFiles, findAuxiliaryFiles } from '../../server/checkpoint/auxiliaryFiles';
import { endIdsOf } from '../../server/checkpoint/generationConfig';
import { readModelConfig } from '../../server/model/readConfig';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { modelFolder } from '../fixtures';

const root = mkdtempSync(join(tmpdir(), 'beside-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let nFolders = 0;

/** A folder of such files; what is no text is written as JSON. */
function folderOf(files: Record<string, unknown>): string {
  const folder = join(root, `${nFolders++}`);
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

/** What a written folder has, and what its config.json would hold. */
async function copied(folder: string, config: object = {}, keptBlocks: number[] | null = null) {
  const found = await findAuxiliaryFiles(folder, config as Record<string, unknown>, keptBlocks);
  const out = folderOf({});
  await copyAuxiliaryFiles(found.files, folder, out);
  const names = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return {
    out,
    config: found.config,
    names: names.map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1)).sort(),
    read: (name: string) => readFileSync(join(out, name), 'utf8'),
  };
}

describe('beside the weights', () => {
  const along = [
    'LICENSE',
    'additional_chat_templates/rag.jinja',
    'additional_chat_templates/tool_use.jinja',
    'chat_template.jinja',
    'generation_config.json',
    'preprocessor_config.json',
    'qwen.tiktoken',
    'special_tokens_map.json',
    'spiece.model',
    'tekken.json',
    'tokenizer.model',
    'tokenizer.model.v3',
  ];
  const left = [
    'README.md',
    'modeling_x.py',
    'pytorch_model.bin',
    'additional_chat_templates/x.py',
    'weights.model.bin',
  ];

  it('all that a tokenizer and its templates are made of comes along, and nothing else', async () => {
    const files = Object.fromEntries([...along, ...left].map((name) => [name, name]));
    expect((await copied(folderOf(files))).names).toEqual(along);
  });

  it('a template that is a link into the cache comes along, one that leads out of the folder is refused', async () => {
    const repository = 'models--owner--name';
    const files = { 'blobs/ab': 'template', 'snapshots/r/config.json': '{}', secret: 'secret' };
    const cache = join(
      folderOf(Object.fromEntries(Object.entries(files).map(([name, text]) => [`${repository}/${name}`, text]))),
      repository,
    );
    const folder = join(cache, 'snapshots/r');
    mkdirSync(join(folder, 'additional_chat_templates'));
    symlinkSync(join(cache, 'blobs/ab'), join(folder, 'additional_chat_templates/good.jinja'));
    expect((await copied(folder)).names).toEqual(['additional_chat_templates/good.jinja']);
    symlinkSync(join(cache, 'secret'), join(folder, 'additional_chat_templates/bad.jinja'));
    await expect(copied(folder)).rejects.toThrow(/bad\.jinja is a link out of its folder, and is not followed/);
  });

  it('fields about blocks are renumbered, and floats stay floats', async () => {
    const text = '{"temperature": 1.0, "dola_layers": [0, 2, 4], "assistant_early_exit": 3}';
    const { read } = await copied(folderOf({ 'generation_config.json': text }), {}, [0, 1, 4]);
    expect(read('generation_config.json')).toContain('"temperature": 1.0');
    expect(JSON.parse(read('generation_config.json'))).toEqual({
      temperature: 1,
      dola_layers: [0, 2],
      assistant_early_exit: 2,
    });
  });
});

describe('code that a folder names', () => {
  const auto = { AutoConfig: 'configuration_own.OwnConfig', AutoModelForCausalLM: 'modeling_own.OwnForCausalLM' };
  const modeling = 'from .configuration_own import OwnConfig\nfrom .kernels.fast import (\n  run,\n)\n';
  const whole = {
    'configuration_own.py': 'class OwnConfig: pass\n',
    'modeling_own.py': modeling,
    'kernels/fast.py': 'from .tables import t\nimport os\n',
    'kernels/tables.py': 't = 1\n',
    'unrelated.py': 'raise SystemExit\n',
  };
  const code = ['configuration_own.py', 'kernels/fast.py', 'kernels/tables.py', 'modeling_own.py'];

  it('comes along with all that it imports', async () => {
    const { names, config, read } = await copied(folderOf(whole), { auto_map: auto });
    expect(names).toEqual(code);
    expect(config).toEqual({ auto_map: auto });
    expect(read('modeling_own.py')).toBe(modeling);
  });

  const without = (name: string) => Object.fromEntries(Object.entries(whole).filter(([file]) => file !== name));
  it.each([
    // transformers finds no model for a configuration of the folder's own (test/long/namedCode.test.ts).
    { what: 'is not there', files: without('modeling_own.py') },
    { what: 'imports what is not there', files: without('kernels/tables.py') },
    { what: 'is needed by all and not there', files: without('configuration_own.py') },
  ])('is not named any more where it $what', async ({ files }) => {
    const { config, names } = await copied(folderOf(files), { hidden_size: 8, auto_map: auto });
    expect(config.auto_map).toBeUndefined();
    expect(config.hidden_size).toBe(8);
    expect(names).toEqual([]);
  });

  it.each([
    { reference: '../outside.Own', stays: false },
    { reference: 'a/b.Own', stays: false },
    { reference: 'nothing', stays: false },
    { reference: 'owner/repository--modeling_own.Own', stays: true },
  ])('of the name $reference stays named: $stays', async ({ reference, stays }) => {
    const { config, names } = await copied(folderOf(whole), { auto_map: { AutoModel: reference } });
    expect(config.auto_map).toEqual(stays ? { AutoModel: reference } : undefined);
    expect(names).toEqual([]);
  });

  it.each(['tokenizer_config.json', 'preprocessor_config.json'])('of %s comes along, too', async (file) => {
    const map = { AutoTokenizer: ['tokenization_own.Slow', null] };
    const folder = folderOf({ [file]: { auto_map: map, x: 1 }, 'tokenization_own.py': 'class Slow: pass\n' });
    const there = await copied(folder);
    expect(there.names).toEqual(['tokenization_own.py', file].sort());
    expect(there.read(file)).toBe(readFileSync(join(folder, file), 'utf8'));
  });

  it.each([
    ['numbers beyond 2^53', '"model_max_length": 1000000000000000019884624838656'],
    ['numbers with a point', '"x": 1.0,\n  "y": [\n    2.5,\n    1e-7\n  ]'],
    ['texts that look like numbers', '"x": "see: 12345678901234567, or \\"1.0\\""'],
    ['keys of digits in their order', '"b": 1,\n  "10": {\n    "2": 1.0,\n    "1": 0\n  }'],
  ])('of a tokenizer that is not there goes, and %s stay as they are', async (_, fields) => {
    const text = `{${fields}, "auto_map": {"AutoTokenizer": ["gone.Slow", null]}}`;
    const { read } = await copied(folderOf({ 'tokenizer_config.json': text }));
    expect(read('tokenizer_config.json')).toBe(`{\n  ${fields}\n}\n`);
  });
});

describe('generation ends', () => {
  // What transformers 5.24 has in model.generation_config.eos_token_id after from_pretrained, 40 greedy tokens each: an id of
  // the list ended them, and where there is none they went on.
  const config = { ...JSON.parse(readFileSync(join(modelFolder('stories260k'), 'config.json'), 'utf8')) };
  const absent = { ...config };
  delete absent.eos_token_id;
  const ends = (json: object, file: string | null) => {
    const folder = folderOf(file === null ? {} : { 'generation_config.json': file });
    const configJson = json as Record<string, unknown>;
    return endIdsOf({ folder, config: readModelConfig(json), configJson }, 7);
  };
  it.each([
    { file: '{"eos_token_id": [2, 426]}', eos: 2, ids: [2, 426] },
    { file: '{"eos_token_id": 426}', eos: 2, ids: [426] },
    { file: '{"eos_token_id": 2}', eos: 426, ids: [2] },
    { file: '{"eos_token_id": [-1, 426]}', eos: 2, ids: [426] },
    { file: '{"eos_token_id": -1}', eos: 426, ids: [] },
    { file: '{"eos_token_id": null}', eos: 426, ids: [] },
    { file: '{"eos_token_id": []}', eos: 426, ids: [] },
    { file: '{"bos_token_id": 1}', eos: 426, ids: [] },
    { file: '{"_from_model_config": true, "eos_token_id": 2}', eos: 426, ids: [2] },
    { file: null, eos: 426, ids: [426] },
    { file: null, eos: [2, 426], ids: [2, 426] },
    { file: null, eos: -1, ids: [] },
    { file: null, eos: null, ids: [] },
  ])('at $ids by $file beside $eos in config.json', async ({ file, eos, ids }) => {
    expect(await ends({ ...config, eos_token_id: eos }, file)).toEqual(ids);
  });

  it("at the tokenizer's end where nothing else says one", async () => {
    expect(await ends(absent, null)).toEqual([2, 7]);
  });

  it.each([
    { file: '{', sentence: /^generation_config\.json in \d+ is not valid JSON; repair it, or remove it/ },
    { file: '{"eos_token_id": "2"}', sentence: /has an eos_token_id that is no token id and no list of them/ },
    { file: '{"eos_token_id": 1.5}', sentence: /no token id/ },
  ])('nowhere by $file, which is refused', async ({ file, sentence }) => {
    await expect(ends(config, file)).rejects.toThrow(sentence);
  });

  it('never at a tokenizer of which the configuration says -1', async () => {
    const folder = folderOf({});
    cpSync(join(modelFolder('stories260k'), 'tokenizer.json'), join(folder, 'tokenizer.json'));
    writeFileSync(join(folder, 'config.json'), '{"bos_token_id": [-1, 1], "eos_token_id": -1, "pad_token_id": -1}');
    expect(await openTokenizer(folder)).toMatchObject({ bosTokenId: 1, eosTokenId: null });
  });
});
