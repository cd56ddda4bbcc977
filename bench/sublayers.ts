// A forward pass through a folder whose attention was dropped in some blocks, against the folder that it was made from.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoint } from '../server/checkpoint/checkpoint';
import { writeWithoutBlocks } from '../server/checkpoint/surgery';
import { forward } from '../server/execution/forward';
import { type Setting, takeTurns, withBenchModel } from './setting';

/** Blocks of SmolLM2 whose attention costs least. */
const attention = [4, 5, 6, 7, 8, 9, 26, 29];

export async function benchSublayers(setting: Setting): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  try {
    const source = await openCheckpoint(setting.model);
    const pruned = join(folder, 'pruned');
    const drop = { blocks: [], attention, mlp: [] };
    await writeWithoutBlocks(source, { drop, out: pruned, dtype: null, provenance: {} });
    await source.close();
    await withBenchModel(setting, (whole, sequences) =>
      withBenchModel({ ...setting, model: pruned }, async (part) => {
        const best = await takeTurns(setting.rounds, {
          whole: () => forward(whole, sequences),
          part: () => forward(part, sequences),
        });
        console.log(
          `sublayers: without the attention of ${attention.length} of ${whole.config.nBlocks} blocks ${best.part.toFixed(0)} ms, whole ${best.whole.toFixed(0)} ms, ` +
            `ratio ${(best.whole / best.part).toFixed(3)} (least of ${setting.rounds})`,
        );
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
