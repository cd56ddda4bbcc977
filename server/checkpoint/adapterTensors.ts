// The matrices of adapter_model.safetensors, matched with the projections of a model.
import { UserError } from '../errors';
import { type AdaptedModule, moduleKey } from '../model/adapter';
import { parseBlockWeightName } from '../model/weights';
import type { ByteSource } from './byteSource';
import { readSafetensorsHeader, type TensorEntry } from './safetensors';
import { quote } from './strictJson';
import { type WeightEntry, weightReader } from './weightReader';

export interface LowRank {
  readonly a: Float32Array; // [R, in]
  readonly b: Float32Array; // [out, R]
}

/**
 * Closes the source.
 * @param modules every projection of the model, with the rank that its adapter has if it has one
 * @returns A [R, in] and B [out, R] by `moduleKey`, of those projections that have an adapter
 * @throws UserError `badChoice` where names or shapes are those of another model, `unsupportedModel`, `damagedCheckpoint`.
 */
export async function readAdapterTensors(
  source: ByteSource,
  modules: readonly AdaptedModule[],
  nBlocks: number,
): Promise<Map<string, LowRank>> {
  const path = source.name;
  try {
    const { tensors } = await readSafetensorsHeader(source);
    const byKey = new Map(modules.map((module) => [moduleKey(module), module]));
    const entries = tensors.map((tensor) => matched(path, tensor, byKey, nBlocks));
    const { readF32 } = weightReader(new Map(entries.map((entry) => [entry.name, entry])), new Map([[path, source]]));
    const parts = new Map<string, { a?: Float32Array; b?: Float32Array }>();
    for (const { name, key, part } of entries) {
      const numbers = await readF32(name);
      if (!numbers.every(Number.isFinite)) {
        throw new UserError(
          'damagedCheckpoint',
          `${path} is damaged: ${quote(name)} holds numbers that are not finite; did its training diverge?`,
        );
      }
      parts.set(key, { ...parts.get(key), [part]: numbers });
    }
    return new Map([...parts].map(([key, { a, b }]) => [key, pair(path, key, a, b)]));
  } finally {
    await source.close();
  }
}

interface MatchedEntry extends WeightEntry {
  readonly key: string;
  readonly part: 'a' | 'b';
}

function matched(
  path: string,
  tensor: TensorEntry,
  modules: ReadonlyMap<string, AdaptedModule>,
  nBlocks: number,
): MatchedEntry {
  const { name, dtype, shape } = tensor;
  const [, key = '', letter] =
    /^base_model\.model\.(model\.layers\.\d{1,7}\.[\w.]+)\.lora_([AB])\.weight$/.exec(name) ?? [];
  if (letter === undefined) {
    throw new UserError(
      'unsupportedModel',
      `${path} holds ${quote(name)}; supported are lora_A and lora_B of the projections of blocks.`,
    );
  }
  const module = modules.get(key);
  if (!module) throw foreign(path, key, nBlocks);
  const { rank: R, inFeatures, outFeatures } = module;
  const expected = letter === 'A' ? [R, inFeatures] : [outFeatures, R];
  if (String(shape) !== String(expected)) {
    throw new UserError(
      'badChoice',
      `${path} holds ${quote(name)} in the shape [${shape}], but for this model and rank ${R} it is [${expected}]; is it the adapter of another model?`,
    );
  }
  if (dtype !== 'F64' && dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new UserError(
      'unsupportedModel',
      `${path} holds ${quote(name)} as ${dtype}; supported are F64, F32, F16 and BF16.`,
    );
  }
  return { ...tensor, dtype, file: path, key, part: letter === 'A' ? 'a' : 'b' };
}

/** For a module that the model does not have. */
function foreign(path: string, key: string, nBlocks: number): UserError {
  const block = parseBlockWeightName(key)?.block;
  const why =
    block !== undefined && block >= nBlocks
      ? `the model has blocks 0 to ${nBlocks - 1}`
      : 'the model has no such projection';
  return new UserError('badChoice', `${path} adapts ${key}, but ${why}; is it the adapter of another model?`);
}

function pair(path: string, key: string, a: Float32Array | undefined, b: Float32Array | undefined): LowRank {
  if (a && b) return { a, b };
  throw new UserError(
    'damagedCheckpoint',
    `${path} is damaged: of ${key} it has only lora_${a ? 'A' : 'B'}; get the adapter again.`,
  );
}
