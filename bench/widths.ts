// What the width of matrices costs: the loss on the same text, the bytes that are held, and what healing brings back where the
// frozen weights are so narrow.
import { join } from 'node:path';
import { withStoredCheckpoint } from '../server/execution/storedWeights';
import { sliceRows, weightSizes } from '../server/execution/memorySizes';
import { type WeightWidth, weightWidth } from '../server/protocol/recipes';
import type { HealReport } from '../server/recipes/heal/recipe';
import type { PerplexityReport } from '../server/recipes/perplexity/recipe';
import { reportOf, table, withScratch } from './commandLine';
import { type Setting, tokensPerSequence } from './setting';

const [microBatch, trainedTokens, steps] = [2, 256, 12];

interface Found {
  readonly weightBytes: number;
  readonly lossNats: number;
  readonly prunedNats: number;
  readonly broughtBackNats: number;
  /** The loss once the adapter is merged into the pruned model as it lies on the disk. */
  readonly mergedNats: number;
}

export const benchWidths = (setting: Setting): Promise<void> =>
  withScratch(async (folder) => {
    const pruned = join(folder, 'pruned');
    const dropped = await afterAThird(setting.model);
    reportOf(folder, 'prune', setting.model, '--drop', dropped, '--out', pruned);
    const found = new Map<WeightWidth, Found>();
    for (const width of weightWidth.options) {
      found.set(width, await measured(setting, width, folder, pruned));
      console.error(width, found.get(width));
    }
    const float32 = found.get('f32')!;
    const rows = [...found].map(([width, { weightBytes, lossNats, prunedNats, broughtBackNats, mergedNats }]) => [
      width,
      `${(weightBytes / 1e6).toFixed(0)} MB`,
      lossNats.toFixed(5),
      (lossNats - float32.lossNats).toFixed(5),
      prunedNats.toFixed(4),
      broughtBackNats.toFixed(4),
      `${(100 * (broughtBackNats / float32.broughtBackNats)).toFixed(1)} %`,
      mergedNats.toFixed(4),
      `${(100 * ((float32.prunedNats - mergedNats) / (float32.prunedNats - float32.mergedNats))).toFixed(1)} %`,
    ]);
    console.log(
      `widths: loss of ${setting.sequences} x ${tokensPerSequence} tokens of WikiText's test text; without blocks ${dropped}, ` +
        `and what ${steps} steps of LoRA on ${microBatch} x ${trainedTokens} tokens bring back of that\n`,
    );
    const head = [
      'width',
      'weights',
      'loss, nats',
      'against f32',
      'pruned',
      'brought back',
      'of f32',
      'merged',
      'of f32',
    ];
    console.log(table(head, rows));
  });

async function measured(
  { model, data, sequences, threads }: Setting,
  width: WeightWidth,
  folder: string,
  pruned: string,
): Promise<Found> {
  const held = ['--weights', width, '--device', 'cpu', '--threads', `${threads}`];
  const test = join(data, 'data/wikitext-2-raw/wiki.test.raw');
  const text = ['--text', test, '--sequences', `${sequences}`, '--tokens', `${tokensPerSequence}`];
  const { models } = reportOf<PerplexityReport>(folder, 'perplexity', model, ...text, ...held);
  const heldOut = ['--held-out-text', test, '--held-out-sequences', '2', '--held-out-tokens', '512'];
  const trained = ['--data', join(data, 'data/wikitext-2-raw/wikitext2_train_5k.txt'), '--tokens', `${trainedTokens}`];
  const loop = [
    '--micro-batch',
    `${microBatch}`,
    '--steps',
    `${steps}`,
    '--evaluate-every',
    `${steps}`,
    '--warmup',
    '2',
  ];
  const out = ['--out', join(folder, `healed-${width}`)];
  const healed = reportOf<HealReport>(folder, 'heal', pruned, ...trained, ...heldOut, ...loop, ...held, ...out);
  const merged = join(folder, `merged-${width}`);
  reportOf(folder, 'merge', pruned, join(folder, `healed-${width}`), '--out', merged);
  const same = ['--text', test, '--sequences', '2', '--tokens', '512', '--device', 'cpu'];
  const whole = reportOf<PerplexityReport>(folder, 'perplexity', merged, ...same).models[0]!.lossNats;
  return {
    weightBytes: await bytesHeld(model, width),
    lossNats: models[0]!.lossNats,
    prunedNats: healed.pruned!.lossNats,
    broughtBackNats: healed.pruned!.lossNats - healed.healed!.lossNats,
    mergedNats: whole,
  };
}

/** Three blocks, or one of a model of few. */
const afterAThird = (model: string): Promise<string> =>
  withStoredCheckpoint(model, 'f32', async ({ config: { nBlocks } }) => {
    const first = Math.floor(nBlocks / 3);
    return nBlocks < 12 ? `${first}` : `${first}-${first + 2}`;
  });

/** Of all weights as they are held. */
const bytesHeld = (model: string, width: WeightWidth): Promise<number> =>
  withStoredCheckpoint(model, width, async ({ config }) => {
    const { staying } = weightSizes(config, sliceRows(config, tokensPerSequence)).resident;
    return staying;
  });
