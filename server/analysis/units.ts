// What can be left out one at a time: whole blocks, or halves of blocks.
import type { ModelConfig } from '../model/config';
import { hasAttention, hasMlp } from '../model/path';
import type { DropSet } from '../protocol/recipes';
import type { Unit } from '../protocol/reports';

/** All blocks, or all halves that there are, in the order of the model. */
export function unitsOf(config: ModelConfig, of: 'blocks' | 'sublayers'): Unit[] {
  if (of === 'blocks') return config.blocks.map((_, block) => block);
  return config.blocks.flatMap(({ sublayers }, block) => [
    ...(hasAttention(sublayers) ? [{ block, half: 'attention' as const }] : []),
    ...(hasMlp(sublayers) ? [{ block, half: 'mlp' as const }] : []),
  ]);
}

/** The drop set with one unit more. A block may stand in both lists of halves; it is then gone as a whole. */
export function withUnit(drop: DropSet, unit: Unit): DropSet {
  if (typeof unit === 'number') return { ...drop, blocks: [...drop.blocks, unit] };
  return { ...drop, [unit.half]: [...drop[unit.half], unit.block] };
}

export const blockOf = (unit: Unit): number => (typeof unit === 'number' ? unit : unit.block);
