// A step of healing against PEFT's, with its memory: processes of their own on both sides, so that each peak is one side's.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../server/checkpoint/checkpoint';
import type { HealReport } from '../server/recipes/heal/recipe';
import { openDevice } from '../server/runtime/device';
import { sequenceOperations } from '../server/execution/memoryPlan';
import { productsPerSecond } from './block';
import { least, peers } from './peers';
import type { Setting } from './setting';

const [sequences, tokens] = [4, 256];

/** 4 x 256 tokens, rank 8 on all projections, f32; with activations kept and computed again. */
export async function benchHeal(setting: Setting): Promise<void> {
  const python = peers(setting, ['lora', 'lora_checkpointing'], { repeat: setting.rounds });
  const { operations, peak } = await floor(setting);
  const rows = [
    { ours: 'keep', theirs: 'lora', ways: 2 },
    { ours: 'recompute', theirs: 'lora_checkpointing', ways: 3 },
  ] as const;
  for (const { ours, theirs, ways } of rows) {
    const { seconds, peakBytes } = steps(setting, ours);
    const peer = least(python, theirs, 'step');
    const peerBytes = Number(python[theirs]!.peak_rss_mib ?? Number.NaN) * 2 ** 20;
    const share = operations(ways) / seconds / peak;
    console.log(
      `heal, activations ${ours}: ${seconds.toFixed(2)} s a step and ${(peakBytes / 1e9).toFixed(2)} GB, ` +
        `PEFT ${theirs} ${peer.toFixed(2)} s and ${(peerBytes / 1e9).toFixed(2)} GB, ratio ${(peer / seconds).toFixed(2)}; ` +
        `${(100 * share).toFixed(0)} % of GEMM peak (${(peak / 1e9).toFixed(0)} GFLOP/s)`,
    );
  }
}

/** The fastest of the steps of one run, by the command line. */
function steps({ model, data, rounds, threads }: Setting, activations: string): { seconds: number; peakBytes: number } {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-heal-'));
  try {
    const json = join(folder, 'report.json');
    const text = join(data, 'data/wikitext-2-raw/wikitext2_train_5k.txt');
    const options = ['--data', text, '--tokens', `${tokens}`, '--micro-batch', `${sequences}`, '--holdout', '0'];
    const loop = ['--steps', `${rounds + 1}`, '--activations', activations, '--threads', `${threads}`];
    const out = ['--out', join(folder, 'adapter'), '--json', json, '--quiet'];
    execFileSync(process.execPath, ['dist/espalier.cjs', 'heal', model, ...options, ...loop, ...out]);
    const report = JSON.parse(readFileSync(json, 'utf8')) as HealReport;
    const fastest = Math.max(...report.steps.map((step) => step.tokensPerSecond));
    return { seconds: (sequences * tokens) / fastest, peakBytes: report.peakMemoryBytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What has to be multiplied at least, by how many times the blocks are walked, and how fast the device multiplies. */
async function floor({ model, threads }: Setting) {
  const { config, close } = await openCheckpoint(model);
  await close();
  const device = await openDevice({ provider: 'cpu', threads });
  const peak = await productsPerSecond(config, device, sequences * tokens);
  await device.close();
  const each = sequenceOperations(config, tokens);
  const operations = (ways: number) => sequences * (ways * config.nBlocks * each.block + 2 * each.head);
  return { operations, peak };
}
