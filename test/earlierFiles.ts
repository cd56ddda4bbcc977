// JSON as versions wrote it that called a sequence a window.
const names = [
  ['sequences', 'windows'],
  ['nSequences', 'nWindows'],
  ['tokensPerSequence', 'tokensPerWindow'],
  ['lossPerSequence', 'lossPerWindow'],
  ['microBatchSequences', 'microBatchWindows'],
  ['heldOutSequences', 'heldOutWindows'],
  ['evaluatedAtStep', 'judgedAt'],
] as const;

export const asWrittenBefore = (json: string): string =>
  names.reduce((text, [now, before]) => text.replaceAll(`"${now}":`, `"${before}":`), json);
