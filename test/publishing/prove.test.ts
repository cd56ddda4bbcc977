// The proof of a folder: a whole one passes, and each kind of damage is found by the check that is there for it.
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenSource } from '../../server/protocol/recipes';
import { healDefaults } from '../../server/recipes/heal/recipe';
import type { ProveReport } from '../../server/recipes/prove/recipe';
import type { ProofCheckName } from '../../server/protocol/proofChecks';
import { ofBlocks } from '../../server/shared/dropSets';
import { modelFolder, repoRoot } from '../fixtures';
import { onCpu, runHere } from '../recipes/runHere';

const root = mkdtempSync(join(tmpdir(), 'prove-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const original = modelFolder('stories260k');
const text = join(repoRoot, 'media/demo/tinystories.txt');
const source: TokenSource = {
  kind: 'text',
  files: [text],
  field: null,
  sequences: 4,
  tokens: 64,
  start: 0,
  bos: 'none',
  sampling: 'consecutive',
  seed: 0,
};
const [pruned, ofPruned, ofOriginal] = [join(root, 'pruned'), join(root, 'pruned.json'), join(root, 'original.json')];

beforeAll(async () => {
  await runHere({
    kind: 'prune',
    model: original,
    rule: { kind: 'chosen', blocks: [2], attention: [3], mlp: [] },
    source: null,
    repair: null,
    out: pruned,
    dtype: null,
    maxShardBytes: null,
    mergekit: null,
    compute: onCpu,
  });
  const losses = { kind: 'perplexity' as const, source, compute: onCpu };
  const [own, run] = [
    await runHere({ ...losses, models: [pruned], drop: ofBlocks([]) }),
    await runHere({ ...losses, models: [original], drop: { blocks: [2], attention: [3], mlp: [] } }),
  ];
  writeFileSync(ofPruned, JSON.stringify(own));
  writeFileSync(ofOriginal, JSON.stringify(run));
});

const prove = (model: string, change: { original?: string | null; reports?: string[]; texts?: string[] } = {}) =>
  runHere({ kind: 'prove', model, original, reports: [], texts: [], compute: onCpu, ...change });

const outcomes = ({ checks }: ProveReport) => Object.fromEntries(checks.map(({ check, outcome }) => [check, outcome]));
const sentence = ({ checks }: ProveReport, check: ProofCheckName) => checks.find((it) => it.check === check)!.sentence;

const all = {
  opens: 'passed',
  files: 'passed',
  config: 'passed',
  finite: 'passed',
  tokenizer: 'passed',
  logits: 'passed',
  loss: 'passed',
  generation: 'passed',
};

describe('a whole folder', () => {
  it.each([
    { what: 'a report of its own', report: ofPruned },
    { what: 'a report of the original without the same', report: ofOriginal },
  ])('passes all checks with $what', async ({ report }) => {
    const proof = await prove(pruned, { reports: [report], texts: [text] });
    expect(outcomes(proof)).toEqual(all);
    expect(proof.passed).toBe(true);
  });

  it('passes what can be checked where nothing is at hand', async () => {
    const alone = join(root, 'elsewhere', 'pruned');
    cpSync(pruned, alone, { recursive: true });
    const proof = await prove(alone, { original: null, reports: [ofPruned] });
    expect(outcomes(proof)).toEqual({ ...all, tokenizer: 'notChecked', logits: 'notChecked', loss: 'notChecked' });
    expect(sentence(proof, 'loss')).toMatch(/^The text of the report is not at hand \(tinystories.txt\)/);
    expect(proof.passed).toBe(true);
  });
});

it('a folder passes with the loss that its pruning measured after rounding', async () => {
  const [folder, report] = [join(root, 'rounded'), join(root, 'prune.json')];
  const pruning = await runHere({
    kind: 'prune',
    model: original,
    rule: { kind: 'method', method: 'weightMagnitude', count: 1, protected: [] },
    source,
    repair: null,
    out: folder,
    dtype: 'bf16',
    maxShardBytes: null,
    mergekit: null,
    compute: onCpu,
  });
  writeFileSync(report, JSON.stringify({ ...pruning, out: 'rounded' }));
  const proof = await prove(folder, { reports: [report], texts: [text] });
  expect(outcomes(proof)).toEqual({ ...all, logits: 'notChecked' });
  expect(sentence(proof, 'logits')).toContain('(rounding to bf16)');
});

describe('a folder', () => {
  const json = (folder: string, file: string, change: (json: Record<string, unknown>) => void) => {
    const path = join(folder, file);
    const content = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    change(content);
    writeFileSync(path, JSON.stringify(content));
  };
  const weights = (folder: string, change: (floats: Float32Array) => void) => {
    const path = join(folder, 'model.safetensors');
    const bytes = readFileSync(path);
    const headerBytes = 8 + Number(bytes.readBigUInt64LE(0));
    const floats = new Float32Array(new Uint8Array(bytes.subarray(headerBytes)).buffer);
    change(floats);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, headerBytes), Buffer.from(floats.buffer)]));
  };

  it.each<{ damage: string; make(folder: string): void; fails: ProofCheckName; says: RegExp }>([
    {
      damage: 'a pickle',
      make: (folder) => writeFileSync(join(folder, 'optimizer.pt'), ''),
      fails: 'files',
      says: /^optimizer.pt is a pickle/,
    },
    {
      damage: 'a pickle under another name',
      make: (folder) => writeFileSync(join(folder, 'notes.txt'), Buffer.from([0x80, 4, 0x95, 0])),
      fails: 'files',
      says: /^notes.txt is a pickle/,
    },
    {
      damage: 'code',
      make: (folder) => writeFileSync(join(folder, 'modeling_own.py'), 'pass'),
      fails: 'files',
      says: /^modeling_own.py is a program/,
    },
    {
      damage: 'a configuration that names code',
      make: (folder) => json(folder, 'config.json', (config) => (config.auto_map = { AutoConfig: 'o--a.B' })),
      fails: 'files',
      says: /names code in auto_map \(AutoConfig\)/,
    },
    {
      damage: 'a list for the blocks before pruning',
      make: (folder) => json(folder, 'config.json', (config) => (config.moe_layer_freq = Array(5).fill(1))),
      fails: 'config',
      says: /has 4 blocks, but moe_layer_freq has 5 entries/,
    },
    {
      damage: 'a list that names a block that is gone',
      make: (folder) => json(folder, 'config.json', (config) => (config.full_attention_layers = [1, 4])),
      fails: 'config',
      says: /has 4 blocks, but full_attention_layers names block 4/,
    },
    {
      damage: 'a number that is not finite',
      make: (folder) => weights(folder, (floats) => (floats[7] = Number.NaN)),
      fails: 'finite',
      says: /holds NaN at \[/,
    },
    {
      damage: 'other weights',
      make: (folder) => weights(folder, (floats) => floats.fill(0.01, 40_000, 50_000)),
      fails: 'logits',
      says: /is not stories260k without blocks/,
    },
    {
      damage: 'another tokenizer',
      make: (folder) => writeFileSync(join(folder, 'tokenizer.json'), '\n', { flag: 'a' }),
      fails: 'tokenizer',
      says: /is not that of stories260k/,
    },
    {
      damage: 'no tokenizer',
      make: (folder) => rmSync(join(folder, 'tokenizer.json')),
      fails: 'opens',
      says: /tokenizer.json/,
    },
    {
      damage: 'half of its weights',
      make: (folder) => renameSync(join(folder, 'model.safetensors'), join(folder, 'other.safetensors')),
      fails: 'opens',
      says: /safetensors/,
    },
  ])('with $damage fails by $fails', async ({ damage, make, fails, says }) => {
    const folder = join(root, damage.replaceAll(' ', '-'));
    cpSync(pruned, folder, { recursive: true });
    make(folder);
    const proof = await prove(folder);
    expect(proof.passed).toBe(false);
    const found = proof.checks.filter(({ outcome }) => outcome === 'failed');
    expect(found).toEqual([{ check: fails, outcome: 'failed', sentence: expect.stringMatching(says) }]);
  });

  it('with another loss than that of its report fails by its loss', async () => {
    const other = join(root, 'other.json');
    const report = JSON.parse(readFileSync(ofPruned, 'utf8')) as { models: { lossNats: number }[] };
    report.models[0]!.lossNats += 0.01;
    writeFileSync(other, JSON.stringify(report));
    const proof = await prove(pruned, { reports: [other], texts: [text] });
    expect(outcomes(proof)).toEqual({ ...all, loss: 'failed' });
    expect(sentence(proof, 'loss')).toMatch(/but the report says/);
  });
});

