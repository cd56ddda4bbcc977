// Adapters on disk: PEFT's own files are read and written again byte for byte, and what is no adapter of the model is told.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type Adapter, readAdapter, writeAdapterFiles } from '../../server/checkpoint/adapter';
import { narrowInto, widenInto } from '../../server/checkpoint/dtype';
import { type TensorSpec, writeSafetensors } from '../../server/checkpoint/safetensors';
import { isUserError } from '../../server/errors';
import { adaptedModules, adapterTargets, moduleKey } from '../../server/model/adapter';
import type { Sublayers, ModelConfig } from '../../server/model/config';
import { readModelConfig } from '../../server/model/readConfig';
import { available, dataFolder, modelFolder } from '../fixtures';

const root = mkdtempSync(join(tmpdir(), 'adapter-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let nFolders = 0;
function place(): string {
  const folder = join(root, String(nFolders++));
  mkdirSync(folder);
  return folder;
}

const whole = readModelConfig(JSON.parse(readFileSync(join(modelFolder('stories260k'), 'config.json'), 'utf8')));
const withBlocks = (nBlocks: number, forms: Record<number, Sublayers> = {}): ModelConfig => ({
  ...whole,
  nBlocks,
  blocks: Array.from({ length: nBlocks }, (_, k) => ({ ...whole.blocks[0]!, sublayers: forms[k] ?? 'whole' })),
});
/** stories260K without one block, as the adapters of the reference were trained. */
const stories = withBlocks(4);

/** Numbers that differ from tensor to tensor, exact in every dtype. */
const numbers = (n: number, seed: number) => Float32Array.from({ length: n }, (_, i) => (((i + seed) % 31) - 15) / 16);

function madeFor(config: ModelConfig, change: Partial<Adapter['options']> = {}): Adapter {
  const options = {
    rank: 2,
    alpha: 4,
    targets: ['q_proj', 'v_proj'],
    blocks: 'all' as const,
    rankPattern: {},
    alphaPattern: {},
    rsLora: false,
    dropout: 0,
    ...change,
  };
  const modules = adaptedModules(config, options, null);
  const tensors = new Map(
    modules.map((module, t) => {
      const { rank: R, inFeatures, outFeatures } = module;
      return [moduleKey(module), { a: numbers(R * inFeatures, 7 * t), b: numbers(outFeatures * R, 7 * t + 3) }];
    }),
  );
  return { options, modules, tensors, nBlocks: config.nBlocks, baseModelNameOrPath: 'pruned' };
}

async function written(config: ModelConfig, change: Partial<Adapter['options']> = {}): Promise<string> {
  const folder = place();
  await writeAdapterFiles(folder, madeFor(config, change));
  return folder;
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  );
  if (error === 'accepted') return error;
  if (!isUserError(error)) throw error;
  expect(error.message).not.toMatch(/\n/);
  return `${error.code}: ${error.message}`;
}

const configOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
const weightsOf = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));

