// The loss on windows that are not trained on: the mean over all predictions that count.
import { forward } from '../walk/forward';
import type { Adapters } from '../walk/adapters';
import type { Model } from '../walk/model';
import { type CountedWindow, commonLength, countedIn } from './batches';

/** Nats per counted prediction, with the adapters if there are some. Windows of one length go together. */
export async function heldOutLoss(
  model: Model,
  items: readonly CountedWindow[],
  { adapters, signal, onProgress }: { adapters?: Adapters; signal?: AbortSignal; onProgress?(fraction: number): void },
): Promise<number> {
  let sum = 0;
  let nDone = 0;
  for (const group of byLength(items)) {
    const tokens = group[0]!.ids.length;
    await forward(
      model,
      group.map(({ ids }) => ids),
      {
        ...(adapters && { adapters }),
        ...(signal && { signal }),
        onProgress: (fraction) => onProgress?.((nDone + fraction * group.length) / items.length),
        observer: {
          async tokens(tokenNats, { firstWindow, batch }) {
            const nats = await model.device.read(tokenNats);
            for (let b = 0; b < batch; b++)
              for (let i = 1; i < tokens; i++)
                if (group[firstWindow + b]!.counted[i]) sum += nats[b * (tokens - 1) + i - 1]!;
          },
        },
      },
    );
    nDone += group.length;
  }
  return sum / items.reduce((n, item) => n + countedIn(item), 0);
}

/** Items of equal length, each filled up to that of its group. */
function byLength(items: readonly CountedWindow[]): CountedWindow[][] {
  const groups = new Map<number, CountedWindow[]>();
  const whole = items.every((item) => item.ids.length === items[0]!.ids.length);
  for (const item of items) {
    const length = whole ? item.ids.length : commonLength([item, { ids: new Int32Array(1), counted: item.counted }]);
    const group = groups.get(length) ?? [];
    groups.set(length, group);
    group.push(filled(item, length));
  }
  return [...groups.values()];
}

function filled({ ids, counted }: CountedWindow, length: number): CountedWindow {
  const longer = { ids: new Int32Array(length), counted: new Uint8Array(length) };
  longer.ids.set(ids);
  longer.counted.set(counted);
  return longer;
}
