// How many bytes the parts of a run take, from the shapes of the model. Pure.
import { size } from '../graph/value';
import type { ModelConfig } from '../model/config';
import { blockGroup, groupBytes, headGroups } from './weightStore';

/** Bytes of the weights that stay on the device, of the largest group that passes, and of the largest of all. */
export interface WeightSizes {
  readonly staying: number;
  readonly passing: number;
  readonly largest: number;
}

/** All groups of a model, with the head in slices of so many rows. */
export function weightSizes(config: ModelConfig, headSliceRows: number) {
  const blocks = blockBytes(config);
  const slices = headGroups(config, headSliceRows).map(groupBytes);
  const largest = Math.max(...blocks, ...slices);
  return {
    resident: { staying: sum(blocks) + sum(slices), passing: 0, largest } as WeightSizes,
    /** So many blocks stay, and the head or not. */
    withStaying(nBlocks: number, head: boolean): WeightSizes {
      const stays = (block: number) => blockStays(block, nBlocks, config.nBlocks);
      const staying = (head ? sum(slices) : 0) + sum(blocks.filter((_, block) => stays(block)));
      const passing = Math.max(0, ...blocks.filter((_, block) => !stays(block)), ...(head ? [] : slices));
      return { staying, passing, largest };
    },
  };
}

const known = new WeakMap<ModelConfig, readonly number[]>();

/** Bytes of each block; a plan asks for them again and again. */
function blockBytes(config: ModelConfig): readonly number[] {
  const bytes = known.get(config) ?? config.blocks.map((_, block) => groupBytes(blockGroup(config, block)));
  known.set(config, bytes);
  return bytes;
}

/**
 * What the allocator of the host loses between states that are kept while products widen whole numbers: a state may come to lie where a
 * matrix was widened, and the next matrix is then widened elsewhere. Halves lose nothing. Found by measurement, see
 * docs/measurements.md.
 */
export const lostBetweenStates = (config: ModelConfig, nStates: number, stateBytes: number): number =>
  nStates * Math.min(widenedBytes(config), stateBytes);

/** The largest matrix of a block that is held in whole numbers, as a product widens it; 0: there is none. */
const widenedBytes = (config: ModelConfig): number =>
  Math.max(
    0,
    ...config.blocks.flatMap((_, block) =>
      blockGroup(config, block)
        .parts.filter(({ width }) => width === 'int8' || width === 'int4')
        .map(({ shape }) => 4 * size(shape)),
    ),
  );

/** Blocks that stay are spread evenly, so that each of the others is read while some that stay compute. */
export const blockStays = (block: number, nStaying: number, nBlocks: number): boolean =>
  Math.floor(((block + 1) * nStaying) / nBlocks) > Math.floor((block * nStaying) / nBlocks);

/** The most that one run of a forward pass holds beside weights and hidden states. */
export function activationBytes(config: ModelConfig, sequences: number, T: number, headSliceRows: number): number {
  const { width: D, mlpWidth: F, nHeads: H, headWidth: E } = config;
  const rows = sequences * T;
  const block = rows * (4 * D + 3 * F + 4 * H * E) + 3 * sequences * H * Math.min(T, 128) * T;
  const head = rows * (2 * D + 2 * headSliceRows);
  return 4 * Math.max(block, head);
}

// Sizes found by measurement on two cores, see docs/measurements.md: activations of about a thousand tokens stay in cache.
const logitsBytes = 16e6;
const largestStreamedSliceBytes = 64e6;

/** Rows of the vocabulary worked at a time. */
export function sliceRows(config: ModelConfig, rows: number): number {
  const byLogits = logitsBytes / (4 * rows);
  const byWeights = largestStreamedSliceBytes / (4 * config.width);
  const power = 2 ** Math.floor(Math.log2(Math.max(256, Math.min(byLogits, byWeights))));
  return Math.min(power, config.vocabularySize);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);