it('a folder with changed weights is not held against the original', async () => {
  const folder = join(root, 'narrow');
  await runHere({
    kind: 'prune',
    model: original,
    rule: { kind: 'chosen', blocks: [2], attention: [], mlp: [] },
    mlpWidth: 128,
    source,
    repair: null,
    out: folder,
    dtype: 'bf16',
    maxShardBytes: null,
    mergekit: null,
    compute: onCpu,
  });
  const proof = await prove(folder);
  expect(outcomes(proof)).toEqual({ ...all, logits: 'notChecked', loss: 'notChecked' });
  expect(sentence(proof, 'logits')).toContain('(narrower MLPs, rounding to bf16)');
});

it('what is not there is said to be not there', () =>
  expect(prove(join(root, 'none'))).rejects.toThrow(
    /^There is no folder .*none; give the folder of a model or an adapter\.$/,
  ));

describe('an adapter', () => {
  const [adapter, report, other] = [join(root, 'adapter'), join(root, 'heal.json'), join(root, 'other-heal.json')];
  beforeAll(async () => {
    const { data, loop } = healDefaults;
    const healed = await runHere({
      ...healDefaults,
      model: pruned,
      data: { ...data, files: [text], tokens: 32, heldOutFraction: 0.01 },
      optimizer: { ...healDefaults.optimizer, learningRate: 5e-3, warmupSteps: 0 },
      loop: { ...loop, steps: 4, microBatchSequences: 2 },
      out: adapter,
      compute: onCpu,
    });
    writeFileSync(report, JSON.stringify(healed));
    writeFileSync(other, JSON.stringify({ ...healed, healed: healed.pruned }));
  });
  const whole = { opens: 'passed', files: 'passed', finite: 'passed', tokenizer: 'notChecked' };

  it('passes with the model that it names, its report and its data', async () => {
    const proof = await prove(adapter, { original: null, reports: [report], texts: [text] });
    expect(proof.of).toBe('adapter');
    expect(outcomes(proof)).toEqual({ ...whole, loss: 'passed' });
  });

  it.each([
    { without: 'its report', reports: [], texts: [text], says: /No report says what its held-out loss is/ },
    { without: 'its data', reports: [report], texts: [], says: /The data that it was healed on are not at hand/ },
  ])('is not measured without $without', async ({ reports, texts, says }) => {
    const proof = await prove(adapter, { original: pruned, reports, texts });
    expect(outcomes(proof)).toEqual({ ...whole, loss: 'notChecked' });
    expect(sentence(proof, 'loss')).toMatch(says);
  });

  it('fails with another loss than that of its report', async () => {
    const proof = await prove(adapter, { original: pruned, reports: [other], texts: [text] });
    expect(outcomes(proof)).toEqual({ ...whole, loss: 'failed' });
  });

  it('fails with another model', async () => {
    const proof = await prove(adapter, { original });
    expect(outcomes(proof).opens).toBe('failed');
    expect(sentence(proof, 'opens')).toMatch(new RegExp(basename(adapter)));
  });
});
