// Which projections of a model get a LoRA adapter (arXiv:2106.09685), how large it is and how strong, by PEFT's rules:
// y = W x + scaling B A x, with A [R, in] and B [out, R]. Pure; the files are checkpoint/adapter.ts.
import { UserError } from '../errors';
import type { AdapterOptions } from '../recipes/heal/adapterOptions';
import { adapterRanks } from './adapterRanks';
import type { ModelConfig } from './config';
import { blockWeightName, blockWeights } from './weights';

/** The projections of all families, in the order of use: those of a family with fused ones stand beside the others. */
export const adapterTargets = [
  'q_proj',
  'k_proj',
  'v_proj',
  'qkv_proj',
  'o_proj',
  'gate_proj',
  'up_proj',
  'gate_up_proj',
  'down_proj',
] as const;

/** A projection of a block. */
export interface Projection {
  readonly block: number;
  /** `q_proj`, `up_proj` and so on. */
  readonly target: string;
  /** As in `model.layers.<block>.<suffix>`: `self_attn.q_proj`, `mlp.up_proj`. */
  readonly suffix: string;
  readonly outFeatures: number;
  readonly inFeatures: number;
}

/** A projection with an adapter: A [rank, inFeatures], B [outFeatures, rank]. */
export interface AdaptedModule extends Projection {
  readonly rank: number;
  readonly alpha: number;
  /** What B A x is multiplied by: alpha / rank, or alpha / sqrt(rank) for rsLoRA (arXiv:2312.03732). */
  readonly scaling: number;
}

/** What an adapter is like, whatever it began with. */
export type AdapterForm = Omit<AdapterOptions, 'init'>;

/** The part of a checkpoint's provenance that says where pruning left gaps. */
export interface PrunedFrom {
  readonly keptBlocks: readonly number[];
  readonly baseModel: { readonly nBlocks: number };
}

/** `model.layers.3.mlp.up_proj`: the module's name in PyTorch, and what adapters are looked up by. */
export const moduleKey = ({ block, suffix }: Projection): string => blockWeightName(block, suffix);

/**
 * The modules that get an adapter, blocks in order, within a block in the order of `adapterTargets`.
 * @param pruned the checkpoint's provenance; null for a model that was never pruned
 * @throws UserError `usage` for options that make no sense, `badChoice` for those that do not fit the model.
 */
export function adaptedModules(config: ModelConfig, options: AdapterForm, pruned: PrunedFrom | null): AdaptedModule[] {
  refuseDropout(options.dropout);
  const targets = chosenTargets(config, options.targets);
  const blocks = new Set(chosenBlocks(options.blocks, config.nBlocks, pruned));
  const ranks = adapterRanks(options);
  const chosen = projections(config).filter(({ block, target }) => blocks.has(block) && targets.has(target));
  if (chosen.length === 0) {
    throw new UserError(
      'badChoice',
      `The adapter would be empty: blocks ${[...blocks].join(', ')} have no ${[...targets].join(', ')}; choose other targets or blocks.`,
    );
  }
  ranks.refuseIdle(chosen.map(moduleKey));
  return chosen.map((projection) => ({ ...projection, ...ranks.of(moduleKey(projection)) }));
}

/** All projections of a model. Of a block with a dropped sublayer only those of its other one, unless `dropped` is `included`. */
export function projections(config: ModelConfig, dropped: 'leftOut' | 'included' = 'leftOut'): Projection[] {
  return config.blocks.flatMap(({ sublayers }, block) =>
    blockWeights(config, dropped === 'leftOut' ? sublayers : 'whole').flatMap(({ suffix: weight, shape }) => {
      const target = adapterTargets.find((name) => weight.endsWith(`.${name}.weight`));
      if (!target) return [];
      const [outFeatures, inFeatures] = shape as [number, number];
      return [{ block, target, suffix: weight.slice(0, -'.weight'.length), outFeatures, inFeatures }];
    }),
  );
}

function chosenTargets(config: ModelConfig, names: readonly string[]): ReadonlySet<string> {
  const own = new Set(projections(config, 'included').map(({ target }) => target));
  if (names.length === 1 && names[0] === 'all-linear') return own;
  const choices = `choose from ${[...own].join(', ')}, or all-linear alone`;
  if (names.length === 0) throw new UserError('usage', `The adapter has no targets; ${choices}.`);
  const unknown = names.find((name) => !own.has(name));
  if (unknown !== undefined) throw new UserError('usage', `${unknown} is no target of an adapter; ${choices}.`);
  return new Set(names);
}

function chosenBlocks(blocks: AdapterOptions['blocks'], nBlocks: number, pruned: PrunedFrom | null): readonly number[] {
  if (blocks === 'all') return Array.from({ length: nBlocks }, (_, k) => k);
  if (blocks === 'cutAdjacent') return besideGaps(pruned);
  if (blocks.length === 0) throw new UserError('usage', 'The adapter has no blocks; name some, or choose all.');
  const outside = blocks.find((k) => !Number.isInteger(k) || k < 0 || k >= nBlocks);
  if (outside !== undefined) {
    throw new UserError(
      'badChoice',
      `Block ${outside} cannot get an adapter; the model has blocks 0 to ${nBlocks - 1}.`,
    );
  }
  return [...blocks].sort((a, b) => a - b);
}

/** The blocks directly before and after each gap, those at the model's two ends included. */
function besideGaps(pruned: PrunedFrom | null): readonly number[] {
  const kept = pruned?.keptBlocks ?? [];
  const last = kept.length - 1;
  const beside = kept.flatMap((block, k) => {
    const before = k === 0 ? -1 : kept[k - 1]!;
    const after = k === last ? pruned!.baseModel.nBlocks : kept[k + 1]!;
    return block - before > 1 || after - block > 1 ? [k] : [];
  });
  if (beside.length > 0) return beside;
  throw new UserError(
    'badChoice',
    'No block lies beside a gap, since no whole block was pruned from this model; choose all blocks, or name some.',
  );
}

function refuseDropout(dropout: number): void {
  if (dropout >= 0 && dropout < 1) return;
  throw new UserError('usage', `A dropout of ${dropout} makes no sense; give a share from 0 up to 1, such as 0.05.`);
}
