// A second meaning of every op, to hold onnxruntime against: plain loops in float64, shapes by NumPy's rules and not by
// the ops' own.
import { type Graph, size, topologicalOrder, type Value } from '../../server/graph/value';

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
type Evaluate = (inputs: readonly Numbers[], attributes: never) => Numbers;

/** The outputs of a graph, given its inputs by name. */
export function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, Float32Array | Float64Array | BigInt64Array | Uint8Array>>,
): Record<string, Numbers> {
  const known = new Map<Value, Numbers>();
  for (const value of topologicalOrder(Object.values(graph.outputs))) {
    if (value.kind === 'node') {
      const rule = ops[value.op.name];
      if (!rule) throw new Error(`no second meaning of ${value.op.name}`);
      const inputs = value.inputs.map((v) => known.get(v)!);
      known.set(value, rule(inputs, value.attributes as never));
    } else {
      const data = value.kind === 'constant' ? value.data : feeds[value.name]!;
      known.set(value, { shape: value.shape, data: Float64Array.from(data as Iterable<number | bigint>, Number) });
    }
  }
  return Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, known.get(value)!]));
}

const ops: Record<string, Evaluate> = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b) => a / b),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Tanh: unary(Math.tanh),
  GeluTanh: unary((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  Silu: unary((x) => x / (1 + Math.exp(-x))),
  Detach: unary((x) => x),
  ToFloat: unary((x) => x),
  ToDouble: unary((x) => x),
  ReduceSum: reduction((values) => values.reduce((sum, x) => sum + x, 0)),
  ReduceMean: reduction((values) => values.reduce((sum, x) => sum + x, 0) / values.length),
  ReduceMax: reduction((values) => Math.max(...values)),
  MatMul([a, b]) {
    const [m, k, n] = [a!.shape.at(-2)!, a!.shape.at(-1)!, b!.shape.at(-1)!];
    const batch = numpyShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    // Which matrix of each side belongs to which of the result.
    const [as, bs] = [broadcast(a!.shape.slice(0, -2), batch), broadcast(b!.shape.slice(0, -2), batch)];
    const data = new Float64Array(as.length * m * n);
    for (let item = 0; item < as.length; item++)
      for (let row = 0; row < m; row++)
        for (let column = 0; column < n; column++) {
          let sum = 0;
          for (let i = 0; i < k; i++)
            sum += a!.data[(as[item]! * m + row) * k + i]! * b!.data[(bs[item]! * k + i) * n + column]!;
          data[(item * m + row) * n + column] = sum;
        }
    return { shape: [...batch, m, n], data };
  },
  Linear([x, w, bias]) {
    const [nOut, nIn] = w!.shape as [number, number];
    const nRows = x!.data.length / nIn;
    const data = new Float64Array(nRows * nOut);
    for (let row = 0; row < nRows; row++)
      for (let out = 0; out < nOut; out++) {
        let sum = bias ? bias.data[out]! : 0;
        for (let i = 0; i < nIn; i++) sum += x!.data[row * nIn + i]! * w!.data[out * nIn + i]!;
        data[row * nOut + out] = sum;
      }
    return { shape: [...x!.shape.slice(0, -1), nOut], data };
  },
  LowRankLinear([x, w, , , bias], attributes) {
    return ops.Linear!(bias ? [x!, w!, bias] : [x!, w!], attributes);
  },
  Dequantised([numbers, scales], { bits, blockSize, nIn }: { bits: 4 | 8; blockSize: number; nIn: number }) {
    const middle = 2 ** (bits - 1);
    return make([numbers!.shape[0]!, nIn], ([row, column]) => {
      const [block, place] = [Math.floor(column! / blockSize), column! % blockSize];
      const byte = get(numbers!, [row!, block, bits === 8 ? place : Math.floor(place / 2)]);
      const number = bits === 8 ? byte : place % 2 === 0 ? byte % 16 : Math.floor(byte / 16);
      return (number - middle) * get(scales!, [row!, block]);
    });
  },
  Outer([a, b]) {
    const [nRows, m] = a!.shape as [number, number];
    const n = b!.shape[1]!;
    const data = new Float64Array(m * n);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++)
        for (let r = 0; r < nRows; r++) data[i * n + j]! += a!.data[r * m + i]! * b!.data[r * n + j]!;
    return { shape: [m, n], data };
  },
  Softmax: rowwise((row) => {
    const largest = row.reduce((found, x) => Math.max(found, x));
    const exps = row.map((x) => Math.exp(x - largest));
    const sum = exps.reduce((all, x) => all + x, 0);
    return exps.map((x) => x / sum);
  }),
  Reshape([x], { shape }: { shape: number[] }) {
    return { shape, data: x!.data };
  },
  Transpose([x], { order }: { order: number[] }) {
    return make(
      order.map((axis) => x!.shape[axis]!),
      (at) => get(x!, at.toSpliced(0, at.length, ...order.map((_, axis) => at[order.indexOf(axis)]!))),
    );
  },
  Slice([x], { axis, start, end }: { axis: number; start: number; end: number }) {
    return make(x!.shape.with(axis, end - start), (at) => get(x!, at.with(axis, at[axis]! + start)));
  },
  Pad([x], { axis, before, after }: { axis: number; before: number; after: number }) {
    const extent = x!.shape[axis]!;
    return make(x!.shape.with(axis, before + extent + after), (at) => {
      const inside = at[axis]! - before;
      return inside >= 0 && inside < extent ? get(x!, at.with(axis, inside)) : 0;
    });
  },
  Expand([x], { shape }: { shape: number[] }) {
    return { shape, data: Float64Array.from(broadcast(x!.shape, shape), (from) => x!.data[from]!) };
  },
  Concat(xs, { axis }: { axis: number }) {
    const extent = xs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    return make(xs[0]!.shape.with(axis, extent), (at) => {
      let [which, place] = [0, at[axis]!];
      for (; place >= xs[which]!.shape[axis]!; which++) place -= xs[which]!.shape[axis]!;
      return get(xs[which]!, at.with(axis, place));
    });
  },
  LargestPlaces([x], { count }: { count: number }) {
    const places = (at: number[]) =>
      Array.from({ length: x!.shape.at(-1)! }, (_, i) => i).sort(
        (a, b) => get(x!, at.with(-1, b)) - get(x!, at.with(-1, a)),
      );
    return make(x!.shape.with(-1, count), (at) => places(at)[at.at(-1)!]!);
  },
  TakeAlong([x, places]) {
    return make(places!.shape, (at) => get(x!, at.with(-1, get(places!, at))));
  },
  TakeRows([x, places]) {
    return make([...places!.shape, ...x!.shape.slice(1)], ([row, ...rest]) => get(x!, [get(places!, [row!]), ...rest]));
  },
  RmsNorm([x, weight], { epsilon }: { epsilon: number }) {
    return rowwise((row) => {
      const rms = Math.sqrt(row.reduce((sum, v) => sum + v ** 2, 0) / row.length + epsilon);
      return row.map((v, i) => (v / rms) * weight!.data[i]!);
    })([x!], undefined as never);
  },
  Rotary([x, positions, cos, sin]) {
    const half = x!.shape[3]! / 2;
    return make(x!.shape, (at) => {
      const [b, , t, i] = at as [number, number, number, number];
      const place = get(positions!, [b, t]);
      const [c, s] = [get(cos!, [place, i % half]), get(sin!, [place, i % half])];
      return i < half
        ? get(x!, at) * c - get(x!, at.with(3, i + half)) * s
        : get(x!, at) * c + get(x!, at.with(3, i - half)) * s;
    });
  },
};

