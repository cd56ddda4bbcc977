// How earlier runs are told apart without a hue: by dashes, by the shape of their points, and by a name.
import type { EarlierHealing } from '../../server/protocol/pages/heal';
import { blockRanges } from '../../server/shared/dropSets';

export const dashes: readonly number[][] = [
  [7, 3, 2, 3],
  [4, 3],
  [1, 3],
  [10, 4],
];
export const shapes = ['rect', 'triangle', 'circle', 'pin'] as const;

/** What an earlier run is called where it is drawn. */
export const overlayName = ({ removedBlocks, recipe }: EarlierHealing): string =>
  `held out, ${removedBlocks.length > 0 ? blockRanges(removedBlocks) : `rank ${recipe.adapter.rank}`}`;
