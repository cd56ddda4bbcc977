// The kinds of panels, as the editor knows them.
import type { PageMemory } from '../../server/protocol/pages';

export type PageName = PageMemory['page'];

export const panelTypes: Record<PageName, string> = {
  chooseBlocks: 'espalier.chooseBlocks',
  try: 'espalier.try',
  run: 'espalier.run',
  heal: 'espalier.healing',
  evaluate: 'espalier.evaluation',
};
