// What a report needs of a study, which people may have edited: as a study wrote it into its folder. What is not needed
// stays as it is.
import * as z from 'zod';
import { dropSet as dropSetSchema } from '../../protocol/recipes';
import { studySchema } from './recipe';
import { count, evaluateReportSchema, figure } from '../evaluate/reportSchema';

const loss = z.looseObject({
  lossNats: figure,
  standardError: z.number().nullable(),
  perplexity: figure,
  costNats: figure,
  costStandardError: z.number().nullable(),
});

const variant = z.looseObject({
  id: z.string(),
  label: z.string(),
  methods: z.array(z.string()),
  count,
  drop: dropSetSchema,
  without: z.string(),
  repair: z.enum(['none', 'linear']),
  healed: z.boolean(),
  nParameters: z.number(),
  sizeBytes: z.number(),
  loss: loss.nullable(),
  notFinite: z.string().optional(),
  model: count.nullable(),
});

const text = z.looseObject({
  files: z.array(z.looseObject({ name: z.string() })),
  nSequences: count,
  tokensPerSequence: count,
  start: count,
});

/** report.json of a study. */
export const studyReportSchema = z
  .looseObject({
    kind: z.literal('study'),
    model: z.looseObject({ name: z.string(), folder: z.string(), nBlocks: count, nParameters: z.number() }),
    out: z.string(),
    recipe: studySchema,
    methods: z.record(z.string(), z.looseObject({ unit: z.string(), paper: z.string() })),
    calibration: text,
    perplexity: text.nullable(),
    variants: z.array(variant).min(2),
    evaluation: evaluateReportSchema.nullable(),
    steps: z.array(z.looseObject({ kind: z.string(), title: z.string(), elapsedMs: z.number() })),
  })
  .refine(({ variants: [base, ...others] }) => base?.count === 0 && others.every((it) => it.count > 0))
  .refine(({ perplexity, variants: [base] }) => perplexity === null || base?.loss !== null)
  .refine(({ evaluation, recipe }) => evaluation === null || recipe.evaluate !== null)
  .refine(({ evaluation, variants }) =>
    variants.every(({ model }) => model === null || (evaluation !== null && model < evaluation.models.length)),
  );
