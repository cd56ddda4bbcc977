// Whole files against those of llama.cpp's own converter, byte for byte; golden.json has their hashes, made by make_golden.py.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { withCheckpoint } from '../../server/checkpoint/checkpoint';
import { architectures } from '../../server/gguf/architectures';
import { ggufHeader } from '../../server/gguf/header';
import type { Keys } from '../../server/gguf/keys';
import { asTitle, nameParts, sizeInWords } from '../../server/gguf/modelName';
import { setVocabulary } from '../../server/gguf/vocabulary';
import { bytesOf, type StoredType, storedTypes } from '../../server/gguf/storedTypes';
import { writeGguf } from '../../server/gguf/writeGguf';
import { available, dataFolder, long, modelFolder, repoRoot } from '../fixtures';

// llama.cpp knows no name for a tokenizer of 60 tokens; make_golden.py tells its converter one, too.
vi.mock(import('../../server/gguf/preTokenizers'), async (load) => {
  const real = await load();
  return { ...real, preTokenizerOf: (ids) => real.preTokenizerOf(ids) ?? 'smollm' };
});

const here = join(repoRoot, 'test/gguf');
type Hashes = Record<'f16' | 'q8_0', string>;
const golden: {
  stories260k: Hashes;
  'smollm2-135m': Hashes;
  families: Record<string, Hashes & { tokenizer: string; config: object }>;
  vocabularies: Record<string, { family: string; nTokens: number; keys: string }>;
  naming: {
    names: { id: string; nParameters: number; title: string; parts: (string | null)[] }[];
    sizes: [number, string][];
  };
  blocks: { numbers: number[] } & Record<Exclude<StoredType, 'f32'>, string>;
} = JSON.parse(readFileSync(join(here, 'golden.json'), 'utf8'));

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'espalier-gguf-'));
});
afterAll(() => rmSync(root, { recursive: true }));

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function hashOfExport(folder: string, fileType: 'f16' | 'q8_0'): Promise<string> {
  const out = join(root, 'model.gguf');
  await withCheckpoint(folder, (checkpoint) => writeGguf(checkpoint, { out, fileType }));
  return hashOf(readFileSync(out));
}

describe.each(['f16', 'q8_0'] as const)('as %s', (fileType) => {
  it('stories260k is the file of the converter', async () => {
    expect(await hashOfExport(modelFolder('stories260k'), fileType)).toBe(golden.stories260k[fileType]);
  });

  it.each(Object.entries(golden.families))('%s is the file of the converter', async (name, row) => {
    const folder = join(root, name);
    if (!existsSync(folder)) {
      cpSync(join(repoRoot, 'test/fixtures/families', name), folder, { recursive: true });
      cpSync(join(here, row.tokenizer), folder, { recursive: true });
      const config = join(folder, 'config.json');
      writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), ...row.config }));
    }
    expect(await hashOfExport(folder, fileType)).toBe(row[fileType]);
  });
});

const tokenizers = join(dataFolder, 'data/tokenizers');

const large = ['llama3', 'qwen3'];
const folderOf = (name: string) => (name === 'smollm2-135m' ? modelFolder(name) : join(tokenizers, name));

// Those of more than a hundred thousand tokens take seconds each.
describe.each(Object.entries(golden.vocabularies).filter(([name]) => long || !large.includes(name)))(
  'the tokenizer of %s',
  (name, row) => {
    it.skipIf(!available(folderOf(name)))('has the keys of the converter', async () => {
      const folder = join(root, `vocabulary-${name}`);
      cpSync(folderOf(name), folder, { recursive: true, filter: (path) => !path.endsWith('.safetensors') });
      writeFileSync(join(folder, 'config.json'), JSON.stringify({ model_type: row.family }));
      const source = { folder, configJson: {}, config: { vocabularySize: row.nTokens } };
      const keys: Keys = new Map();
      await setVocabulary(keys, architectures[row.family]!.vocabulary, source);
      expect(hashOf(ggufHeader(keys, []))).toBe(row.keys);
    });
  },
);

describe.each(long && available(modelFolder('smollm2-135m')) ? ['SmolLM2-135M'] : [])('%s', () => {
  it.each(['f16', 'q8_0'] as const)('as %s is the file of the converter', async (fileType) => {
    expect(await hashOfExport(modelFolder('smollm2-135m'), fileType)).toBe(golden['smollm2-135m'][fileType]);
  });
});

describe('a name', () => {
  it.each(golden.naming.names)('$id is taken apart', ({ id, nParameters, title, parts }) => {
    const found = nameParts(id, nParameters);
    const { fullName, organization, basename, finetune, version, sizeLabel } = found;
    expect([fullName, organization, basename, finetune, version, sizeLabel]).toEqual(parts);
    expect(asTitle(id)).toBe(title);
  });

  it.each(golden.naming.sizes)('of %d parameters says %s', (nParameters, words) => {
    expect(sizeInWords(nParameters)).toBe(words);
  });
});

describe('rows of every kind', () => {
  const numbers = Float32Array.from(golden.blocks.numbers);
  it.each(['f16', 'q8_0', 'q4_0'] as const)('are rounded as gguf-py rounds them to %s', (type) => {
    const bytes = new Uint8Array(bytesOf(type, [numbers.length]));
    storedTypes[type].write(numbers, bytes);
    expect(hashOf(bytes)).toBe(golden.blocks[type]);
  });
});
