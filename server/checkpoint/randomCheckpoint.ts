// A checkpoint of any shape with random weights: as large and as slow as the real model, without its licence or download.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig, WeightDtype } from '../model/config';
import { readModelConfig } from '../model/readConfig';
import { weightShapes } from '../model/weights';
import { copyAuxiliaryFiles, findAuxiliaryFiles } from './auxiliaryFiles';
import { narrowInto } from './dtype';
import { withStagedFolder } from './stagedFolder';
import { sumBytes, writeWeightFiles } from './weightFiles';

export interface RandomCheckpointOptions {
  /** The content of a config.json; written as it is. */
  readonly configJson: Readonly<Record<string, unknown>>;
  /** Where tokenizer files are copied from; null for none. */
  readonly tokenizerFolder: string | null;
  readonly out: string;
  readonly seed: number;
  readonly maxShardBytes: number;
}

/**
 * Writes a checkpoint in the config's dtype: linears and embeddings normal with deviation 0.02, norms the identity, biases 0.
 * The same seed gives the same bytes, whatever the shard size.
 * @returns bytes of weights written
 * @throws UserError `unsupportedModel` or `cannotWrite`.
 */
export async function writeRandomCheckpoint(options: RandomCheckpointOptions): Promise<number> {
  const { configJson, tokenizerFolder, out, seed, maxShardBytes } = options;
  const config = readModelConfig(configJson);
  const tensors = [...weightShapes(config)].map(([name, shape]) => ({ name, shape, dtype: config.dtype }));
  const auxiliaryFiles = tokenizerFolder === null ? [] : (await findAuxiliaryFiles(tokenizerFolder)).files;
  const weightBytes = sumBytes(tensors);
  const chunksOf = randomChunks(config, seed);
  await withStagedFolder(
    out,
    async (stage) => {
      await writeFile(join(stage, 'config.json'), `${JSON.stringify(configJson, null, 2)}\n`);
      if (tokenizerFolder !== null) await copyAuxiliaryFiles(auxiliaryFiles, tokenizerFolder, stage);
      await writeWeightFiles(stage, tensors, maxShardBytes, chunksOf);
    },
    { sources: tokenizerFolder === null ? [] : [tokenizerFolder], neededBytes: weightBytes },
  );
  return weightBytes;
}

const chunkWords = 2 ** 20;

/** Bytes of a weight, drawn by a generator of its own, seeded by the weight's name. */
function randomChunks({ dtype, form }: ModelConfig, seed: number) {
  const normals = normalTable(dtype, 0.02);
  const identity = form.normAddsOne ? 0 : bitsOf(dtype, new Float32Array([1]))[0]!;
  const words = new Uint32Array(chunkWords);
  const numbersPerWord = dtype === 'F32' ? 1 : 2;
  return function* ({ name, shape }: { name: string; shape: readonly number[] }) {
    let state = hash(`${seed} ${name}`);
    const constant = name.endsWith('norm.weight') ? identity : name.endsWith('.bias') ? 0 : null;
    const nBytes = shape.reduce((n, dim) => n * dim, 4 / numbersPerWord);
    for (let done = 0; done < nBytes; done += 4 * chunkWords) {
      const chunkBytes = Math.min(4 * chunkWords, nBytes - done);
      const n = Math.ceil(chunkBytes / 4);
      if (constant !== null) words.fill(numbersPerWord === 1 ? constant : constant | (constant << 16));
      else state = drawNormals(words, n, state, normals, numbersPerWord);
      yield new Uint8Array(words.buffer, 0, chunkBytes);
    }
  };
}

/** Fills `n` words by a xorshift generator and returns its new state: one f32, or two 16-bit numbers, a word. */
function drawNormals(words: Uint32Array, n: number, seed: number, normals: Uint32Array, numbersPerWord: 1 | 2): number {
  let state = seed;
  for (let i = 0; i < n; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] =
      numbersPerWord === 1 ? normals[state >>> 16]! : normals[state & 0xffff]! | (normals[state >>> 16]! << 16);
  }
  return state;
}

/**
 * Normal numbers as bits, to be drawn by 16 random bits: the middles of 65536 equally probable intervals. The largest
 * is 4.3 deviations; that is fine for a stand-in, and a table is many times faster than drawing each number exactly.
 */
function normalTable(dtype: WeightDtype, deviation: number): Uint32Array {
  const table = new Float32Array(65536);
  for (let i = 0; i < 65536; i++) table[i] = deviation * normalQuantile((i + 0.5) / 65536);
  return bitsOf(dtype, table);
}

function bitsOf(dtype: WeightDtype, numbers: Float32Array): Uint32Array {
  if (dtype === 'F32' || dtype === 'F64') return new Uint32Array(numbers.buffer);
  const narrowed = new Uint16Array(numbers.length);
  narrowInto(dtype, numbers, narrowed);
  return Uint32Array.from(narrowed);
}

/** The x whose normal distribution function is `p`, by Newton's method on a rough start. */
function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  let x = -(t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t)); // Abramowitz and Stegun 26.2.22
  for (let i = 0; i < 3; i++) x -= (distribution(x) - p) / (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI));
  return x;
}

/** The normal distribution function for x <= 0, by the series of its integral from 0. */
function distribution(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; Math.abs(term) > 1e-17; k++) {
    term *= (-x * x) / (2 * k);
    sum += term / (2 * k + 1);
  }
  return 0.5 + sum / Math.sqrt(2 * Math.PI);
}

/** FNV-1a over the text, never 0, since xorshift would stay there. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h || 1;
}
