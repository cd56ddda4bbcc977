// Steps of training beside PEFT's: the loss and gradient norm of each, and the adapter at the end.
import { describe, expect, it } from 'vitest';
import { openAdapterState } from '../../server/training/adapterState';
import { weightedBatches } from '../../server/training/batches';
import { trainStep } from '../../server/training/step';
import { forward } from '../../server/execution/forward';
import { available, dataFolder, long, modelFolder } from '../fixtures';
import { modelName, openSetting, optimizerOf, readReference } from './setting';

const all = (ids: Int32Array) => ({ ids, counted: new Uint8Array(ids.length).fill(1) });
/**
 * The share of the adapter's values that float32 determines to 1e-4 after these steps. AdamW divides a gradient by its own
 * size: where it nearly vanishes, its rounding decides. PEFT run in float64 is off the reference, which is float32, by 1.0e-5
 * in the gradient norm, and by up to 2.7e-2 in 31 of 1400 values of SmolLM2.
 */
const sharp = 0.97;

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}

const runs: {
  file: string;
  memory: 'resident' | 'streaming';
  activations: 'keep' | 'recompute';
  /** All blocks but the first as one graph with the head. */
  segment?: boolean;
  steps?: number;
}[] = [
  { file: 'lora-stories260k', memory: 'resident', activations: 'recompute' },
  { file: 'lora-stories260k', memory: 'resident', activations: 'keep' },
  { file: 'lora-stories260k', memory: 'resident', activations: 'keep', segment: true },
  { file: 'lora-stories260k', memory: 'streaming', activations: 'recompute' },
  { file: 'lora-stories260k-cosine', memory: 'resident', activations: 'recompute' },
  { file: 'lora-stories260k-cosine', memory: 'streaming', activations: 'keep' },
  { file: 'lora-smollm2-135m', memory: 'resident', activations: 'recompute', ...(!long && { steps: 2 }) },
  {
    file: 'lora-smollm2-135m-cosine',
    memory: 'resident',
    activations: 'keep',
    segment: true,
    ...(!long && { steps: 1 }),
  },
];

describe.skipIf(!available(`${dataFolder}/reference`)).each(runs.map((run) => ({ segment: false, ...run })))(
  '$file, $memory, $activations, as a segment $segment',
  ({ file, memory, activations, segment, steps }) => {
    const reference = readReference(file);
    it.skipIf(!available(modelFolder(modelName(reference.settings.model))))(
      'steps as PEFT does',
      { timeout: 300_000 },
      async () => {
        const { accumulate, rows, held_out_micro_batch } = reference.settings;
        const setting = await openSetting(reference, memory);
        const { model, modules, initial } = setting;
        const adapter = await openAdapterState(model.device, modules, initial);
        const heldOut = async () => {
          const losses = await forward(model, setting.rows(held_out_micro_batch), { adapters: adapter });
          return losses.reduce((sum, x) => sum + x, 0) / losses.length;
        };
        const worst = { loss: 0, gradNorm: 0, values: 0, norms: 0 };
        const valuesOff: number[] = [];
        const off = (found: number, expected: number) => Math.abs(found / expected - 1);
        try {
          expect(off(await heldOut(), reference.held_out_before)).toBeLessThan(1e-4);
          const options = {
            optimizer: optimizerOf(reference),
            steps: reference.steps.length,
            seed: 0,
            dropout: 0,
            activations,
            segmentBlocks: segment ? model.config.nBlocks - 1 : 0,
            batchesAtOnce: memory === 'streaming' ? accumulate : 1,
          };
          for (const [s, expected] of reference.steps.slice(0, steps).entries()) {
            const items = Array.from({ length: accumulate }, (_, a) => setting.rows(s * accumulate + a)).flat();
            const found = await trainStep(model, adapter, weightedBatches(items.map(all), rows), s, options);
            expect(found.learningRate).toBeCloseTo(expected.lr, 9);
            worst.loss = Math.max(worst.loss, off(found.lossNats, expected.loss));
            worst.gradNorm = Math.max(worst.gradNorm, off(found.gradNorm, expected.grad_norm));
          }
          if (steps === undefined) {
            expect(off(await heldOut(), reference.held_out_after)).toBeLessThan(1e-4);
            for (const [module, { a, b }] of await adapter.matrices()) {
              for (const [part, values] of [['A', a] as const, ['B', b] as const]) {
                const { norm, first } = reference.tensors[`${module}.lora_${part}`]!;
                worst.norms = Math.max(worst.norms, off(Math.hypot(...values), norm));
                // A value may lie near zero: how far it is off counts against the matrix's typical one.
                const typical = norm / Math.sqrt(values.length);
                for (const [i, v] of first.entries())
                  valuesOff.push(Math.abs(values[i]! - v) / Math.max(typical, Math.abs(v)));
              }
            }
          }
        } finally {
          adapter[Symbol.dispose]();
          await setting.close();
        }
        worst.values = quantile(valuesOff, sharp);
        const show = Object.entries(worst).map(([name, x]) => `${name} ${x.toExponential(1)}`);
        console.log(`${file}, ${memory}, ${activations}: off by at most ${show.join(', ')}`);
        expect(worst.loss).toBeLessThan(1e-4);
        expect(worst.gradNorm).toBeLessThan(1e-4);
        expect(worst.norms).toBeLessThan(1e-4);
        expect(worst.values).toBeLessThan(1e-4);
      },
    );
  },
);
