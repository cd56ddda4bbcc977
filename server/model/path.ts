// The way a hidden state takes through a model: which blocks it passes, and whether as a whole or by one half. Leaving
// something out is a shorter path; nothing is written for it.
import type { DropSet } from '../protocol/recipes';
import type { BlockForm, ModelConfig } from './config';

export interface Stage {
  readonly block: number;
  readonly form: BlockForm;
}

export type Path = readonly Stage[];

/** The path through a model without a drop set. Halves that the checkpoint itself lacks are never computed. */
export function pathWithout(config: ModelConfig, drop: DropSet = nothing): Path {
  const blocks = new Set(drop.blocks);
  const attention = new Set(drop.attention);
  const mlp = new Set(drop.mlp);
  return config.blocks.flatMap(({ form }, block) => {
    const left = halves(hasAttention(form) && !attention.has(block), hasMlp(form) && !mlp.has(block));
    return left === null || blocks.has(block) ? [] : [{ block, form: left }];
  });
}

/** Equal for two stages exactly when they compute the same. */
export const stageKey = ({ block, form }: Stage): string => `${block}${form === 'whole' ? '' : form}`;

export const hasAttention = (form: BlockForm): boolean => form !== 'mlpOnly';
export const hasMlp = (form: BlockForm): boolean => form !== 'attentionOnly';

/** The form with these halves; null when there is none left. */
function halves(attention: boolean, mlp: boolean): BlockForm | null {
  if (attention) return mlp ? 'whole' : 'attentionOnly';
  return mlp ? 'mlpOnly' : null;
}

const nothing: DropSet = { blocks: [], attention: [], mlp: [] };
