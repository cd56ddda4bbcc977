// The path of a hidden state through a model: which blocks it passes, and which of their sublayers. Leaving something out is
// a shorter path; nothing is written for it.
import type { DropSet } from '../protocol/recipes';
import type { Sublayers, ModelConfig } from './config';

export interface Stage {
  readonly block: number;
  readonly sublayers: Sublayers;
}

export type Path = readonly Stage[];

/** The path through a model without a drop set. Sublayers that the checkpoint itself lacks are never computed. */
export function pathWithout(config: ModelConfig, drop: DropSet = nothing): Path {
  const blocks = new Set(drop.blocks);
  const attention = new Set(drop.attention);
  const mlp = new Set(drop.mlp);
  return config.blocks.flatMap(({ sublayers }, block) => {
    const left = chosen(hasAttention(sublayers) && !attention.has(block), hasMlp(sublayers) && !mlp.has(block));
    return left === null || blocks.has(block) ? [] : [{ block, sublayers: left }];
  });
}

/** Equal for two stages exactly when they compute the same. */
export const stageKey = ({ block, sublayers }: Stage): string => `${block}${sublayers === 'whole' ? '' : sublayers}`;

export const hasAttention = (sublayers: Sublayers): boolean => sublayers !== 'mlpOnly';
export const hasMlp = (sublayers: Sublayers): boolean => sublayers !== 'attentionOnly';

/** Null when none is left. */
function chosen(attention: boolean, mlp: boolean): Sublayers | null {
  if (attention) return mlp ? 'whole' : 'attentionOnly';
  return mlp ? 'mlpOnly' : null;
}

const nothing: DropSet = { blocks: [], attention: [], mlp: [] };
