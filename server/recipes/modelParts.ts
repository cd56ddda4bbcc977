// What the parts of a model weigh, from its headers: what budgets reckon with (shared/budget.ts).
import type { Checkpoint } from '../checkpoint/checkpoint';
import { bytesPerWeight } from '../checkpoint/dtype';
import { safetensorsHeaderBytes } from '../checkpoint/safetensors';
import type { WeightEntry } from '../checkpoint/weightReader';
import { size } from '../graph/value';
import { parseBlockWeightName } from '../model/weights';
import type { Amount, ModelParts } from '../protocol/reports';

export function modelParts({ config, weights }: Checkpoint): ModelParts {
  const { nBlocks, mlpWidth, nKeyValueHeads, headWidth } = config;
  const blocks = Array.from({ length: nBlocks }, () => ({ all: nothing, channels: nothing }));
  let outside = nothing;
  for (const entry of weights.values()) {
    const inBlock = parseBlockWeightName(entry.name);
    const amount = amountOf(entry);
    if (!inBlock) outside = sum(outside, amount);
    else {
      const block = blocks[inBlock.block]!;
      block.all = sum(block.all, amount);
      if (isOfChannels.test(inBlock.suffix)) block.channels = sum(block.channels, amount);
    }
  }
  // Weights may have dtypes of their own: what fits by these fits whichever blocks stay.
  const heaviest = blocks.reduce((most, each) => (each.all.bytes > most.all.bytes ? each : most));
  const lightest = blocks.reduce((least, each) => (each.channels.bytes < least.channels.bytes ? each : least));
  return {
    outside,
    block: heaviest.all,
    channel: { parameters: lightest.channels.parameters / mlpWidth, bytes: lightest.channels.bytes / mlpWidth },
    cachedPerToken: 2 * nKeyValueHeads * headWidth,
    headerBytes: headerBytes([...weights.values()], nBlocks),
  };
}

/** Blocks that stay are numbered from 0 and lie further to the front, so that theirs have no more digits than the mean of all. */
function headerBytes(entries: readonly WeightEntry[], nBlocks: number): ModelParts['headerBytes'] {
  const outside = entries.filter(({ name }) => !parseBlockWeightName(name));
  const [all, without] = [entries, outside].map((of) => safetensorsHeaderBytes(of).length);
  const padding = 8;
  return { outside: without! + padding, block: Math.ceil((all! + padding - without!) / nBlocks) };
}

const nothing: Amount = { parameters: 0, bytes: 0 };
const sum = (a: Amount, b: Amount): Amount => ({ parameters: a.parameters + b.parameters, bytes: a.bytes + b.bytes });

const amountOf = ({ shape, dtype }: WeightEntry): Amount => ({
  parameters: size(shape),
  bytes: size(shape) * bytesPerWeight[dtype],
});

const isOfChannels = /^mlp\.((gate|up|gate_up)_proj\.|down_proj\.weight$)/;
