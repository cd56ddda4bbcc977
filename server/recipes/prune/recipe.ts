// prune: writes a model without some of its blocks, or sublayers of them.
import * as z from 'zod';
import {
  askedRule,
  type Budget,
  cacheWidth,
  compute,
  outputModel,
  path,
  positive,
  tokenSource,
  type DropRule,
  type Dtype,
} from '../../protocol/recipes';
import type { Fitting, RunFacts, ModelSummary } from '../../protocol/reports';
import { type CommandLine, type CommandOption, outputModelOptions } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const repair = z.strictObject({
  kind: z.literal('linear').default('linear'),
  /** Times the mean of the diagonal; `auto`: the one that is best on the sequences held out. */
  ridge: z.union([z.number().nonnegative(), z.literal('auto')]).default('auto'),
  /** Sequences after those of the source to evaluate the repair on. */
  heldOutSequences: positive.nullable().default(null),
});
/** Least squares folded into the output projection before each gap (ReplaceMe, arXiv:2505.02819). */
export type RepairOptions = z.output<typeof repair>;

export const repairName = z.enum(['none', 'linear']);
export type RepairName = z.output<typeof repairName>;

const schema = z.strictObject({
  kind: z.literal('prune'),
  model: path('modelFolder'),
  /** Where its count is a budget, so many blocks go, and so many channels of every MLP, that the model fits. */
  rule: askedRule,
  /** How many channels of every MLP stay, those that add most on the text; absent: all, or as a budget says. */
  mlpWidth: positive.optional(),
  /** Needed by rules whose method looks at text, where channels go, and by repair. */
  source: tokenSource.nullable().default(null),
  repair: repair.nullable().default(null),
  ...outputModel,
  /** Also write the drop set as a mergekit recipe to this file. */
  mergekit: path('outputFile').nullable().default(null),
  compute,
});
export type PruneRecipe = z.output<typeof schema>;

export interface PruneReport extends RunFacts {
  kind: 'prune';
  model: ModelSummary;
  out: string;
  rule: DropRule;
  /** The blocks that went. */
  dropSet: number[];
  /** Sublayers that were zeroed, in the numbering of the model that was pruned. */
  droppedSublayers: { attention: number[]; mlp: number[] };
  /** Channels of every MLP before and after, with the loss of the model that was written beside that of one with all channels;
   * nulls where no text was given. Absent: all stayed. */
  channels?: {
    before: number;
    after: number;
    lossNatsBefore: number | null;
    lossNatsAfter: number | null;
    /** Why the loss of the written model is not there, though there was a text. */
    notMeasured?: string;
  };
  /** What was asked for in the place of a count, and what was found to meet it. */
  budget?: Budget & { fitting: Fitting };
  repair: RepairReport | null;
  keptBlocks: number[];
  /** In the numbering of the first, never pruned model. */
  removedBlocks: number[];
  nParamsBefore: number;
  nParamsAfter: number;
  sizeBytesBefore: number;
  sizeBytesAfter: number;
  weightFiles: string[];
  /** Loss before and after the weights were rounded to a narrower dtype; nulls where no text was given to measure it. */
  rounding: {
    dtype: Dtype;
    lossNatsBefore: number | null;
    lossNatsAfter: number | null;
    /** Why the loss of the written model, which is complete, is not there. Absent: it is, or there was no text. */
    notMeasured?: string;
  } | null;
}

export interface RepairReport {
  kind: 'linear';
  ridge: number;
  /** Where the maps were folded in, and what each gap lost: |residual| / |target|. */
  gaps: { after: { block: number; half: 'attention' | 'mlp' }; relativeResidual: number }[];
  /** On the calibration sequences, without and with repair. */
  lossBefore: number;
  lossAfter: number;
  /** On the sequences held out; null without such. */
  heldOutBefore: number | null;
  heldOutAfter: number | null;
  /** What `auto` compared, on the sequences held out. */
  ridges: { ridge: number; heldOutLossNats: number }[];
}

/** In the place of a count of blocks; cli/completions.ts makes a budget of them. */
export const budgetOptions: readonly CommandOption[] = [
  { flags: '--fit <size>', read: 'bytes', help: 'as many blocks and channels as make the weights fit, such as 4GB' },
  { flags: '--context-tokens <n>', read: 'natural', help: 'with --fit: the cache of so many tokens has to fit, too' },
  { flags: '--cache <width>', choices: cacheWidth.options, default: 'f16', help: 'in what that cache is kept' },
  { flags: '--parameters <n>', read: 'parameters', help: 'as many as leave this many parameters, such as 2.5B' },
  { flags: '--whole-blocks', help: 'with a budget: only blocks go, no channels of the MLPs' },
];

const command = {
  summary: 'write the model without some of its blocks, or sublayers of them',
  arguments: [{ name: '<model>', field: 'model' }],
  text: { sequences: 16, needed: false },
  drops: 'blocks to drop',
  options: [
    {
      flags: '--method <name>',
      help: 'let a method choose (with --count, --fit or --parameters); removal, greedy or deepest, too',
    },
    { flags: '--count <n>', read: 'positive', help: 'how many blocks the method chooses' },
    ...budgetOptions,
    {
      flags: '--mlp-width <n>',
      field: 'mlpWidth',
      read: 'positive',
      help: 'how many channels of every MLP stay (needs --text)',
    },
    { flags: '--protect <blocks>', read: 'blocks', help: 'blocks that the method must not choose' },
    ...outputModelOptions,
    {
      flags: '--repair <how>',
      choices: repairName.options,
      default: 'none',
      help: 'make up for what goes by a map in the weights before it (needs --text)',
    },
    {
      flags: '--ridge <r>',
      field: 'repair.ridge',
      read: 'ridge',
      help: 'how strongly the map is held back; auto: as is best on sequences held out',
    },
    {
      flags: '--held-out <sequences>',
      field: 'repair.heldOutSequences',
      read: 'positive',
      help: 'sequences behind the text used, to evaluate a repair on (default: half as many)',
    },
    { flags: '--mergekit <file>', field: 'mergekit', help: 'also write the drop set as a mergekit recipe' },
  ],
} as const satisfies CommandLine;

export const pruneKind = {
  schema,
  title: 'Prune',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<PruneReport>(),
  command,
} as const satisfies RecipeKind;
