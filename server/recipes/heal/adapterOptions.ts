// The adapter that a healing trains: the fields, and the options of the command line that fill them.
import * as z from 'zod';
import { blocks, name, path, positive, share } from '../../protocol/recipes';
import type { CommandOption } from '../commandLine';

export const adapter = z
  .strictObject({
    rank: positive.max(65_536).default(8), // R
    alpha: z.number().positive().default(16),
    /** Names such as q_proj, or `all-linear` alone. */
    targets: z.array(name).min(1).max(1000).default(['all-linear']),
    /** The blocks that get an adapter; `cutAdjacent`: those beside a gap that pruning left. */
    blocks: z.union([z.enum(['all', 'cutAdjacent']), blocks.min(1)]).default('all'),
    /** Other ranks and alphas for modules whose name ends so, such as `layers.3.mlp.up_proj` or `q_proj`. */
    rankPattern: z.record(name, positive.max(65_536)).default({}),
    alphaPattern: z.record(name, z.number().positive()).default({}),
    /** Scales by alpha / sqrt(rank) instead of alpha / rank. */
    rsLora: z.boolean().default(false),
    /** Share of the inputs of an adapter that are zeroed in training. */
    dropout: share.default(0),
    /** An adapter folder to begin with; null: a fresh one. */
    init: path('adapterFolder').nullable().default(null),
  })
  .prefault({});
/** As PEFT's LoraConfig names them in its own spelling. */
export type AdapterOptions = z.output<typeof adapter>;

export const adapterOptions = [
  { flags: '--rank <n>', field: 'adapter.rank', read: 'natural', help: 'rank of the adapter' },
  { flags: '--alpha <a>', field: 'adapter.alpha', read: 'amount', help: 'strength: W x + (alpha / rank) B A x' },
  {
    flags: '--targets <names>',
    field: 'adapter.targets',
    read: 'names',
    help: 'projections, comma-separated, or all-linear',
  },
  {
    flags: '--blocks <list>',
    field: 'adapter.blocks',
    read: 'adapterBlocks',
    help: 'blocks that get an adapter: all, cut-adjacent, or a list such as 3,5,8-10',
  },
  {
    flags: '--rank-pattern <list>',
    field: 'adapter.rankPattern',
    read: 'perModule',
    help: 'other ranks, such as "q_proj=4;layers.3.mlp.up_proj=16"',
  },
  {
    flags: '--alpha-pattern <list>',
    field: 'adapter.alphaPattern',
    read: 'perModule',
    help: 'other alphas, in the same way',
  },
  { flags: '--rslora', field: 'adapter.rsLora', help: 'scale by alpha / sqrt(rank)' },
  {
    flags: '--dropout <share>',
    field: 'adapter.dropout',
    read: 'share',
    help: "share of an adapter's inputs that is dropped in training",
  },
  { flags: '--init <folder>', field: 'adapter.init', help: 'an adapter to begin with' },
] as const satisfies readonly CommandOption[];
