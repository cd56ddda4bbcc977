// What healings in tests begin with: a text that is long enough and a recipe that is short enough.
import type { HealRecipe } from '../../server/protocol';
import { onCpu } from './runHere';

/** Sentences that differ, so that windows do too. */
export function storyText(nSentences: number): string {
  const who = ['Lily', 'Tom', 'a little dog', 'the old cat', 'Sue', 'her mom', 'a big bear'];
  const did = ['found', 'wanted', 'saw', 'lost', 'played with', 'liked', 'was sad without', 'gave away'];
  const what = ['a red ball', 'the sun', 'some cake', 'a toy car', 'an apple', 'a blue hat', 'the park', 'a friend'];
  const then = ['They were happy.', 'It was fun.', 'Mom said no.', 'Then it was night.', 'She smiled.'];
  const at = (list: readonly string[], i: number) => list[Math.floor(i) % list.length]!;
  return Array.from(
    { length: nSentences },
    (_, i) =>
      `One day, ${at(who, i * 3 + i / 7)} ${at(did, i * 5 + i / 11)} ${at(what, i + i / 5)}. ${at(then, i / 2)}`,
  ).join(' ');
}

type Part = 'data' | 'adapter' | 'optimizer' | 'loop';
export type HealChange = Partial<Omit<HealRecipe, Part>> & { [P in Part]?: Partial<HealRecipe[P]> };

/** A short run on a text; `change` goes into its parts. */
export function healing(model: string, text: string, out: string, change: HealChange = {}): HealRecipe {
  const { data, adapter, optimizer, loop, ...rest } = change;
  return {
    kind: 'heal',
    model,
    data: {
      files: [text],
      field: null,
      format: 'auto',
      tokens: 64,
      start: 0,
      bos: 'none',
      order: 'shuffled',
      heldOutFraction: 0.1,
      seed: 0,
      ...data,
    },
    adapter: {
      rank: 4,
      alpha: 8,
      targets: ['all-linear'],
      blocks: 'all',
      rankPattern: {},
      alphaPattern: {},
      rsLora: false,
      dropout: 0,
      init: null,
      ...adapter,
    },
    objective: { kind: 'nextToken' },
    optimizer: {
      learningRate: 5e-3,
      schedule: 'linear',
      warmupSteps: 2,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      clipNorm: 1,
      ...optimizer,
    },
    loop: {
      steps: 12,
      microBatchWindows: 2,
      accumulate: 2,
      evaluateEverySteps: 4,
      heldOut: null,
      patience: null,
      saveEverySteps: 5,
      activations: 'auto',
      ...loop,
    },
    dense: null,
    resume: false,
    out,
    compute: onCpu,
    ...rest,
  };
}
