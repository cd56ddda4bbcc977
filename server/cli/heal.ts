// heal: trains an adapter beside the projections of a pruned model.
import { type Command, Option } from 'commander';
import { parseBlockList } from '../shared/dropSets';
import type { BosMode } from '../protocol/recipes';
import { defaultEvaluateEverySteps, type HealRecipe, type Objective } from '../recipes/heal/recipe';
import type { Recipe } from '../recipes/kinds';
import type { HealReport } from '../protocol/reports';
import {
  type ComputeFlags,
  computeOptions,
  fraction,
  natural,
  type OutputFlags,
  positive,
  ratio,
  withComputeOptions,
} from './options';
import { amount, perModule } from './healOptions';
import { renderHealing } from './renderHealing';

interface HealFlags extends ComputeFlags {
  data: string[];
  out: string;
  field?: string;
  format: HealRecipe['data']['format'];
  tokens: number;
  start: number;
  bos: BosMode;
  order: 'sequential' | 'shuffled';
  holdout: number;
  heldOutText?: string[];
  heldOutWindows?: number;
  heldOutTokens?: number;
  rank: number;
  alpha: number;
  targets: string;
  blocks: string;
  rankPattern: Record<string, number>;
  alphaPattern: Record<string, number>;
  rslora?: boolean;
  dropout: number;
  init?: string;
  objective: Objective['kind'];
  topK: number;
  temperature: number;
  lr: number;
  schedule: 'constant' | 'linear' | 'cosine';
  warmup: number;
  weightDecay: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  clip: number;
  steps: number;
  microBatch: number;
  accumulate: number;
  evaluateEvery?: number;
  saveEvery?: number;
  patience?: number;
  activations: 'auto' | 'keep' | 'recompute';
  dense?: string;
  resume?: boolean;
}

/** @param carryOut runs a recipe, shows its report and writes it where --json says. */
export const addHeal = (
  program: Command,
  carryOut: (recipe: Recipe, flags: OutputFlags, render: (report: HealReport) => string) => Promise<void>,
): Command =>
  withOptions(
    withComputeOptions(program.command('heal').argument('<model>', 'a pruned model; it stays as it is')),
  ).action((model: string, flags: HealFlags) => carryOut(recipeOf(model, flags), flags, renderHealing));

const withOptions = (command: Command): Command =>
  command
    .description('train a LoRA adapter that brings back what pruning cost')
    .requiredOption('--data <file...>', 'text, or instructions or chats as JSON, JSON lines, CSV or Parquet')
    .requiredOption('--out <folder>', 'the PEFT folder to write; with --resume one that a run has begun')
    .option('--resume', 'go on from the last saved state of the run in --out')
    .option('--field <name>', 'column of the text in structured files')
    .addOption(
      new Option('--format <name>', 'what the data is')
        .choices(['auto', 'text', 'instructions', 'messages'])
        .default('auto'),
    )
    .option('--tokens <n>', 'tokens of a window; longer items are cut off', positive, 256)
    .option('--start <n>', 'first token of the text, or first item', natural, 0)
    .addOption(
      new Option('--bos <mode>', 'beginning-of-text token').choices(['none', 'each', 'tokenizer']).default('none'),
    )
    .addOption(new Option('--order <how>', 'of the windows').choices(['sequential', 'shuffled']).default('shuffled'))
    .option('--holdout <share>', 'share of the windows to judge by, where no --held-out-text is given', ratio, 0.05)
    .option('--held-out-text <file...>', 'another text to judge by')
    .option('--held-out-windows <n>', 'windows of it (default: 8)', positive)
    .option('--held-out-tokens <n>', 'tokens of a window of it (default: as --tokens)', positive)
    .option('--rank <n>', 'rank of the adapter', natural, 8)
    .option('--alpha <a>', 'strength: W x + (alpha / rank) B A x', amount, 16)
    .option('--targets <names>', 'projections, comma-separated, or all-linear', 'all-linear')
    .option('--blocks <list>', 'blocks that get an adapter: all, cut-adjacent, or a list such as 3,5,8-10', 'all')
    .option('--rank-pattern <list>', 'other ranks, such as "q_proj=4;layers.3.mlp.up_proj=16"', perModule, {})
    .option('--alpha-pattern <list>', 'other alphas, in the same way', perModule, {})
    .option('--rslora', 'scale by alpha / sqrt(rank)')
    .option('--dropout <share>', "share of an adapter's inputs that is dropped in training", ratio, 0)
    .option('--init <folder>', 'an adapter to begin with')
    .addOption(
      new Option('--objective <name>', 'the next token, or what the dense model expects')
        .choices(['nextToken', 'distillation'])
        .default('nextToken'),
    )
    .option('--top-k <n>', 'likeliest tokens of the dense model that a distillation keeps', positive, 32)
    .option('--temperature <t>', 'of a distillation', amount, 1)
    .option('--dense <folder>', 'the model before pruning (default: as espalier.json says)')
    .option('--lr <rate>', 'peak learning rate', amount, 5e-4)
    .addOption(
      new Option('--schedule <name>', 'of the learning rate after warm-up')
        .choices(['constant', 'linear', 'cosine'])
        .default('linear'),
    )
    .option('--warmup <steps>', 'steps in which the rate rises from 0', natural, 10)
    .option('--weight-decay <w>', 'of AdamW', amount, 0)
    .option('--beta1 <b>', 'of AdamW', fraction, 0.9)
    .option('--beta2 <b>', 'of AdamW', fraction, 0.999)
    .option('--epsilon <e>', 'of AdamW', amount, 1e-8)
    .option('--clip <norm>', 'largest norm of all gradients together; 0: any', amount, 1)
    .option('--steps <n>', 'steps to make', natural, 100)
    .option('--micro-batch <windows>', 'windows that go through the model together', natural, 4)
    .option('--accumulate <n>', 'micro-batches of a step', natural, 1)
    .option('--evaluate-every <steps>', 'judge every so many steps (default: a quarter of all, at most 500)', positive)
    .option('--save-every <steps>', 'save what --resume needs every so many steps (default: 25)', positive)
    .option('--patience <n>', 'stop after so many judgements without a better one', positive)
    .addOption(
      new Option('--activations <how>', 'keep the insides of blocks for the way back, or compute them again')
        .choices(['auto', 'keep', 'recompute'])
        .default('auto'),
    );

