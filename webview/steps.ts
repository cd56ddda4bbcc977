// What the engine says it is doing, in words for people. A step without a row is shown as it is.

const words: Record<string, string> = {
  load: 'reading weights',
  compile: 'preparing',
  write: 'writing',
  analyze: 'hidden states and scores',
  removals: 'losses without single blocks',
  search: 'greedy search',
  suggestions: 'losses of what the methods pick',
  train: 'training',
  judge: 'held-out loss',
  merge: 'folding the adapter in',
  'what if': 'losses of the sets asked for',
};

export const stepInWords = (step: string): string => words[step] ?? step;