describe.each(['init', 'final'])("PEFT's own adapter, %s", (which) => {
  const folder = join(dataFolder, 'reference', `lora-stories260k-${which}`);
  const here = it.skipIf(!available(folder));

  here('is read as what it is', async () => {
    const { options, modules, tensors, baseModelNameOrPath } = await readAdapter(folder, stories);
    expect(options).toEqual({
      rank: 4,
      alpha: 8,
      targets: ['q_proj', 'v_proj'],
      blocks: 'all',
      rankPattern: {},
      alphaPattern: {},
      rsLora: false,
      dropout: 0,
    });
    expect(modules).toEqual(adaptedModules(stories, options, null));
    expect(baseModelNameOrPath).toBe('stories260k');
    const norm = (part: Float32Array) => Math.sqrt(part.reduce((sum, x) => sum + x * x, 0));
    const reference = JSON.parse(readFileSync(join(dataFolder, 'reference/lora-stories260k.json'), 'utf8'));
    for (const module of modules) {
      const { a, b } = tensors.get(moduleKey(module))!;
      const expected = (part: 'A' | 'B') => reference.tensors[`${moduleKey(module)}.lora_${part}`];
      if (which === 'init') {
        expect(norm(b)).toBe(0);
        continue;
      }
      for (const [found, { norm: size, first }] of [[a, expected('A')] as const, [b, expected('B')] as const]) {
        expect(norm(found) / size).toBeCloseTo(1, 5);
        for (const i of [0, 1, 2, 3]) expect(found[i]! / first[i]).toBeCloseTo(1, 5);
      }
    }
  });

  here('is written again with the same bytes, and with no field that PEFT would read otherwise', async () => {
    const out = place();
    await writeAdapterFiles(out, await readAdapter(folder, stories));
    expect(weightsOf(out)).toEqual(weightsOf(folder));
    expect(configOf(folder)).toMatchObject(configOf(out));
    expect(readdirSync(out).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });
});

describe('what is written', () => {
  it('has the names and shapes of PEFT', async () => {
    const folder = await written(stories, { targets: ['up_proj'], blocks: [2], rankPattern: { up_proj: 3 } });
    const bytes = weightsOf(folder);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
    expect(header).toEqual({
      __metadata__: { format: 'pt' },
      'base_model.model.model.layers.2.mlp.up_proj.lora_A.weight': {
        dtype: 'F32',
        shape: [3, 64],
        data_offsets: [0, 768],
      },
      'base_model.model.model.layers.2.mlp.up_proj.lora_B.weight': {
        dtype: 'F32',
        shape: [172, 3],
        data_offsets: [768, 768 + 2064],
      },
    });
    expect(configOf(folder)).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      base_model_name_or_path: 'pruned',
      r: 2,
      lora_alpha: 4,
      target_modules: ['up_proj'],
      layers_to_transform: [2],
      rank_pattern: { up_proj: 3 },
      use_rslora: false,
    });
  });

  it('names every module where targets by blocks would name more', async () => {
    const config = withBlocks(3, { 1: 'mlpOnly' });
    const folder = await written(config, { targets: ['q_proj', 'up_proj'] });
    expect(configOf(folder)).toMatchObject({
      layers_to_transform: null,
      target_modules: [
        '0.self_attn.q_proj',
        '0.mlp.up_proj',
        '1.mlp.up_proj',
        '2.self_attn.q_proj',
        '2.mlp.up_proj',
      ].map((name) => `model.layers.${name}`),
    });
  });

  it('replaces what was there, and leaves it where that fails', async () => {
    const folder = await written(stories);
    await writeAdapterFiles(folder, madeFor(stories, { rank: 5 }));
    expect((await readAdapter(folder, stories)).options.rank).toBe(5);
    const before = weightsOf(folder);
    const { tensors, ...rest } = madeFor(stories);
    const key = 'model.layers.3.self_attn.v_proj';
    const broken = { ...rest, tensors: new Map(tensors).set(key, { ...tensors.get(key)!, b: new Float32Array(1) }) };
    await expect(writeAdapterFiles(folder, broken)).rejects.toThrow(/bytes came for/);
    expect(weightsOf(folder)).toEqual(before);
    expect(readdirSync(folder)).toHaveLength(2);
    expect(await refusal(writeAdapterFiles(join(folder, 'none'), madeFor(stories)))).toMatch(/^cannotWrite: .*none/);
  });

  it('is read again as it was', async () => {
    const form = fc.record({
      rank: fc.integer({ min: 1, max: 9 }),
      alpha: fc.float({ min: 1, max: 64, noNaN: true }),
      targets: fc.subarray(['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'], {
        minLength: 1,
      }),
      blocks: fc.oneof(fc.constant('all' as const), fc.subarray([0, 1, 2, 3], { minLength: 1 })),
      rankPattern: fc.constantFrom<Record<string, number>>(
        {},
        { '.*_proj': 3 },
        { 'self_attn.q_proj|mlp.up_proj|.*': 2 },
      ),
      alphaPattern: fc.constantFrom<Record<string, number>>({}, { '^model.layers.\\d.*': 7 }),
      rsLora: fc.boolean(),
      dropout: fc.constantFrom(0, 0.1),
    });
    const forms = fc.array(fc.constantFrom<Sublayers>('whole', 'attentionOnly', 'mlpOnly'), {
      minLength: 4,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(form, forms, async (options, [...halves]) => {
        const config = withBlocks(4, { ...halves });
        let made: Adapter;
        try {
          made = madeFor(config, options);
        } catch (error) {
          fc.pre(!isUserError(error)); // no module left
          throw error;
        }
        const folder = place();
        await writeAdapterFiles(folder, made);
        const { options: read, ...rest } = await readAdapter(folder, config);
        const blocks = [...new Set(made.modules.map(({ block }) => block))];
        expect(rest).toEqual({
          modules: made.modules,
          tensors: made.tensors,
          nBlocks: 4,
          baseModelNameOrPath: 'pruned',
        });
        expect(read).toEqual({
          ...options,
          blocks: blocks.length === 4 ? 'all' : blocks,
          targets: adapterTargets.filter((name) => made.modules.some(({ target }) => target === name)),
        });
      }),
      { numRuns: 60 },
    );
  });
});