function recipeOf(model: string, flags: HealFlags): HealRecipe {
  return {
    kind: 'heal',
    model,
    data: {
      files: flags.data,
      field: flags.field ?? null,
      format: flags.format,
      tokens: flags.tokens,
      start: flags.start,
      bos: flags.bos,
      order: flags.order,
      heldOutFraction: flags.heldOutText ? 0 : flags.holdout,
      seed: flags.seed,
    },
    adapter: {
      rank: flags.rank,
      alpha: flags.alpha,
      targets: flags.targets.split(','),
      blocks: blocksOf(flags.blocks),
      rankPattern: flags.rankPattern,
      alphaPattern: flags.alphaPattern,
      rsLora: flags.rslora ?? false,
      dropout: flags.dropout,
      init: flags.init ?? null,
    },
    objective:
      flags.objective === 'nextToken'
        ? { kind: 'nextToken' }
        : { kind: 'distillation', topK: flags.topK, temperature: flags.temperature },
    optimizer: {
      learningRate: flags.lr,
      schedule: flags.schedule,
      warmupSteps: flags.warmup,
      beta1: flags.beta1,
      beta2: flags.beta2,
      epsilon: flags.epsilon,
      weightDecay: flags.weightDecay,
      clipNorm: flags.clip === 0 ? null : flags.clip,
    },
    loop: {
      steps: flags.steps,
      microBatchWindows: flags.microBatch,
      accumulate: flags.accumulate,
      evaluateEverySteps: flags.evaluateEvery ?? defaultEvaluateEverySteps(flags.steps),
      heldOut: heldOutOf(flags),
      patience: flags.patience ?? null,
      saveEverySteps: flags.saveEvery ?? 25,
      activations: flags.activations,
    },
    dense: flags.dense ?? null,
    resume: flags.resume ?? false,
    out: flags.out,
    compute: computeOptions(flags),
  };
}

const heldOutOf = ({ heldOutText, heldOutWindows = 8, heldOutTokens, tokens, field }: HealFlags) =>
  heldOutText
    ? {
        kind: 'text' as const,
        files: heldOutText,
        field: field ?? null,
        windows: heldOutWindows,
        tokens: heldOutTokens ?? tokens,
        start: 0,
        bos: 'none' as const,
        sampling: 'consecutive' as const,
        seed: 0,
      }
    : null;

const blocksOf = (text: string): HealRecipe['adapter']['blocks'] =>
  text === 'all' ? 'all' : text === 'cut-adjacent' ? 'cutAdjacent' : parseBlockList(text);
