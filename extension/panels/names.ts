// The kinds of panels, as the editor knows them.

export const panelTypes = {
  chooseBlocks: 'espalier.chooseBlocks',
  try: 'espalier.try',
  run: 'espalier.run',
  heal: 'espalier.healing',
  evaluate: 'espalier.evaluation',
};

export type PageName = keyof typeof panelTypes;