/** Rewrites the weights of an adapter: other names, shapes, dtypes or numbers. */
async function changeTensors(
  folder: string,
  change: (tensor: TensorSpec & { data: Float32Array }) => (TensorSpec & { data: Float32Array }) | null,
): Promise<void> {
  const bytes = weightsOf(folder);
  const at = 8 + Number(bytes.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(bytes.subarray(8, at).toString());
  const tensors = Object.entries(header as Record<string, { shape: number[]; data_offsets: [number, number] }>).flatMap(
    ([name, { shape, data_offsets: range }]) => {
      const data = new Float32Array(new Uint8Array(bytes.subarray(at + range[0], at + range[1])).buffer);
      return change({ name, dtype: 'F32', shape, data }) ?? [];
    },
  );
  const path = join(folder, 'adapter_model.safetensors');
  rmSync(path);
  await writeSafetensors(path, tensors, ({ dtype, data }) => {
    if (dtype !== 'F16' && dtype !== 'BF16') return [new Uint8Array(data.buffer)];
    const halves = new Uint16Array(data.length);
    narrowInto(dtype, data, halves);
    return [new Uint8Array(halves.buffer)];
  });
}

describe('other spellings', () => {
  it.each(['F16', 'BF16'] as const)('%s is widened', async (dtype) => {
    const folder = await written(stories);
    const before = await readAdapter(folder, stories);
    await changeTensors(folder, (tensor) => ({ ...tensor, dtype }));
    expect(await readAdapter(folder, stories)).toEqual(before);
    const halves = Uint16Array.of(0x3c00);
    const one = new Float32Array(1);
    widenInto('F16', halves, one);
    expect(one[0]).toBe(1);
  });

  it.each<[string, object]>([
    [
      'a list of whole names',
      { target_modules: [0, 1, 2, 3].flatMap((k) => ['q', 'v'].map((p) => `model.layers.${k}.self_attn.${p}_proj`)) },
    ],
    ['a regular expression, which is not evaluated', { target_modules: '(.*)+(q|v)_proj' }],
    ['blocks listed', { layers_to_transform: [0, 1, 2, 3] }],
    ['modules left out', { target_modules: ['q_proj', 'v_proj', 'k_proj'], exclude_modules: ['k_proj'] }],
    [
      'no optional fields',
      {
        rank_pattern: undefined,
        alpha_pattern: null,
        use_rslora: undefined,
        lora_dropout: undefined,
        layers_to_transform: undefined,
        init_lora_weights: undefined,
        bias: undefined,
      },
    ],
    ['another base model', { base_model_name_or_path: 'someone/else' }],
    ['a begin that leaves the weights alone', { init_lora_weights: 'gaussian' }],
    [
      'features of later versions, off',
      { lora_bias: false, modules_to_save: [], loftq_config: {}, velora_config: null, unheard_of: 3 },
    ],
  ])('%s', async (_, change) => {
    const folder = await written(stories);
    const { modules } = await readAdapter(folder, stories);
    writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ ...configOf(folder), ...change }));
    expect((await readAdapter(folder, stories)).modules).toEqual(modules);
  });

  it('a single block by its number', async () => {
    const folder = await written(stories, { blocks: [2] });
    writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ ...configOf(folder), layers_to_transform: 2 }));
    expect((await readAdapter(folder, stories)).options.blocks).toEqual([2]);
  });

  it('modules of a dropped sublayer are left out where its output projection has none', async () => {
    const folder = await written(stories);
    const { modules, options } = await readAdapter(folder, withBlocks(4, { 1: 'mlpOnly' }));
    expect(modules.map(({ block }) => block)).toEqual([0, 0, 2, 2, 3, 3]);
    expect(options.blocks).toEqual([0, 2, 3]);
  });
});

