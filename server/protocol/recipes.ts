// What recipes of several kinds have in common: where token sequences come from, what is left out of a model, how the heavy work
// is run. Each is declared once, as a schema with its defaults; its type is inferred. What only one kind has is declared in
// recipes/<kind>/recipe.ts. Indices count from 0, ranges are half-open, units end the names.
import * as z from 'zod';
import { meanings, type NamedThing, type PathTarget } from '../recipes/recipeKind';

export const natural = z.int().nonnegative();
export const positive = z.int().positive();
/** In [0, 1). */
export const share = z.number().gte(0).lt(1);
export const blocks = z.array(natural.max(99_999)).max(10_000);
export const name = z.string().min(1).max(100);

/** The name of something in a table. */
export const nameOf = (of: NamedThing) => z.string().min(1).max(100).register(meanings, { is: 'name', of });

export const path = (to: PathTarget) =>
  z
    .string()
    .min(1)
    .max(4096)
    .refine((text) => !text.includes('\0'), 'a path holds no NUL')
    .register(meanings, { is: 'path', to });

export const distinct = <T>(list: readonly T[]) => new Set(list).size === list.length;

export const dtype = z.enum(['f32', 'f16', 'bf16']);
export type Dtype = z.output<typeof dtype>;

export const bos = z.enum(['none', 'each', 'tokenizer']);
export type BosMode = z.output<typeof bos>;

export const deviceName = z.enum(['cpu', 'webgpu', 'cuda', 'auto']);
export type DeviceName = z.output<typeof deviceName>;

export const memoryMode = z.enum(['auto', 'resident', 'streaming']);
export type MemoryMode = z.output<typeof memoryMode>;

/** The widest first. */
export const weightWidth = z.enum(['f32', 'f16', 'int8', 'int4']);
export type WeightWidth = z.output<typeof weightWidth>;

/** A width, or `auto`: the widest that fits, as `plan/chosenWeights.ts` finds it. */
export const weightsOption = z.enum([...weightWidth.options, 'auto']);
export type WeightsOption = z.output<typeof weightsOption>;

export const compute = z
  .strictObject({
    device: deviceName.default('auto'),
    memory: memoryMode.default('auto'),
    /** In how many bits the device holds matrices; all arithmetic is in float32. */
    weights: weightsOption.default('f32'),
    /** null: as many as there are cores. */
    threads: positive.max(4096).nullable().default(null),
    /** The most bytes the process tree may plan to use; null: what the machine has free. */
    memoryLimitBytes: positive.nullable().default(null),
    /** The most bytes of a device's own memory that may be planned for; absent: what its driver says. */
    deviceMemoryBytes: positive.optional(),
  })
  .prefault({});
/** How the heavy work is to be run; the same for every recipe. */
export type ComputeOptions = z.output<typeof compute>;

export const tokenSource = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('ids'),
      file: path('inputFile'),
      /** The first so many rows; absent: all. */
      sequences: positive.optional(),
    }),
    z.strictObject({
      kind: z.literal('text'),
      files: z.array(path('inputFile')).min(1).max(1000),
      /** Column of JSON lines, CSV and Parquet; null: `text`. */
      field: name.nullable().default(null),
      /** null: all sequences there are. */
      sequences: positive.nullable(),
      /** Take fewer sequences where the text has fewer, instead of refusing. */
      atMost: z.boolean().optional(),
      tokens: positive.default(512),
      start: natural.default(0),
      bos: bos.default('none'),
      /** Consecutive sequences from `start`, or sequences drawn by `seed` from all there are. */
      sampling: z.enum(['consecutive', 'random']).default('consecutive'),
      seed: natural.default(0),
    }),
  ])
  .register(meanings, { is: 'tokenSource' });
/** Where token sequences come from. `ids`: a JSON file of rows of equal length; `text`: files joined in order. */
export type TokenSource = z.output<typeof tokenSource>;

/** What a sequence set was made of, so that a report can be made again. */
export interface TokenSourceReport {
  files: { name: string; sha256: string; sizeBytes: number }[];
  nSequences: number;
  tokensPerSequence: number;
  start: number;
  bos: BosMode;
  sampling: 'consecutive' | 'random';
  seed: number;
  /** sha256 over the ids as little-endian int32, row after row. */
  idsSha256: string;
  nTokensInText: number | null;
}

export const dropSet = z.strictObject({
  blocks: blocks.default([]),
  attention: blocks.default([]),
  mlp: blocks.default([]),
});
/**
 * What is left out of a model: whole blocks, and sublayers of blocks. Each list is sorted and distinct; a block that goes
 * as a whole is in `blocks` alone.
 */
export type DropSet = z.output<typeof dropSet>;

const rulesWith = <Count extends z.ZodType>(count: Count) =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('chosen'), ...dropSet.shape }),
    z.strictObject({
      kind: z.literal('method'),
      method: nameOf('choosingMethod'),
      count,
      protected: blocks.default([]),
    }),
    z.strictObject({ kind: z.literal('deepest'), count, protected: blocks.default([]) }),
  ]);

export const dropRule = rulesWith(positive);
/** Which blocks go. `count` of them by a method (of the table, or by measured loss), the deepest, or those named. */
export type DropRule = z.output<typeof dropRule>;

export const cacheWidth = z.enum(['f32', 'f16', 'int8']);
/** In how many bits whoever runs the model will keep its keys and values. */
export type CacheWidth = z.output<typeof cacheWidth>;

/** `blocks`: whole blocks go. `channels`: so do the last few channels of all MLPs, which brings the size close to the target. */
const pieces = z.enum(['channels', 'blocks']).default('channels');

const fit = z.strictObject({
  kind: z.literal('fit'),
  /** The most that the weight files take, with the cache of keys and values of so many tokens. */
  bytes: positive,
  contextTokens: natural.default(0),
  cache: cacheWidth.default('f16'),
  pieces,
});
const parameters = z.strictObject({ kind: z.literal('parameters'), parameters: positive, pieces });
export const budget = z.discriminatedUnion('kind', [fit, parameters]);
/** How large a model may be in the end, in the place of a count of blocks (shared/budget.ts). */
export type Budget = z.output<typeof budget>;

export const askedRule = rulesWith(z.union([positive, fit, parameters]));
/** A rule whose count may still be a budget. */
export type AskedRule = z.output<typeof askedRule>;

/** A model folder that is written. */
export const outputModel = {
  out: path('outputFolder'),
  /** null: as the source. */
  dtype: dtype.nullable().default(null),
  maxShardBytes: positive.nullable().default(null),
};
