// The channels of the MLPs that stay in a pruned model, by a pass of a text through it.
import { channelEnergies } from '../../analysis/channelEnergy';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import type { NarrowerMlps } from '../../checkpoint/narrowerMlps';
import { UserError } from '../../errors';
import { pathWithout } from '../../model/path';
import type { DropSet } from '../../protocol/recipes';
import type { MetBudget } from '../../pruning/budgetRule';
import { channelsThatStay } from '../../pruning/mlpChannels';
import { progress, type Run, withDevice, withModel } from '../recipeContext';
import { sequencesFor } from '../sequences';
import type { PruneRecipe } from './recipe';

export const needsText = () =>
  new UserError(
    'usage',
    'Channels of the MLPs are chosen by what they add on a text: add --text FILE, or drop whole blocks only (--whole-blocks).',
  );

/**
 * How many channels of each MLP stay; null: all.
 * @param mlpWidth what the recipe names
 * @param all how many there are
 * @throws UserError `usage` where a budget says it, too, `badChoice` for more than there are
 */
export function widthAsked(mlpWidth: number | undefined, met: MetBudget | null, all: number): number | null {
  if (mlpWidth === undefined) return met?.fitting.mlpWidth ?? null;
  if (met)
    throw new UserError(
      'usage',
      'A budget says how many channels stay; leave out the width of the MLPs, or the budget.',
    );
  if (mlpWidth > all)
    throw new UserError('badChoice', `The MLPs have ${all} channels, so that ${mlpWidth} cannot stay; keep fewer.`);
  return mlpWidth === all ? null : mlpWidth;
}

/** @throws UserError `usage` without a text */
export function narrowerMlps(
  checkpoint: Checkpoint,
  drop: DropSet,
  width: number,
  { source, compute }: Pick<PruneRecipe, 'source' | 'compute'>,
  run: Run,
): Promise<NarrowerMlps> {
  if (!source) throw needsText();
  const path = pathWithout(checkpoint.config, drop);
  return withDevice(compute, async (device) => {
    const { sequences } = await sequencesFor(checkpoint, source);
    const shape = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
    return withModel(checkpoint, device, compute, { ...shape, keepStates: false, path }, run, async (model) => {
      const onProgress = progress(run, 'analyze');
      const energies = await channelEnergies(model, sequences, path, { signal: run.signal, onProgress });
      const blocks = path.map(({ block }) => block);
      return channelsThatStay(checkpoint, blocks, energies, width, run.signal);
    });
  });
}
