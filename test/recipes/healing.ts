// What healings in tests begin with: the tiny model without a block, texts that are long enough and a recipe that is short.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { EngineEvent, RunControl } from '../../server/protocol/engine';
import type { HealRecipe, HealReport } from '../../server/recipes/heal/recipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { runRecipe } from '../../server/recipes/runRecipe';
import { modelFolder } from '../fixtures';
import { onCpu, runHere } from './runHere';

/** Makes models and texts before the tests of a file, and removes all of it after them. */
export function openHealings() {
  const root = mkdtempSync(join(tmpdir(), 'heal-'));
  // The original lies beside the pruned one, as espalier.json names it; beside the orphan it does not.
  const [pruned, dense, orphan] = [join(root, 'pruned'), join(root, 'stories260k'), join(root, 'alone', 'pruned')];
  const [text, other] = [join(root, 'text.txt'), join(root, 'other.txt')];
  beforeAll(async () => {
    cpSync(modelFolder('stories260k'), dense, { recursive: true });
    const rule = { kind: 'chosen', ...ofBlocks([3]) } as const;
    const nothing = { source: null, repair: null, maxShardBytes: null, mergekit: null };
    await runHere({ kind: 'prune', model: dense, rule, ...nothing, out: pruned, dtype: 'f32', compute: onCpu });
    cpSync(pruned, orphan, { recursive: true });
    writeFileSync(text, storyText(400));
    writeFileSync(other, storyText(900).slice(-20_000));
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  let n = 0;
  const place = () => join(root, `out-${n++}`);
  /** Runs it; `control` sees every event and may tell the run something. */
  async function heal(
    change: HealChange = {},
    control?: (event: EngineEvent, tell: (action: RunControl) => void) => void,
  ): Promise<{ report: HealReport; events: EngineEvent[]; out: string }> {
    const out = change.out ?? place();
    const events: EngineEvent[] = [];
    let tell = (_: RunControl) => {};
    const run = {
      signal: new AbortController().signal,
      emit(event: EngineEvent) {
        events.push(event);
        control?.(event, tell);
      },
      onControl: (listener: typeof tell) => void (tell = listener),
    };
    const report = (await runRecipe(healing(change.model ?? pruned, text, out, change), run)) as HealReport;
    return { report, events, out };
  }
  return { root, pruned, dense, orphan, other, place, heal };
}

/** The steps, but for how fast they were. */
export const stepsOf = ({ steps }: HealReport) => steps.map(({ tokensPerSecond: _, ...step }) => step);
export const adapterBytes = (out: string) => readFileSync(join(out, 'adapter_model.safetensors')).toString('base64');

/** Sentences that differ, so that sequences do too. */
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
      microBatchSequences: 2,
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
