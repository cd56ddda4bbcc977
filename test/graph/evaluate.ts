// A second meaning of every op, to hold onnxruntime against: plain loops in float64, shapes by NumPy's rules and not by
// the ops' own.
import { type Graph, topologicalOrder, type Value } from '../../server/graph/value';

export interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}
type Evaluate = (inputs: readonly Numbers[], attributes: never) => Numbers;

/** The outputs of a graph, given its inputs by name. */
export function evaluate(
  graph: Graph,
  feeds: Readonly<Record<string, Float32Array | Float64Array | BigInt64Array>>,
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
  Silu: unary((x) => x / (1 + Math.exp(-x))),
  Detach: unary((x) => x),
  ToFloat: unary((x) => x),
  ReduceSum: reduction((values) => values.reduce((sum, x) => sum + x, 0)),
  ReduceMean: reduction((values) => values.reduce((sum, x) => sum + x, 0) / values.length),
  ReduceMax: reduction((values) => Math.max(...values)),
  MatMul([a, b]) {
    const [m, k, n] = [a!.shape.at(-2)!, a!.shape.at(-1)!, b!.shape.at(-1)!];
    const batch = numpyShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return make([...batch, m, n], (at) => {
      const [row, column] = [at.at(-2)!, at.at(-1)!];
      let sum = 0;
      for (let i = 0; i < k; i++)
        sum += get(a!, [...at.slice(0, -2), row, i]) * get(b!, [...at.slice(0, -2), i, column]);
      return sum;
    });
  },
  Linear([x, w, bias]) {
    return make([...x!.shape.slice(0, -1), w!.shape[0]!], (at) => {
      let sum = bias ? bias.data[at.at(-1)!]! : 0;
      for (let i = 0; i < w!.shape[1]!; i++) sum += get(x!, [...at.slice(0, -1), i]) * get(w!, [at.at(-1)!, i]);
      return sum;
    });
  },
  LowRankLinear([x, w, , , bias], attributes) {
    return ops.Linear!(bias ? [x!, w!, bias] : [x!, w!], attributes);
  },
  Outer([a, b]) {
    return make([a!.shape[1]!, b!.shape[1]!], ([i, j]) => {
      let sum = 0;
      for (let r = 0; r < a!.shape[0]!; r++) sum += get(a!, [r, i!]) * get(b!, [r, j!]);
      return sum;
    });
  },
  Softmax([x]) {
    return make(x!.shape, (at) => {
      let sum = 0;
      for (let i = 0; i < x!.shape.at(-1)!; i++) sum += Math.exp(get(x!, [...at.slice(0, -1), i]) - get(x!, at));
      return 1 / sum;
    });
  },
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
    return make(shape, (at) => get(x!, at));
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
    const width = x!.shape.at(-1)!;
    return make(x!.shape, (at) => {
      let squares = 0;
      for (let i = 0; i < width; i++) squares += get(x!, at.with(-1, i)) ** 2;
      return (get(x!, at) / Math.sqrt(squares / width + epsilon)) * weight!.data[at.at(-1)!]!;
    });
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
  return ([a, b]) => make(numpyShape(a!.shape, b!.shape), (at) => f(get(a!, at), get(b!, at)));
}

function unary(f: (x: number) => number): Evaluate {
  return ([x]) => ({ shape: x!.shape, data: x!.data.map(f) });
}

function reduction(f: (values: number[]) => number): Evaluate {
  return ([x], { axes }: { axes: number[] }) => {
    const shape = axes.reduce((kept, axis) => kept.with(axis, 1), [...x!.shape]);
    const folded = axes.reduce((all, axis) => all.with(axis, x!.shape[axis]!), new Array<number>(shape.length).fill(1));
    return make(shape, (at) =>
      f(
        [...places(folded)].map((inside) =>
          get(
            x!,
            at.map((n, i) => n + inside[i]!),
          ),
        ),
      ),
    );
  };
}

/** The element at a place, whose leading axes may be more than x has; axes of extent 1 count for every place. */
function get(x: Numbers, at: readonly number[]): number {
  let offset = 0;
  for (const [i, n] of x.shape.entries()) offset = offset * n + (n === 1 ? 0 : at[i + at.length - x.shape.length]!);
  return x.data[offset]!;
}

function make(shape: readonly number[], f: (at: number[]) => number): Numbers {
  return { shape, data: Float64Array.from(places(shape), f) };
}

/** All index tuples of a shape in row-major order. */
function* places(shape: readonly number[], before: readonly number[] = []): Generator<number[]> {
  if (shape.length === 0) yield [...before];
  else for (let i = 0; i < shape[0]!; i++) yield* places(shape.slice(1), [...before, i]);
}

/** The same numbers every time, uniform in [-2, 2). */
export function someNumbers(length: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 4 - 2;
  });
}
