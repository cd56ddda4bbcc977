// What was done to weights that stay, by espalier.json: where nothing was, a folder is a cut of its original, byte by byte. Pure.
import type { Provenance } from '../checkpoint/provenance';

/** In words, a step at a time; none: it is a cut. */
export const changesIn = (steps: Provenance['steps']): string[] =>
  steps.flatMap(({ kind, repair, mlpWidth, dtype }) => [
    ...(kind === 'prune' ? [] : [kind]),
    ...(repair ? ['repair'] : []),
    ...(typeof mlpWidth === 'number' ? ['narrower MLPs'] : []),
    ...(typeof dtype === 'string' ? [`rounding to ${dtype}`] : []),
  ]);
