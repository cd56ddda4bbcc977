// Adapters as an execution sees them: which layers of a block have one, and its matrices on the device.
import type { BlockAdapters } from '../model/lora';
import type { Tensor } from '../runtime/tensor';

export interface Adapters {
  layers(block: number): BlockAdapters;
  /** By the names of the graph's inputs. */
  tensors(block: number): Readonly<Record<string, Tensor>>;
}
