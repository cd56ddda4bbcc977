// How fast a model is opened in fewer bits: every matrix read and narrowed, against every matrix read as float32, in turns.
import { readStored, withStoredCheckpoint } from '../server/execution/storedWeights';
import { blockGroup, groupBytes, groupSize, headGroups } from '../server/execution/weightStore';
import { type WeightWidth, weightWidth } from '../server/protocol/recipes';
import { type Setting, takeTurns } from './setting';

const headSliceRows = 4096;

export async function benchQuantise({ model, rounds }: Setting): Promise<void> {
  let nNumbers = 0;
  const read = (width: WeightWidth) => async () => {
    nNumbers = await readAll(model, width);
  };
  const ms = await takeTurns(rounds, {
    f32: read('f32'),
    f16: read('f16'),
    int8: read('int8'),
    int4: read('int4'),
  } satisfies Record<WeightWidth, unknown>);
  for (const width of weightWidth.options)
    console.log(
      `quantise ${width}: ${ms[width].toFixed(0)} ms, ${((4e-3 * nNumbers) / ms[width]).toFixed(0)} MB of float32 a second, ` +
        `${(ms[width] / ms.f32).toFixed(2)} times float32`,
    );
}

/** Reads all weights of blocks and head, a group at a time into the same room. @returns how many numbers they are */
const readAll = (folder: string, width: WeightWidth): Promise<number> =>
  withStoredCheckpoint(folder, width, async (checkpoint) => {
    const { config } = checkpoint;
    const groups = [...config.blocks.map((_, k) => blockGroup(config, k)), ...headGroups(config, headSliceRows)];
    const room = new Uint8Array(Math.max(...groups.map((group) => groupBytes(group) + 8 * group.parts.length)));
    for (const { parts } of groups) {
      let used = 0;
      const take = (nBytes: number) => {
        const from = used;
        used += 8 * Math.ceil(nBytes / 8);
        return room.subarray(from, from + nBytes);
      };
      await Promise.all(parts.map((part) => readStored(checkpoint, part, take)));
    }
    return groups.reduce((sum, group) => sum + groupSize(group), 0);
  });
