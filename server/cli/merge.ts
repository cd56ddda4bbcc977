// merge: folds an adapter, ours or PEFT's, into the weights of its model.
import type { Command } from 'commander';
import type { Dtype } from '../protocol/recipes';
import type { Recipe } from '../recipes/kinds';
import type { MergeReport } from '../protocol/reports';
import { type ComputeFlags, computeOptions, dtype, type OutputFlags, positive, withComputeOptions } from './options';
import { renderMerge } from './render';

interface MergeFlags extends ComputeFlags {
  out: string;
  dtype?: Dtype;
  shardSize?: number;
}

/** @param carryOut runs a recipe, shows its report and writes it where --json says. */
export const addMerge = (
  program: Command,
  carryOut: (recipe: Recipe, flags: OutputFlags, render: (report: MergeReport) => string) => Promise<void>,
): Command =>
  withComputeOptions(
    program
      .command('merge')
      .argument('<model>', 'the pruned model that the adapter was trained on')
      .argument('<adapter>', 'folder of a LoRA adapter as heal and PEFT write it'),
  )
    .description('write the model with an adapter folded into its weights')
    .requiredOption('--out <folder>', 'the folder to write; it must not exist yet')
    .option('--dtype <name>', 'f32, f16 or bf16 (default: as the source)', dtype)
    .option('--shard-size <megabytes>', 'largest weight file', positive)
    .action((model: string, adapter: string, flags: MergeFlags) =>
      carryOut(
        {
          kind: 'merge',
          model,
          adapter,
          out: flags.out,
          dtype: flags.dtype ?? null,
          maxShardBytes: flags.shardSize === undefined ? null : flags.shardSize * 1e6,
          compute: computeOptions(flags),
        },
        flags,
        renderMerge,
      ),
    );
