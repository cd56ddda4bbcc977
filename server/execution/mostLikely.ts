// Which token comes next.
import { pickRow } from '../model/cache';
import { logitsSlice } from '../model/head';
import type { Batch } from './model';
import { refuseNotFinite } from './notFinite';
import type { HeadPass, HeadVisit } from './visitor';

/** The id with the largest logit after token `row` of a single sequence, the lowest one of equals; no logit may be NaN. */
export async function openMostLikely(visit: HeadVisit<Batch>, row: number): Promise<HeadPass<number>> {
  const {
    model,
    batch: { tokens },
    hidden,
    norm,
  } = visit;
  const { config, device } = model;
  const pick = await device.upload(
    Float32Array.from({ length: tokens }, (_, i) => (i === row ? 1 : 0)),
    [1, tokens],
    'table',
  );
  const { row: state } = await device.run(await device.program(pickRow, tokens, config.width), { hidden, pick });
  let best = 0;
  let bestLogit = Number.NEGATIVE_INFINITY;
  return {
    async pass({ weights, firstRow, nRows }) {
      using scope = device.scope();
      const program = await scope.program(logitsSlice, config, 1, nRows);
      const { logits } = await scope.run(program, { hidden: state!, norm, ...weights });
      const values = await scope.read(logits!);
      refuseNotFinite(values, 'logits', visit);
      for (const [i, logit] of values.entries()) {
        if (logit <= bestLogit) continue;
        bestLogit = logit;
        best = firstRow + i;
      }
    },
    finish: async () => best,
  };
}