describe('refused', () => {
  const setting = (change: object) => (folder: string) =>
    writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ ...configOf(folder), ...change }));
  const q0 = 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight';
  const only =
    (name: string, change: (tensor: TensorSpec & { data: Float32Array }) => object | null) => (folder: string) =>
      changeTensors(folder, (tensor) => {
        if (tensor.name !== name) return tensor;
        const changed = change(tensor);
        return changed && { ...tensor, ...changed };
      });
  const weights = (folder: string) => join(folder, 'adapter_model.safetensors');
  const config = (folder: string) => join(folder, 'adapter_config.json');

  interface Row {
    what: string;
    change: (folder: string) => void | Promise<void>;
    model?: ModelConfig;
    says: RegExp;
  }
  it.each<Row>([
    {
      what: 'no folder',
      change: (folder) => rmSync(folder, { recursive: true }),
      says: /^notFound: .* is not there; give the folder of a LoRA adapter/,
    },
    {
      what: 'no config',
      change: (folder) => rmSync(config(folder)),
      says: /^notFound: .* has no adapter_config\.json; give/,
    },
    {
      what: 'no weights',
      change: (folder) => rmSync(weights(folder)),
      says: /^notFound: .* has no adapter_model\.safetensors; get/,
    },
    {
      what: 'a pickle',
      change: (folder) => {
        rmSync(weights(folder));
        writeFileSync(join(folder, 'adapter_model.bin'), 'pickle');
      },
      says: /^notFound: .* holds only adapter_model\.bin, which may run code when it is loaded; save/,
    },
    {
      what: 'broken JSON',
      change: (folder) => writeFileSync(config(folder), '{'),
      says: /^damagedCheckpoint: .*adapter_config\.json is not valid JSON/,
    },
    {
      what: 'a list',
      change: (folder) => writeFileSync(config(folder), '[]'),
      says: /^damagedCheckpoint: .* is not a JSON object/,
    },
    {
      what: 'another method',
      change: setting({ peft_type: 'IA3' }),
      says: /^unsupportedModel: .* has the peft_type "IA3"; supported is plain LoRA/,
    },
    {
      what: 'no method',
      change: setting({ peft_type: undefined }),
      says: /^unsupportedModel: .* has no peft_type; supported/,
    },
    {
      what: 'DoRA',
      change: setting({ use_dora: true }),
      says: /^unsupportedModel: .* sets use_dora "true"; supported/,
    },
    { what: 'a bias', change: setting({ bias: 'lora_only' }), says: /^unsupportedModel: .* sets bias .*lora_only/ },
    {
      what: "LoRA's own bias",
      change: setting({ lora_bias: true }),
      says: /^unsupportedModel: .* sets lora_bias "true"/,
    },
    {
      what: 'whole modules',
      change: setting({ modules_to_save: ['lm_head'] }),
      says: /^unsupportedModel: .* sets modules_to_save .*lm_head/,
    },
    {
      what: 'transposed weights',
      change: setting({ fan_in_fan_out: true }),
      says: /^unsupportedModel: .* sets fan_in_fan_out/,
    },
    {
      what: 'repeated blocks',
      change: setting({ layer_replication: [[0, 2]] }),
      says: /^unsupportedModel: .* sets layer_replication/,
    },
    {
      what: 'PiSSA',
      change: setting({ init_lora_weights: 'pissa_niter_4' }),
      says: /^unsupportedModel: .* sets init_lora_weights .*pissa/,
    },
    {
      what: 'no rank',
      change: setting({ r: undefined }),
      says: /^damagedCheckpoint: .* has something unexpected in r; get/,
    },
    { what: 'a rank of 0', change: setting({ r: 0 }), says: /^damagedCheckpoint: .* unexpected in r;/ },
    {
      what: 'alpha as text',
      change: setting({ lora_alpha: '8' }),
      says: /^damagedCheckpoint: .* unexpected in lora_alpha;/,
    },
    {
      what: 'a dropout of 1',
      change: setting({ lora_dropout: 1 }),
      says: /^damagedCheckpoint: .* unexpected in lora_dropout;/,
    },
    {
      what: 'a pattern of text',
      change: setting({ rank_pattern: { q_proj: 'x' } }),
      says: /^damagedCheckpoint: .* unexpected in rank_pattern\.q_proj;/,
    },
    {
      what: 'a pattern without end',
      change: setting({ rank_pattern: { '(a+)+': 3 } }),
      says: /^unsupportedModel: .*adapter_config\.json: The pattern .* is too involved/,
    },
    {
      what: 'no targets',
      change: setting({ target_modules: undefined }),
      says: /^damagedCheckpoint: .* unexpected in target_modules;/,
    },
    {
      what: 'another rank than that of the tensors',
      change: setting({ r: 3 }),
      says: /^badChoice: .* in the shape \[2,64\], but for this model and rank 3 it is \[3,64\]; is it the adapter of another model\?$/,
    },
    {
      what: 'another width',
      change: () => {},
      model: { ...stories, width: 32 },
      says: /^badChoice: .* in the shape \[2,64\], but for this model and rank 2 it is \[2,32\]/,
    },
    {
      what: 'fewer key/value heads',
      change: () => {},
      model: { ...stories, nKeyValueHeads: 2 },
      says: /^badChoice: .*v_proj\.lora_B\.weight" in the shape \[32,2\], but .* \[16,2\]/,
    },
    {
      what: 'a model with fewer blocks',
      change: () => {},
      model: withBlocks(3),
      says: /^badChoice: .* adapts model\.layers\.3\.self_attn\.q_proj, but the model has blocks 0 to 2; is it/,
    },
    {
      what: 'a model with more blocks',
      change: () => {},
      model: withBlocks(5),
      says: /^badChoice: .* has nothing for model\.layers\.4\.self_attn\.q_proj, though its adapter_config\.json targets that; is it/,
    },
    {
      what: 'targets without tensors',
      change: setting({ target_modules: ['q_proj', 'v_proj', 'k_proj'] }),
      says: /^badChoice: .* has nothing for model\.layers\.0\.self_attn\.k_proj/,
    },
    {
      what: 'no tensors at all',
      change: async (folder) => {
        setting({ target_modules: 'x' })(folder);
        await changeTensors(folder, () => null);
      },
      says: /^badChoice: .* adapts nothing of this model/,
    },
    {
      what: 'one matrix of two',
      change: only(q0, () => null),
      says: /^damagedCheckpoint: .* of model\.layers\.0\.self_attn\.q_proj it has only lora_B; get/,
    },
    {
      what: 'the head',
      change: only(q0, () => ({ name: 'base_model.model.lm_head.lora_A.weight' })),
      says: /^unsupportedModel: .* holds "base_model\.model\.lm_head\.lora_A\.weight"; supported are/,
    },
    {
      what: 'a magnitude',
      change: only(q0, () => ({ name: q0.replace('lora_A.weight', 'lora_magnitude_vector') })),
      says: /^unsupportedModel: .* holds .*lora_magnitude_vector/,
    },
    {
      what: "an adapter's name in the keys",
      change: only(q0, () => ({ name: q0.replace('.weight', '.default.weight') })),
      says: /^unsupportedModel: .* holds .*default/,
    },
    {
      what: 'another projection',
      change: only(q0, () => ({ name: q0.replace('q_proj', 'qkv_proj') })),
      says: /^badChoice: .* adapts model\.layers\.0\.self_attn\.qkv_proj, but the model has no such projection/,
    },
    {
      what: 'whole numbers',
      change: only(q0, () => ({ dtype: 'I32' })),
      says: /^unsupportedModel: .* as I32; supported are F64, F32, F16 and BF16\.$/,
    },
    {
      what: 'numbers that are none',
      change: only(q0, ({ data }) => {
        data[5] = Number.NaN;
        return {};
      }),
      says: /^damagedCheckpoint: .* holds numbers that are not finite/,
    },
    {
      what: 'weights that were cut off',
      change: (folder) => writeFileSync(weights(folder), weightsOf(folder).subarray(0, 3000)),
      says: /^damagedCheckpoint: .*adapter_model\.safetensors is damaged: .*cut off/,
    },
    {
      what: 'weights that are none',
      change: (folder) => writeFileSync(weights(folder), 'no'),
      says: /^damagedCheckpoint: .* is damaged/,
    },
    {
      what: 'the output of a dropped sublayer',
      change: (folder) => writeAdapterFiles(folder, madeFor(stories, { targets: ['all-linear'] })),
      model: withBlocks(4, { 2: 'attentionOnly' }),
      says: /^badChoice: .* adapts model\.layers\.2\.mlp\.down_proj, which pruning has dropped; take .* or delete the model's espalier\.json/,
    },
  ])('$what', async ({ change, model = stories, says }) => {
    const folder = await written(stories);
    await change(folder);
    expect(await refusal(readAdapter(folder, model))).toMatch(says);
  });

  it('a file in place of a folder', async () => {
    const file = join(place(), 'file');
    writeFileSync(file, '');
    expect(await refusal(readAdapter(file, stories))).toMatch(/^notFound: .* is a file; give the folder/);
  });

  it('bytes that were flipped are never taken for something else than a UserError', async () => {
    const folder = await written(stories);
    const bytes = weightsOf(folder);
    const copy = place();
    cpSync(folder, copy, { recursive: true });
    await fc.assert(
      fc.asyncProperty(fc.nat(1500), fc.nat(255), async (at, value) => {
        const flipped = Buffer.from(bytes);
        flipped[at] = value;
        writeFileSync(weights(copy), flipped);
        await refusal(readAdapter(copy, stories));
      }),
      { numRuns: 300 },
    );
  });
});