/** NumPy's rule: from the last axis on, equal extents or one of them 1. */
export function numpyShape(a: readonly number[], b: readonly number[]): number[] {
  const shape: number[] = [];
  for (let i = 1; i <= Math.max(a.length, b.length); i++) {
    const [m, n] = [a[a.length - i], b[b.length - i]];
    if (m === undefined || m === 1) shape.unshift(n ?? 1);
    else if (n === undefined || n === 1 || n === m) shape.unshift(m);
    else throw new Error(`operands could not be broadcast together with shapes ${a} ${b}`);
  }
  return shape;
}

function binary(f: (a: number, b: number) => number): Evaluate {
  return ([a, b]) => {
    const shape = numpyShape(a!.shape, b!.shape);
    const [as, bs] = [broadcast(a!.shape, shape), broadcast(b!.shape, shape)];
    return { shape, data: Float64Array.from(as, (from, i) => f(a!.data[from]!, b!.data[bs[i]!]!)) };
  };
}

function unary(f: (x: number) => number): Evaluate {
  return ([x]) => ({ shape: x!.shape, data: x!.data.map(f) });
}

/** Each row of the last axis by itself. */
function rowwise(f: (row: Float64Array) => Float64Array): Evaluate {
  return ([x]) => {
    const width = x!.shape.at(-1)!;
    const data = new Float64Array(x!.data.length);
    for (let start = 0; start < data.length; start += width) data.set(f(x!.data.subarray(start, start + width)), start);
    return { shape: x!.shape, data };
  };
}

function reduction(f: (values: number[]) => number): Evaluate {
  return ([x], { axes }: { axes: number[] }) => {
    const shape = axes.reduce((kept, axis) => kept.with(axis, 1), [...x!.shape]);
    const groups = Array.from({ length: size(shape) }, (): number[] => []);
    // Seen from x the result repeats along the reduced axes: that says which element goes into which sum.
    for (const [i, group] of broadcast(shape, x!.shape).entries()) groups[group]!.push(x!.data[i]!);
    return { shape, data: Float64Array.from(groups, f) };
  };
}

/**
 * For every place of a shape, in row-major order, the offset of the element that a tensor shows there; leading axes may be
 * more than it has, and its axes of extent 1 count for every place.
 */
function broadcast(own: readonly number[], shape: readonly number[]): Int32Array {
  const nMore = shape.length - own.length;
  let offsets = Int32Array.of(0);
  for (const [axis, extent] of shape.entries()) {
    const n = own[axis - nMore] ?? 1;
    const longer = new Int32Array(offsets.length * extent);
    for (let i = 0; i < longer.length; i++)
      longer[i] = offsets[Math.floor(i / extent)]! * n + (n === 1 ? 0 : i % extent);
    offsets = longer;
  }
  return offsets;
}

/** The element at a place, whose leading axes may be more than x has; axes of extent 1 count for every place. */
function get(x: Numbers, at: readonly number[]): number {
  const nMore = at.length - x.shape.length;
  let offset = 0;
  for (let axis = 0; axis < x.shape.length; axis++) {
    const n = x.shape[axis]!;
    offset = offset * n + (n === 1 ? 0 : at[axis + nMore]!);
  }
  return x.data[offset]!;
}

/** Made element by element; `f` is given one index tuple after the other, in row-major order, and keeps none. */
function make(shape: readonly number[], f: (at: number[]) => number): Numbers {
  const data = new Float64Array(size(shape));
  const at = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < data.length; i++) {
    data[i] = f(at);
    let axis = shape.length - 1;
    while (axis >= 0 && at[axis]! + 1 === shape[axis]) at[axis--] = 0;
    if (axis >= 0) at[axis]!++;
  }
  return { shape, data };
}

/** The same numbers every time, uniform in [-2, 2). */
export function someNumbers(length: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}
