// The two sublayers of a block, each of which can be left out by itself. Pure.

export type Sublayer = 'attention' | 'mlp';

/** In the order in which a block runs them. */
export const sublayers: readonly Sublayer[] = ['attention', 'mlp'];

/** In sentences. */
export const sublayerNames: Record<Sublayer, string> = { attention: 'attention', mlp: 'MLP' };
