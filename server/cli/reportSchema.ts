// What a suggestion needs of a report of analyze, which people may have edited or mixed up.
import * as z from 'zod';
import { notFinite } from '../shared/finite';

const scores = z.array(z.number());
const ofBlocks = z.object({ unit: z.string(), of: z.enum(['block', 'attention', 'mlp']), scores });
const ofSpans = z.object({ unit: z.string(), of: z.literal('span'), scores: z.array(scores) });
const unit = z.union([
  z.int().nonnegative(),
  z.object({ block: z.int().nonnegative(), half: z.enum(['attention', 'mlp']) }),
]);
const removals = z.object({ blocks: z.array(z.object({ lossNats: z.union([z.number(), z.literal(notFinite)]) })) });
const greedy = z.object({ order: z.array(unit), lossNats: scores });
const most = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER);
const amount = z.object({ parameters: most, bytes: most });
/** A score for every block, or for every span as `scores[n - 1][first]`. */
export const reportSchema = z
  .object({
    kind: z.literal('analyze'),
    model: z.object({
      folder: z.string(),
      nBlocks: z.int().positive(),
      // Only budgets reckon with these.
      sizeBytes: most.optional(),
      mlpWidth: z.int().positive().optional(),
      dtype: z.string().optional(),
      parts: z
        .object({
          outside: amount,
          block: amount,
          channel: amount,
          cachedPerToken: most,
          headerBytes: z.object({ outside: most, block: most }),
        })
        .optional(),
    }),
    methods: z.record(z.string(), z.discriminatedUnion('of', [ofBlocks, ofSpans])),
    notFinite: z.array(z.object({ method: z.string(), block: z.int().nonnegative() })).optional(),
    removals: removals.nullish(),
    greedy: greedy.nullish(),
  })
  .refine(({ model: { nBlocks }, removals: measured }) => !measured || measured.blocks.length === nBlocks)
  .refine(({ model: { nBlocks }, methods }) =>
    Object.values(methods).every(
      (method) =>
        method.scores.length === nBlocks &&
        (method.of !== 'span' || method.scores.every((row, n) => row.length === nBlocks - n)),
    ),
  );
