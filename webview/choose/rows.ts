// The rows of the table: every block, and the sublayers of those that are open.
import { sublayers } from '../../server/shared/sublayers';
import type { Row } from './choice';
import type { PageState } from './view';

export function visibleRows({ host, allOpen, open }: PageState): Row[] {
  return Array.from({ length: host.model.nBlocks }, (_, block) => block).flatMap((block): Row[] => [
    { block, half: null },
    ...(allOpen || open.has(block) ? sublayers.map((half) => ({ block, half })) : []),
  ]);
}

export const isRow = (a: Row, b: Row): boolean => a.block === b.block && a.half === b.half;
