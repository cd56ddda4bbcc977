// A LoRA adapter on disk, as PEFT has it: adapter_config.json and adapter_model.safetensors with two matrices a module,
// `base_model.model.model.layers.3.mlp.up_proj.lora_A.weight` [R, in] and `....lora_B.weight` [out, R].
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isUserError, UserError } from '../errors';
import { contentOf, readTextInside } from '../files/contained';
import { type AdaptedModule, type AdapterForm, adapterTargets, moduleKey, projections } from '../model/adapter';
import { type AdapterRanks, adapterRanks } from '../model/adapterRanks';
import type { ModelConfig } from '../model/config';
import { outputProjections } from '../model/weights';
import { type AdapterConfig, adapterConfigFile, adapterConfigJson, parseAdapterConfig } from './adapterConfig';
import { type LowRank, readAdapterTensors } from './adapterTensors';
import { openFileSource } from './byteSource';
import { isFile, isThere } from './folder';
import { writeTensors } from './safetensors';
import { writeStaged, writeStagedFile } from './stagedFile';
import { nullIfMissing } from '../shared/systemErrors';

export interface Adapter {
  /** `blocks` is `all` or a list. The modules say more exactly which they are: not every adapter is targets by blocks. */
  readonly options: AdapterForm;
  /** Blocks in order, within a block in the order of `adapterTargets`. */
  readonly modules: readonly AdaptedModule[];
  /** By `moduleKey`. */
  readonly tensors: ReadonlyMap<string, LowRank>;
  /** How many blocks the model has that it is for. */
  readonly nBlocks: number;
  /** Names the model that it is for; nobody checks it. */
  readonly baseModelNameOrPath: string | null;
}

export const adapterWeightsFile = 'adapter_model.safetensors';
export const isPartOfAdapter = (name: string): boolean => [adapterWeightsFile, adapterConfigFile].includes(name);
const tensorName = (key: string, part: 'A' | 'B') => `base_model.model.${key}.lora_${part}.weight`;

/**
 * Writes an adapter into a folder that is there, in float32. Each file appears complete or not at all, and one that was
 * there before is replaced.
 * @throws UserError `cannotWrite`.
 */
export async function writeAdapterFiles(folder: string, adapter: Adapter): Promise<void> {
  const specs = adapterSpecs(adapter);
  await writeStaged(join(folder, adapterWeightsFile), (file) =>
    writeTensors(file, specs, ({ data }) => [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]),
  );
  await writeAdapterConfig(folder, adapter);
}

/** The tensors of an adapter as its file has them. */
export function adapterSpecs({ modules, tensors }: Adapter) {
  const specs = modules.flatMap((module) => {
    const key = moduleKey(module);
    const { a, b } = tensors.get(key)!;
    const { rank: R, inFeatures, outFeatures } = module;
    return [
      { name: tensorName(key, 'A'), dtype: 'F32' as const, shape: [R, inFeatures], data: a },
      { name: tensorName(key, 'B'), dtype: 'F32' as const, shape: [outFeatures, R], data: b },
    ];
  });
  // In the order of the original writer.
  return specs.sort((one, other) => (one.name < other.name ? -1 : 1));
}

export async function writeAdapterConfig(folder: string, adapter: Adapter): Promise<void> {
  const { options, modules, nBlocks, baseModelNameOrPath } = adapter;
  const json = adapterConfigJson(options, modules, nBlocks, baseModelNameOrPath);
  await writeStagedFile(join(folder, adapterConfigFile), `${JSON.stringify(json, null, 2)}\n`);
}

/**
 * Reads an adapter for a model, of any of PEFT's dtypes, widened to f32. Whether it fits is told by its shapes and blocks.
 * Modules of dropped sublayers are left out: what they say goes through an output projection that is zero.
 * @throws UserError `notFound`, `unsupportedModel` for more than plain LoRA, `badChoice` for another model's adapter,
 *   `damagedCheckpoint`.
 */
