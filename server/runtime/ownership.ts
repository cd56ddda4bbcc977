// Who owns which tensors. Every tensor belongs to one owner; an owner that ends gives back what it owns, after the owners
// inside it. This file knows nothing of onnxruntime: what giving back means is told to it.
import type { DeviceCounts, Tensor } from './tensor';

export interface Owner {
  /** Takes a new tensor in; `release` gives its memory back. */
  own(tensor: Tensor, release: () => void): Tensor;
  /** Takes tensors over from whoever owns them; those that were given back stay so. */
  adopt(...tensors: readonly (Tensor | undefined)[]): void;
  /** Gives tensors back before the end: those that this owner has, and no others. */
  release(...tensors: readonly (Tensor | undefined)[]): void;
  /** An owner inside this one: it ends with it at the latest. */
  inner(): Owner;
  /** Gives everything back. Harmless when it happened before. */
  end(): void;
  /** The tensors of this owner and of those inside it. */
  alive(): Tensor[];
}

/** The outermost owner of a device. */
export function openOwner(counts: DeviceCounts): Owner {
  const owners = new WeakMap<Tensor, Map<Tensor, () => void>>();
  const giveBack = (tensor: Tensor, tensors: Map<Tensor, () => void>) => {
    const release = tensors.get(tensor);
    if (!release) return;
    tensors.delete(tensor);
    owners.delete(tensor);
    counts.liveTensors--;
    counts.liveBytes -= tensor.nBytes;
    release();
  };

  const open = (leave: () => void): Owner => {
    const tensors = new Map<Tensor, () => void>();
    const inside = new Set<Owner>();
    return {
      own(tensor, release) {
        tensors.set(tensor, release);
        owners.set(tensor, tensors);
        counts.liveTensors++;
        counts.liveBytes += tensor.nBytes;
        counts.peakBytes = Math.max(counts.peakBytes, counts.liveBytes);
        return tensor;
      },
      adopt(...taken) {
        for (const tensor of taken) {
          const before = tensor && owners.get(tensor);
          if (!before) continue;
          const release = before.get(tensor)!;
          before.delete(tensor);
          tensors.set(tensor, release);
          owners.set(tensor, tensors);
        }
      },
      release(...given) {
        for (const tensor of given) if (tensor) giveBack(tensor, tensors);
      },
      inner() {
        const inner: Owner = open(() => inside.delete(inner));
        inside.add(inner);
        return inner;
      },
      end() {
        for (const inner of [...inside]) inner.end();
        for (const tensor of [...tensors.keys()]) giveBack(tensor, tensors);
        leave();
      },
      alive: () => [...tensors.keys(), ...[...inside].flatMap((inner) => inner.alive())],
    };
  };
  return open(() => {});
}
