// The settings of a healing as a list for people, and the settings in which two healings differ.
import type { HealingState, HealState } from '../../server/protocol/pages/heal';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, parameters, plain, share } from '../../server/shared/numbers';
import { weightsInWords } from '../../server/shared/weightWidths';

export type Setting = readonly [name: string, value: string];

/** The settings in the recipe, by which two runs are compared. */
export function settingsOf(recipe: HealRecipe): Setting[] {
  const { adapter, optimizer, loop, data, objective } = recipe;
  const more = [
    ...(loop.accumulate > 1 ? [['Accumulate', counted(loop.accumulate, 'micro-batch', 'micro-batches')] as const] : []),
    ...(adapter.dropout > 0 ? [['Dropout', share(adapter.dropout)] as const] : []),
    ...(adapter.rsLora ? [['Scaling', 'alpha / √rank'] as const] : []),
    ...(optimizer.weightDecay > 0 ? [['Weight decay', scientific(optimizer.weightDecay)] as const] : []),
    ...(Object.keys(adapter.rankPattern).length > 0 ? [['Other ranks', patterns(adapter.rankPattern)] as const] : []),
  ];
  return [
    ['Rank, alpha', `${adapter.rank}, ${adapter.alpha}`],
    ['Targets', targetsInWords(adapter.targets)],
    ['Objective', objective.kind === 'nextToken' ? 'next token' : `distillation, top ${objective.topK}`],
    ['Learning rate', `${scientific(optimizer.learningRate)}, ${optimizer.schedule}`],
    ['Warm-up', counted(optimizer.warmupSteps, 'step')],
    ['Batch', `${loop.microBatchSequences} × ${data.tokens} tokens`],
    ['Steps', String(loop.steps)],
    ['Clip', optimizer.clipNorm === null ? 'none' : plain(optimizer.clipNorm, 1)],
    ['Seed', String(data.seed)],
    ...more,
    ['Train text', data.files.map(fileName).join(', ')],
    ['Held out', heldOut(recipe)],
  ];
}

/** The settings in the recipe, and what the engine reported of the run. */
export function allSettings({ recipe, adapter, plan, data, report }: HealingState, { model }: HealState): Setting[] {
  const held = weightsInWords(report ?? plan ?? {});
  const nBlocks = adapter?.blocks.length;
  return [
    ['Method', nBlocks === undefined ? 'LoRA' : `LoRA on ${counted(nBlocks, 'block')}`],
    ...settingsOf(recipe).flatMap((setting): Setting[] =>
      setting[0] === 'Objective' && adapter
        ? [
            ['Trainable', `${parameters(adapter.nParameters)}, ${share(adapter.nParameters / model.nParameters)}`],
            setting,
          ]
        : [setting],
    ),
    ...(data ? ([['Items', `${data.nTrainingItems}, held out ${data.nHeldOutItems}`]] as Setting[]) : []),
    ...(plan
      ? ([
          ['Device', `${plan.device === 'cpu' ? 'CPU' : plan.device}, ${counted(plan.threads, 'thread')}`],
          ...(held ? [['Matrices as', held] as Setting] : []),
        ] as Setting[])
      : []),
  ];
}

/** The settings of `other` that differ from those of `own`, with their values in `other`. */
export function differences(own: HealRecipe, other: HealRecipe): Setting[] {
  const mine = new Map(settingsOf(own));
  return settingsOf(other).filter(([name, value]) => mine.get(name) !== value);
}

export const stepsOf = ({ loop }: HealRecipe): number => loop.steps;

export const tokensPerStep = ({ loop, data }: HealRecipe): number =>
  loop.accumulate * loop.microBatchSequences * data.tokens;

export const targetChoices: readonly { value: string; label: string; targets: string[] }[] = [
  { value: 'all', label: 'all projections', targets: ['all-linear'] },
  { value: 'attention', label: 'attention', targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] },
  { value: 'mlp', label: 'MLP', targets: ['gate_proj', 'up_proj', 'down_proj'] },
  { value: 'qv', label: 'query and value', targets: ['q_proj', 'v_proj'] },
];

export const choiceOf = (targets: readonly string[]): string =>
  targetChoices.find((choice) => [...choice.targets].sort().join() === [...targets].sort().join())?.value ?? 'all';

function targetsInWords(targets: readonly string[]): string {
  const known = targetChoices.find(({ value }) => value === choiceOf(targets));
  return known && [...known.targets].sort().join() === [...targets].sort().join() ? known.label : targets.join(', ');
}

/** `5e−4`. */
export const scientific = (value: number, digits = 0): string => {
  const shortest = digits === 0 ? value.toExponential() : value.toExponential(digits);
  return shortest.replace('e-', 'e−').replace('e+', 'e');
};

function heldOut({ loop, data }: HealRecipe): string {
  const source = loop.heldOut;
  if (source === null) return data.heldOutFraction > 0 ? `${share(data.heldOutFraction, 0)} of it` : 'none';
  if (source.kind === 'ids') return fileName(source.file);
  const sequences = source.sequences === null ? '' : `, ${source.sequences} × ${source.tokens}`;
  return source.files.map(fileName).join(', ') + sequences;
}

const patterns = (of: Record<string, number>) =>
  Object.entries(of)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

export const fileName = (path: string): string => path.split(/[\\/]/).at(-1) ?? path;

/** What a pruned model lacks: `Without 12–16`; else its own name. */
export const lacks = (removedBlocks: readonly number[]): string =>
  removedBlocks.length === 0 ? 'Unpruned' : `Without ${blockRanges(removedBlocks)}`;
