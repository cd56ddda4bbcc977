// Weights that are stored in fewer bits than they are computed with. Frozen weights alone are stored so: nothing here has a
// gradient.
import { apply, type Made, type Op, ShapeError, type Value } from '../value';

/**
 * How a quantised matrix is laid out: each row in blocks of `blockSize` whole numbers of `bits`, two to a byte for 4 bits,
 * the lower half first, and a scale a block. A number q stands for (q - 2^(bits - 1)) scale.
 */
export interface Quantisation {
  readonly bits: 4 | 8;
  /** A power of 2, at least 16. */
  readonly blockSize: number;
}

/** numbers [O, blocks, bytes of a block] uint8, scales [O, blocks] -> the matrix that they stand for, [O, nIn]. */
const Dequantised: Op<Quantisation & { readonly nIn: number }> = {
  name: 'Dequantised',
  shape: ([numbers, scales], { bits, blockSize, nIn }) => {
    const nBlocks = Math.ceil(nIn / blockSize);
    const fits =
      `${scales}` === `${[numbers![0], nBlocks]}` && `${numbers!.slice(1)}` === `${[nBlocks, (blockSize * bits) / 8]}`;
    if (!fits) throw new ShapeError('Dequantised', [numbers!, scales!, [nIn]]);
    return [numbers![0]!, nIn];
  },
  dtype: () => 'float32',
  /** Every row is gathered: the one op that widens such blocks on all providers. */
  emit: (to, [numbers, scales], { shape: [nOut, nIn], inputShapes: [stored], attributes: { bits, blockSize } }) => {
    const rows = to.node('Reshape', [numbers!, to.int64s([nOut!, stored![1]! * stored![2]!])]);
    const every = to.int64s(Array.from({ length: nOut! }, (_, row) => row));
    const padded = to.node('com.microsoft:GatherBlockQuantized', [rows, every, scales!], {
      bits: { int: bits },
      block_size: { int: blockSize },
      gather_axis: { int: 0 },
      quantize_axis: { int: 1 },
    });
    if (stored![1]! * blockSize === nIn) return padded;
    return to.node('Slice', [padded, to.int64s([0]), to.int64s([nIn!]), to.int64s([1])]);
  },
};

/** The quantised matrix that an input of an op was made of; null where it was made of something else. */
export function storedQuantised(made: Made | null | undefined) {
  if (made?.op !== Dequantised) return null;
  const { bits, blockSize } = made.attributes as Quantisation;
  const [numbers, scales] = made.inputs as [string, string];
  return { numbers, scales, bits, blockSize };
}

export const dequantised = (numbers: Value, scales: Value, layout: Quantisation & { readonly nIn: number }) =>
  apply(Dequantised, [numbers, scales], layout);