export async function readAdapter(folder: string, config: ModelConfig): Promise<Adapter> {
  const said = parseAdapterConfig(await configText(folder), join(folder, adapterConfigFile));
  const path = join(folder, adapterWeightsFile);
  if (!(await isThere(path))) throw await noWeights(folder);
  const ranks = ranksOf(said, join(folder, adapterConfigFile));
  const all = projections(config, 'included').map((projection) => ({
    ...projection,
    ...ranks.of(moduleKey(projection)),
  }));
  const tensors = await readAdapterTensors(await openFileSource(path, await contentOf(folder)), all, config.nBlocks);
  refuseMissing(path, said, all, tensors);
  const computed = new Set(projections(config).map(moduleKey));
  refuseRevived(path, config, computed, tensors);
  const modules = all.filter((module) => tensors.has(moduleKey(module)) && computed.has(moduleKey(module)));
  if (modules.length === 0)
    throw new UserError('badChoice', `${path} adapts nothing of this model; is it the adapter of another one?`);
  return {
    options: formOf(said, modules, config.nBlocks),
    modules,
    tensors: new Map(modules.map((module) => [moduleKey(module), tensors.get(moduleKey(module))!])),
    nBlocks: config.nBlocks,
    baseModelNameOrPath: said.baseModelNameOrPath,
  };
}

/** A pattern that cannot be used is told with the file that it is in. */
function ranksOf(said: AdapterConfig, path: string): AdapterRanks {
  try {
    return adapterRanks(said);
  } catch (error) {
    throw isUserError(error) ? new UserError('unsupportedModel', `${path}: ${error.message}`) : error;
  }
}

function formOf(said: AdapterConfig, modules: readonly AdaptedModule[], nBlocks: number): AdapterForm {
  const { rank, alpha, rankPattern, alphaPattern, rsLora, dropout } = said;
  const blocks = [...new Set(modules.map(({ block }) => block))];
  return {
    rank,
    alpha,
    targets: adapterTargets.filter((name) => modules.some(({ target }) => target === name)),
    blocks: blocks.length === nBlocks ? 'all' : blocks,
    rankPattern,
    alphaPattern,
    rsLora,
    dropout,
  };
}

/** A model with more blocks, or an adapter that was cut. */
function refuseMissing(
  path: string,
  { names }: AdapterConfig,
  all: readonly AdaptedModule[],
  tensors: ReadonlyMap<string, LowRank>,
): void {
  const missing = all.find((module) => names?.(module.block, moduleKey(module)) && !tensors.has(moduleKey(module)));
  if (!missing) return;
  throw new UserError(
    'badChoice',
    `${path} has nothing for ${moduleKey(missing)}, though its ${adapterConfigFile} targets that; is it the adapter of another model?`,
  );
}

/** A sublayer that is not computed would come back to life. */
function refuseRevived(
  path: string,
  config: ModelConfig,
  computed: ReadonlySet<string>,
  tensors: ReadonlyMap<string, LowRank>,
): void {
  const revived = projections(config, 'included').find((projection) => {
    const isOutput = Object.values(outputProjections).some((suffix) => suffix === projection.suffix);
    const key = moduleKey(projection);
    return isOutput && !computed.has(key) && tensors.get(key)?.b.some((x) => x !== 0);
  });
  if (!revived) return;
  throw new UserError(
    'badChoice',
    `${path} adapts ${moduleKey(revived)}, which pruning has dropped; take an adapter without it, or delete the model's espalier.json, and the block counts as whole.`,
  );
}

async function configText(folder: string): Promise<string> {
  const path = join(folder, adapterConfigFile);
  if (await isThere(path)) return readTextInside(folder, adapterConfigFile);
  const stats = await stat(folder).catch(nullIfMissing);
  if (await isFile(join(folder, 'config.json'))) {
    throw new UserError(
      'notFound',
      `${folder} is the folder of a model, not of an adapter; give the model first and the adapter after it.`,
    );
  }
  const found = !stats ? 'is not there' : stats.isDirectory() ? `has no ${adapterConfigFile}` : 'is a file';
  throw new UserError('notFound', `${folder} ${found}; give the folder of a LoRA adapter as PEFT writes it.`);
}

async function noWeights(folder: string): Promise<UserError> {
  const pickle = await isFile(join(folder, 'adapter_model.bin'));
  return new UserError(
    'notFound',
    pickle
      ? `${folder} holds only adapter_model.bin, which may run code when it is loaded; save the adapter as ${adapterWeightsFile}.`
      : `${folder} has no ${adapterWeightsFile}; get the adapter again.`,
  );
}
