// What a suggestion needs of a report of analyze, which people may have edited or mixed up.
import { z } from 'zod';

const scores = z.array(z.number());
const ofBlocks = z.object({ unit: z.string(), of: z.enum(['block', 'attention', 'mlp']), scores });
const ofSpans = z.object({ unit: z.string(), of: z.literal('span'), scores: z.array(scores) });
/** A score for every block, or for every span as `scores[n - 1][first]`. */
export const reportSchema = z
  .object({
    kind: z.literal('analyze'),
    model: z.object({ folder: z.string(), nBlocks: z.int().positive() }),
    methods: z.record(z.string(), z.discriminatedUnion('of', [ofBlocks, ofSpans])),
  })
  .refine(({ model: { nBlocks }, methods }) =>
    Object.values(methods).every(
      (method) =>
        method.scores.length === nBlocks &&
        (method.of !== 'span' || method.scores.every((row, n) => row.length === nBlocks - n)),
    ),
  );
