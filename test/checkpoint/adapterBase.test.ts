// An adapter and the model that it is merged into: a word where they do not belong together, and none where they do.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withCheckpoint } from '../../server/checkpoint/checkpoint';
import { writeAdapterFiles } from '../../server/checkpoint/adapter';
import { baseWarning, writeBaseRecord } from '../../server/checkpoint/adapterBase';
import { baseRecordOf } from '../../server/checkpoint/baseRecord';
import { adaptedModules, moduleKey } from '../../server/model/adapter';
import type { Dtype } from '../../server/protocol/recipes';
import { begunBy, refuseOtherRun } from '../../server/recipes/heal/identity';
import { modelFolder } from '../fixtures';
import { healing } from '../recipes/healing';
import { onCpu, runHere } from '../recipes/runHere';

const root = mkdtempSync(join(tmpdir(), 'bases-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);
const dense = at('stories260k');

interface Cut {
  blocks?: number[];
  mlp?: number[];
  from?: string;
  dtype?: Dtype;
}
const prune = (name: string, { blocks = [], mlp = [], from = dense, dtype = 'f32' }: Cut) =>
  runHere({
    kind: 'prune',
    model: from,
    rule: { kind: 'chosen', blocks, attention: [], mlp },
    ...{ source: null, repair: null, maxShardBytes: null, mergekit: null, compute: onCpu },
    ...{ out: at(name), dtype },
  });
const merge = (model: string, adapter: string, out: string, maxShardBytes: number | null = null) =>
  runHere({
    kind: 'merge',
    model: at(model),
    adapter: at(adapter),
    out: at(out),
    dtype: null,
    maxShardBytes,
    compute: onCpu,
  });

/** An adapter of the value projections, with the record that a healing writes, or as PEFT writes it with a name alone. */
const makeAdapter = (name: string, base: string, { named = base, recorded = true, value = 0.01 } = {}) =>
  withCheckpoint(base, async (checkpoint) => {
    const { config, provenance } = checkpoint;
    const form = { rank: 1, alpha: 1, rankPattern: {}, alphaPattern: {}, rsLora: false, dropout: 0 };
    const options = { ...form, targets: ['v_proj'], blocks: [0, 1] };
    const modules = adaptedModules(config, options, provenance);
    const tensors = new Map(
      modules.map((module) => {
        const filled = (n: number) => new Float32Array(n).fill(value);
        return [moduleKey(module), { a: filled(module.inFeatures), b: filled(module.outFeatures) }];
      }),
    );
    mkdirSync(at(name));
    await writeAdapterFiles(at(name), {
      options,
      modules,
      tensors,
      nBlocks: config.nBlocks,
      baseModelNameOrPath: named,
    });
    if (recorded) await writeBaseRecord(at(name), await baseRecordOf(checkpoint));
  });

beforeAll(async () => {
  cpSync(modelFolder('stories260k'), dense, { recursive: true });
  cpSync(dense, at('other-dense'), { recursive: true });
  const weights = readFileSync(join(dense, 'model.safetensors'));
  // An embedding's first number lies right behind the header.
  weights.writeFloatLE(0.5, 8 + Number(weights.readBigUInt64LE(0)));
  writeFileSync(join(at('other-dense'), 'model.safetensors'), weights);
  await prune('cut', { blocks: [3] });
  await prune('cut-elsewhere', { blocks: [1] });
  await prune('half', { blocks: [3], mlp: [0] });
  await prune('twice', { blocks: [0], from: at('cut') });
  await prune('narrow', { blocks: [3], dtype: 'bf16' });
  cpSync(at('cut'), at('moved'), { recursive: true });
  await makeAdapter('lora', at('cut'));
  await makeAdapter('second', at('cut'), { value: 0.02 });
  await makeAdapter('of-dense', dense);
  await makeAdapter('peft', at('cut'), { recorded: false });
  await makeAdapter('peft-moved', at('cut'), { recorded: false, named: '/gone/cut' });
  await makeAdapter('peft-hub', dense, { recorded: false, named: 'someone/stories260k' });
  await makeAdapter('peft-renamed', at('cut'), { recorded: false, named: '/gone/another-name' });
  await makeAdapter('unnamed', at('cut'), { recorded: false, named: null as unknown as string });
  await merge('cut', 'lora', 'merged');
  await merge('merged', 'second', 'merged-twice');
  await merge('cut', 'lora', 'sharded', 3e5);
});

const named = (adapter: string): string | null =>
  JSON.parse(readFileSync(join(at(adapter), 'adapter_config.json'), 'utf8')).base_model_name_or_path;
const warning = (adapter: string, model: string) =>
  withCheckpoint(at(model), (checkpoint) => baseWarning(at(adapter), named(adapter), checkpoint));

describe('an adapter', () => {
  it.each([
    ['lora', 'cut'],
    ['lora', 'moved'],
    ['lora', 'narrow'],
    ['of-dense', 'stories260k'],
    ['peft', 'cut'],
    ['peft', 'moved'],
    ['peft-moved', 'cut'],
    ['peft-renamed', 'cut'],
    ['peft-hub', 'stories260k'],
    ['unnamed', 'cut'],
  ])('%s belongs to %s without a word', async (adapter, model) => {
    expect(await warning(adapter, model)).toBeNull();
  });

  const own = 'stories260k without block 3';
  it.each([
    ['lora', 'cut-elsewhere', own, 'cut-elsewhere is stories260k without block 1'],
    ['lora', 'half', own, 'half is stories260k without block 3 + MLP of 0'],
    ['lora', 'twice', own, 'twice is stories260k without blocks 0, 3'],
    ['lora', 'stories260k', own, 'stories260k is stories260k'],
    ['of-dense', 'cut', 'stories260k', `cut is ${own}`],
    ['of-dense', 'other-dense', 'stories260k', 'other-dense is other-dense'],
    ['second', 'merged', own, `merged is ${own}, lora merged`],
    ['peft', 'cut-elsewhere', own, 'cut-elsewhere is stories260k without block 1'],
    ['peft-hub', 'cut', 'stories260k', 'cut is a cut of it'],
  ])('%s is not that of %s', async (adapter, model, trained, present) => {
    const sentence = await warning(adapter, model);
    expect(sentence).toContain(`The adapter ${adapter} was trained on ${trained}, but ${present}: `);
  });

  it.each([
    ['lora', 'merged'],
    ['lora', 'sharded'],
    ['lora', 'merged-twice'],
    ['second', 'merged-twice'],
  ])('%s is in the weights of %s already', async (adapter, model) => {
    expect(await warning(adapter, model)).toBe(
      `${model} has the adapter ${adapter} in its weights already, as its espalier.json says; merged again it counts twice.`,
    );
  });

  it('is told of in the report of a merge, and in no other', async () => {
    expect(await merge('cut-elsewhere', 'lora', 'wrong')).toMatchObject({ warning: expect.stringContaining(own) });
    expect(await merge('moved', 'lora', 'right')).toMatchObject({ warning: null });
  });

  it('with a record that is none is refused', async () => {
    cpSync(at('lora'), at('damaged'), { recursive: true });
    writeFileSync(join(at('damaged'), 'espalier.json'), '{"format": 1, "kind": "adapter"}');
    await expect(warning('damaged', 'cut')).rejects.toThrow(/espalier\.json is not what a healing writes/);
  });
});

describe('a run that goes on', () => {
  const begun = (model: string) =>
    withCheckpoint(at(model), async (checkpoint) =>
      begunBy(
        healing(at(model), at('t.txt'), at('out')),
        { files: [] } as never,
        { memory: 'resident', activations: 'keep' },
        await baseRecordOf(checkpoint),
        {},
      ),
    );
  it('knows its model in another place', async () => {
    const [then, now] = [await begun('cut'), await begun('moved')];
    expect(basename(now.settings.model)).toBe('moved');
    expect(() => refuseOtherRun(then, now, 'out')).not.toThrow();
  });
  it.each([
    ['cut-elsewhere', /was begun on stories260k without block 3, not on stories260k without block 1; resume it with/],
    ['merged', /not on stories260k without block 3, lora merged/],
  ])('refuses %s', async (model, sentence) => {
    const [then, now] = [await begun('cut'), await begun(model)];
    // Even in the place of the first one.
    now.settings.model = then.settings.model;
    expect(() => refuseOtherRun(then, now, 'out')).toThrow(sentence);
  });
});
