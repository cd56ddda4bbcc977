// What can be left out one at a time: whole blocks, or sublayers.
import type { ModelConfig } from '../model/config';
import { hasAttention, hasMlp } from '../model/path';
import type { BlockOrSublayer } from '../protocol/reports';

/** All blocks, or all sublayers that there are, in the order of the model. */
export function candidatesOf(config: ModelConfig, of: 'blocks' | 'sublayers'): BlockOrSublayer[] {
  if (of === 'blocks') return config.blocks.map((_, block) => block);
  return config.blocks.flatMap(({ sublayers }, block) => [
    ...(hasAttention(sublayers) ? [{ block, half: 'attention' as const }] : []),
    ...(hasMlp(sublayers) ? [{ block, half: 'mlp' as const }] : []),
  ]);
}
