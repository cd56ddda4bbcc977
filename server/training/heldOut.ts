// The loss on sequences that are not trained on: the mean over all predictions that count.
import { forward } from '../execution/forward';
import type { Adapters } from '../execution/adapters';
import type { Model } from '../execution/model';
import { byLength, type CountedSequence, countedIn } from './batches';

/** Nats per counted prediction, with the adapters if there are some. Sequences of one length go together. */
export async function heldOutLoss(
  model: Model,
  items: readonly CountedSequence[],
  { adapters, signal, onProgress }: { adapters?: Adapters; signal?: AbortSignal; onProgress?(fraction: number): void },
): Promise<number> {
  let sum = 0;
  let nDone = 0;
  for (const { ids, places } of byLength(items)) {
    const tokens = ids[0]!.length;
    await forward(model, ids, {
      ...(adapters && { adapters }),
      signal,
      onProgress: (fraction) => onProgress?.((nDone + fraction * ids.length) / items.length),
      observer: {
        async tokens(tokenNats, { firstSequence, batch }) {
          const nats = await model.device.read(tokenNats);
          for (let b = 0; b < batch; b++) {
            const { counted } = items[places[firstSequence + b]!]!;
            for (let i = 1; i < counted.length; i++) if (counted[i]) sum += nats[b * (tokens - 1) + i - 1]!;
          }
        },
      },
    });
    nDone += ids.length;
  }
  return sum / items.reduce((n, item) => n + countedIn(item), 0);
}
