// Tensors of halves in a Node that has Float16Array, as Node 24 has. onnxruntime's package then hands them over as such, and its
// native part (1.30) takes them for empty: "not enough space: expected 8192, got 0". Handed over as numbers of 16 bits they are
// right. The package looks for the class once, when the first tensor of all is made.
import * as ort from 'onnxruntime-node';

/** To be called before any tensor is made. */
export function handHalvesOverAsBits(): void {
  const { Float16Array: there } = Object.getOwnPropertyDescriptors(globalThis) as Record<string, PropertyDescriptor>;
  if (!there) return;
  Reflect.deleteProperty(globalThis, 'Float16Array');
  try {
    new ort.Tensor('float32', new Float32Array(1), [1]);
  } finally {
    Object.defineProperty(globalThis, 'Float16Array', there);
  }
}
