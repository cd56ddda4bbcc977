// The block graph against the machine's own speed at plain matrix products of the block's shapes, in operations a second.
// A block counts 2 operations a weight and token, and 4 B H T T E for attention.
import { linear } from '../server/graph/ops/linear';
import { type Graph, input } from '../server/graph/value';
import type { ModelConfig } from '../server/model/config';
import { blockWeights } from '../server/model/weights';
import type { Scope } from '../server/runtime/device';
import type { Tensor } from '../server/runtime/tensor';
import { blockProgram } from '../server/execution/blockProgram';
import { openTables } from '../server/execution/positionTables';
import { sequenceOperations } from '../server/execution/memoryPlan';
import { blockGroup } from '../server/execution/weightStore';
import { type Setting, takeTurns, tokensPerSequence, withBenchModel } from './setting';

export const benchBlock = (setting: Setting) =>
  withBenchModel(setting, async (model) => {
    const { config, device, plan } = model;
    const batch = { batch: plan.microBatchSequences, tokens: tokensPerSequence };
    const rows = batch.batch * batch.tokens;
    const program = await blockProgram(model, { block: 0, sublayers: 'whole' }, batch);
    const tables = openTables(model);
    const hidden = await device.upload(noise(rows * config.width), [rows, config.width], 'result');
    const products = await Promise.all(
      blockWeights(config)
        .filter(({ shape }) => shape.length === 2)
        .map(({ shape }) => product(device, rows, shape as [number, number])),
    );
    const run = async (feeds: Record<string, Tensor>) => {
      using scope = device.scope();
      await scope.run(program, feeds);
    };
    await model.store.run([
      {
        group: blockGroup(config, 0),
        async visit(weights) {
          const feeds = { ...weights, ...(await tables.for(batch)), hidden };
          const best = await takeTurns(setting.rounds * 10, {
            products: async () => {
              for (const multiply of products) await multiply();
            },
            block: () => run(feeds),
          });
          const operations = batch.batch * sequenceOperations(config, batch.tokens).block;
          const inProducts = blockWeights(config).reduce(
            (sum, { shape }) => sum + (shape.length === 2 ? 2 * rows * shape[0]! * shape[1]! : 0),
            0,
          );
          const speed = { block: operations / best.block, products: inProducts / best.products };
          console.log(
            `block: ${(speed.block / 1e6).toFixed(0)} GFLOP/s, matrix products of its shapes ${(speed.products / 1e6).toFixed(0)} GFLOP/s, ` +
              `ratio ${(speed.block / speed.products).toFixed(3)} (${batch.batch} x ${batch.tokens} tokens, least of ${setting.rounds * 10})`,
          );
        },
      },
    ]);
  });

/** Operations a second of the matrix products of a block's shapes, the least time of 20 turns. */
export async function productsPerSecond(config: ModelConfig, device: Scope, rows: number): Promise<number> {
  const shapes = blockWeights(config).flatMap(({ shape }) => (shape.length === 2 ? [shape as [number, number]] : []));
  const products = await Promise.all(shapes.map((shape) => product(device, rows, shape)));
  const { all } = await takeTurns(20, {
    all: async () => {
      for (const multiply of products) await multiply();
    },
  });
  return shapes.reduce((sum, [out, into]) => sum + 2 * rows * out * into, 0) / (all / 1000);
}

/** One product x w^T as the runtime does it alone. */
async function product(device: Scope, rows: number, [out, into]: [number, number]) {
  const program = await device.program(productGraph, rows, out, into);
  const x = await device.upload(noise(rows * into), [rows, into], 'result');
  const w = await device.upload(noise(out * into), [out, into], 'result');
  return async () => {
    using scope = device.scope();
    await scope.run(program, { x, w });
  };
}

const productGraph = (rows: number, out: number, into: number): Graph => ({
  name: 'product',
  outputs: { y: linear(input('x', [rows, into]), input('w', [out, into])) },
});

const noise = (length: number) => Float32Array.from({ length }, () => Math.random() - 0.5);
