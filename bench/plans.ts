// What plans say beside what runs take: the most memory of both processes, and the most bytes of tensors, for each width and way of
// working. A process for each run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePlan } from '../server/plan/makePlan';
import { type WeightWidth, weightWidth } from '../server/protocol/recipes';
import type { RunFacts } from '../server/protocol/reports';
import { type Recipe, recipeSchema } from '../server/recipes/kinds';
import { reportOfRecipe, table, withScratch } from './commandLine';
import { type Setting, withBenchModel } from './setting';

/** Nothing here tells of speed. */
const anyDevice = (device: 'cpu' | 'webgpu') => ({ device, reason: null, operationsPerSecond: null });

export const benchPlans = (setting: Setting): Promise<void> =>
  withScratch(async (folder) => {
    const rows: string[][] = [];
    const shares: number[] = [];
    for (const [name, recipe] of await recipesOf(setting, folder)) {
      const parsed = recipeSchema.parse(recipe) as Recipe;
      const plan = await makePlan(parsed, anyDevice('cpu'));
      const { deviceMemory } = await makePlan(parsed, anyDevice('webgpu'));
      const { peakMemoryBytes, peakTensorBytes } = reportOfRecipe<RunFacts>(folder, recipe);
      const [host, tensors] = [peakMemoryBytes / plan.totalBytes, peakTensorBytes! / deviceMemory!.totalBytes];
      shares.push(host, tensors);
      const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(3)} GB`;
      rows.push([
        ...[name, gigabytes(plan.totalBytes), gigabytes(peakMemoryBytes), host.toFixed(2)],
        ...[gigabytes(deviceMemory!.totalBytes), gigabytes(peakTensorBytes!), tensors.toFixed(2)],
      ]);
      console.error(rows.at(-1)!.join('  '));
    }
    const head = ['run', 'planned', 'taken', 'ratio', 'tensors planned', 'taken', 'ratio'];
    console.log(`plans: ratios ${Math.min(...shares).toFixed(2)} to ${Math.max(...shares).toFixed(2)}\n`);
    console.log(table(head, rows));
  });

async function recipesOf(setting: Setting, folder: string): Promise<[string, object][]> {
  const ids = join(folder, 'ids.json');
  await withBenchModel({ ...setting, sequences: 4 }, async (_, sequences) =>
    writeFileSync(ids, JSON.stringify(sequences.map((row) => [...row.subarray(0, 256)]))),
  );
  const { model, data, threads } = setting;
  const how = (weights: WeightWidth, memory: 'resident' | 'streaming') => ({ device: 'cpu', threads, memory, weights });
  const analyze = (methods: string, compute: object) => ({
    ...{ kind: 'analyze', model, methods: [methods], source: { kind: 'ids', file: ids }, compute },
  });
  let nHealings = 0;
  const heal = (activations: string, compute: object) => ({
    ...{ kind: 'heal', model, compute, out: join(folder, `healed-${nHealings++}`) },
    data: {
      files: [join(data, 'data/wikitext-2-raw/wikitext2_train_5k.txt')],
      tokens: 256,
      heldOutFraction: 0,
    },
    loop: { steps: 1, microBatchSequences: 2, activations },
  });
  const ways = weightWidth.options.flatMap((width): [string, object][] => {
    const [resident, streaming] = [how(width, 'resident'), how(width, 'streaming')];
    return [
      [`${width}, loss, 4 x 256`, analyze('none', resident)],
      [`${width}, loss, streaming`, analyze('none', streaming)],
      [`${width}, all methods`, analyze('all', resident)],
      [`${width}, Taylor`, analyze('taylor', resident)],
      [`${width}, a step of healing, 2 x 256, kept`, heal('keep', resident)],
      [`${width}, a step of healing, made again`, heal('recompute', resident)],
    ];
  });
  return ways;
}
