// What espalier.json says was done, as far as a card shows it. Files of others may say less.
import * as z from 'zod';
import { blocks, repair, rule, sublayers, tokenSourceReport } from '../reports';
import type { CardFacts } from './facts';

const versions = z.object({ espalier: z.string() }).optional().catch(undefined);

const pruneStep = z.object({
  kind: z.literal('prune'),
  rule: rule.optional().catch(undefined),
  scores: z.array(z.number()).catch([]),
  order: blocks.catch([]),
  calibration: tokenSourceReport.nullable().catch(null),
  removedBlocks: blocks.catch([]),
  removedHalves: sublayers.optional().catch(undefined),
  mlpWidth: z.int().positive().optional().catch(undefined),
  repair: repair.optional().catch(undefined),
  dtype: z.string().nullish().catch(null),
  versions,
});

const mergeStep = z.object({
  kind: z.literal('merge'),
  adapter: z.string(),
  options: z
    .object({ rank: z.number(), alpha: z.number(), targets: z.array(z.string()) })
    .optional()
    .catch(undefined),
  dtype: z.string().nullish().catch(null),
  versions,
});

const sparsifyStep = z.object({
  kind: z.literal('sparsify'),
  ratio: z.number(),
  dtype: z.string().nullish().catch(null),
  versions,
});

const step = z.discriminatedUnion('kind', [pruneStep, mergeStep, sparsifyStep]);
type CardStep = z.output<typeof step>;
export type StepOf<K extends CardStep['kind']> = Extract<CardStep, { kind: K }>;

/** Those that are of a kind that a card knows, in their order. */
export const stepsOf = <K extends CardStep['kind']>({ steps }: Pick<CardFacts, 'steps'>, kind: K): StepOf<K>[] =>
  steps.flatMap((each) => {
    const read = step.safeParse(each);
    return read.success && read.data.kind === kind ? [read.data as StepOf<K>] : [];
  });
