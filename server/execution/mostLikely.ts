// Which token comes next.
import { logitsSlice } from '../model/head';
import type { Tensor } from '../runtime/tensor';
import type { Model } from './model';
import { headGroups, type Step } from './weightStore';

/** The id with the largest logit, the lowest one of equals, by the final norm's weight [D]. Disposes `state` [1, D]. */
export async function mostLikely(model: Model, norm: Tensor, state: Tensor): Promise<number> {
  const { config, device, plan } = model;
  let best = 0;
  let bestLogit = Number.NEGATIVE_INFINITY;
  const steps = headGroups(config, plan.headSliceRows).map(
    (group): Step => ({
      group,
      async visit(weights) {
        const { shape, firstRow } = group.parts[0]!;
        const program = await device.program(`logits ${shape[0]}`, () => logitsSlice(config, 1, shape[0]!));
        const { logits } = await device.run(program, { hidden: state, norm, head: weights.head! });
        const values = await device.read(logits!);
        logits!.dispose();
        for (const [i, logit] of values.entries()) {
          if (logit <= bestLogit) continue;
          bestLogit = logit;
          best = firstRow! + i;
        }
      },
    }),
  );
  await model.store.walk(steps);
  state.dispose();
  return best;
}
