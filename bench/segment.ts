// A step of healing whose blocks are one graph with the head, against the same step block by block, both with insides kept.
import { adapter as adapterForm } from '../server/recipes/heal/adapterOptions';
import { optimizer } from '../server/recipes/heal/trainingOptions';
import { adaptedModules } from '../server/model/adapter';
import { freshMatrices, openAdapterState } from '../server/training/adapterState';
import { weightedBatches } from '../server/training/batches';
import { type StepOptions, trainStep } from '../server/training/step';
import { type Setting, takeTurns, withBenchModel } from './setting';

const [sequences, tokens] = [4, 256];
const options: StepOptions = {
  // Without a rate each step begins with the same adapter.
  optimizer: { ...optimizer.parse(undefined), learningRate: 0 },
  steps: 100,
  seed: 0,
  dropout: 0,
  activations: 'keep',
  batchesAtOnce: 1,
};

export const benchSegment = (setting: Setting) =>
  withBenchModel(setting, async (model, texts) => {
    const modules = adaptedModules(model.config, adapterForm.parse(undefined), null);
    using adapter = await openAdapterState(model.device, modules, freshMatrices(modules, 0));
    const items = texts.slice(0, sequences).map((ids) => ({
      ids: ids.subarray(0, tokens),
      counted: new Uint8Array(tokens).fill(1),
    }));
    const { counts } = model.device;
    const seen: Record<string, { runs: number; processorMs: number; lossNats: number }> = {};
    const step = (name: string, segmentBlocks: number) => async () => {
      const [runs, processor] = [counts.runs, process.cpuUsage()];
      const batches = weightedBatches(items, sequences);
      const { lossNats } = await trainStep(model, adapter, batches, 0, { ...options, segmentBlocks });
      const { user, system } = process.cpuUsage(processor);
      const least = Math.min(seen[name]?.processorMs ?? Number.POSITIVE_INFINITY, (user + system) / 1000);
      seen[name] = { runs: counts.runs - runs, processorMs: least, lossNats };
    };
    const best = await takeTurns(setting.rounds, {
      blocks: step('blocks', 0),
      segment: step('segment', model.config.nBlocks - 1),
    });
    const [blocks, segment] = [seen.blocks!, seen.segment!];
    console.log(
      `segment: ${best.segment.toFixed(0)} ms a step and ${segment.runs} runs, block by block ${best.blocks.toFixed(0)} ms and ${blocks.runs} runs, ` +
        `ratio ${(best.blocks / best.segment).toFixed(3)}, of processor time ${(blocks.processorMs / segment.processorMs).toFixed(3)}; ` +
        `losses differ by ${Math.abs(blocks.lossNats - segment.lossNats).toExponential(1)} (least of ${setting.rounds})`,
    );
  });
