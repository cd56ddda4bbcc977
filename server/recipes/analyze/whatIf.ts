// Answers about drop sets from a model whose hidden states are kept: a first value with its error after one sequence, then
// better ones until all sequences are measured.
import type { Measuring } from '../../analysis/measuring';
import { pathWithout } from '../../model/path';
import { checkDropSet } from '../../shared/dropSets';
import type { DropSet } from '../../protocol/recipes';
import type { Estimate, MeasuredLoss } from '../../protocol/reports';

/**
 * Emits estimates of the loss without a drop set, the last one final. Throws UserError('badChoice') for one that does not
 * fit, 'cancelled' after the signal.
 */
export async function answerWhatIf(
  measuring: Measuring,
  drop: DropSet,
  signal: AbortSignal,
  onEstimate: (estimate: Estimate) => void,
): Promise<void> {
  const began = performance.now();
  const { model, nSequences } = measuring;
  const path = pathWithout(model.config, checkDropSet(drop, model.config.nBlocks));
  const answer = (loss: MeasuredLoss, measured: number) =>
    onEstimate({
      ...loss,
      nSequences: measured,
      ofSequences: nSequences,
      final: measured === nSequences,
      elapsedMs: performance.now() - began,
    });

  const known = measuring.known(path);
  if (known) return answer(known, nSequences);
  let seen = new Float32Array(0);
  for (let sequence = 0; sequence < nSequences; sequence++) {
    // The states of this question stay for the next one, which will differ from it in a block or two.
    const options = { signal, keeps: () => 'spare' as const };
    const [nats] = await measuring.nats([path], { first: sequence, end: sequence + 1 }, options);
    const longer = new Float32Array(seen.length + nats!.length);
    longer.set(seen);
    longer.set(nats!, seen.length);
    seen = longer;
    const loss = measuring.compare(seen);
    if (sequence === nSequences - 1) measuring.know(path, loss);
    answer(loss, sequence + 1);
  }
}
