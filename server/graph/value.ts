// The language that models are written in. A graph is what can be reached from its outputs: values made by ops from
// other values. Shapes are known while building, so a mistake is an error at the line that made it.

/** Row-major extents; [] is a scalar. */
export type Shape = readonly number[];
/** float64 is for products on the CPU: graphics devices have none. */
export type Dtype = 'float32' | 'float64' | 'int64' | 'bool' | StoredDtype;
/** Dtypes in which weights are stored, and nothing is computed. */
export type StoredDtype = 'float16' | 'uint8';
export const isStored = (dtype: Dtype): dtype is StoredDtype => dtype === 'float16' || dtype === 'uint8';

export const bytesPerElement: Readonly<Record<Dtype, number>> = {
  float32: 4,
  float64: 8,
  int64: 8,
  bool: 1,
  float16: 2,
  uint8: 1,
};

/** One tensor of a graph: fed from outside, fixed, or computed. */
export type Value = InputValue | ConstantValue | NodeValue;

interface ValueBase {
  readonly shape: Shape;
  readonly dtype: Dtype;
}
export interface InputValue extends ValueBase {
  readonly kind: 'input';
  readonly name: string;
}
export interface ConstantValue extends ValueBase {
  readonly kind: 'constant';
  readonly data: Float32Array | BigInt64Array;
}
export interface NodeValue extends ValueBase {
  readonly kind: 'node';
  // biome-ignore lint/suspicious/noExplicitAny: attributes are checked where a node is made (apply) and read back by the same op
  readonly op: Op<any>;
  readonly inputs: readonly Value[];
  readonly attributes: unknown;
}

/** What the graph has to know of an operator. Name, shape rule, dtype rule and ONNX form stay together. */
export interface Op<A = undefined> {
  readonly name: string;
  shape(inputs: readonly Shape[], attributes: A): Shape;
  /** Default: the dtype of the first input. */
  dtype?(inputs: readonly Dtype[], attributes: A): Dtype;
  /**
   * What reaches the inputs of one use when `dy` reaches its output: by the chain rule, each of the shape that the input has
   * after broadcasting; null where nothing flows. Without it the op cannot lie between a loss and a target.
   */
  gradient?(use: Use<A>, dy: Value): readonly (Value | null)[];
  /** Writes ONNX nodes for one use of the op and returns the name of its output. */
  emit(
    to: Emitter,
    inputs: readonly string[],
    node: { attributes: A; shape: Shape; inputShapes: readonly Shape[]; madeBy: readonly (Made | null)[] },
  ): string;
}

/** One use of an op, as its gradient rule sees it. */
export interface Use<A> {
  readonly y: Value;
  readonly inputs: readonly Value[];
  readonly attributes: A;
}

/** How an input of a use was made, for ops that onnxruntime can join with the one before; null for inputs and constants. */
export interface Made {
  // biome-ignore lint/suspicious/noExplicitAny: an op reads the attributes of the one op that it asks for
  readonly op: Op<any>;
  readonly attributes: unknown;
  /** The names of what it was made of. */
  readonly inputs: readonly string[];
}

/** What an op's `emit` may write to. */
export interface Emitter {
  /** Adds a node of ONNX's own set, or of onnxruntime's for names with the prefix `com.microsoft:`. */
  node(type: string, inputs: readonly string[], attributes?: Record<string, EmittedAttribute>): string;
  /** The same for an op of several outputs; gives the names of all. */
  nodes(
    type: string,
    inputs: readonly string[],
    nOutputs: number,
    attributes?: Record<string, EmittedAttribute>,
  ): string[];
  /** The name of a constant one-dimensional tensor, as ONNX wants axes and shapes. */
  int64s(values: readonly number[]): string;
  float(value: number): string;
}
export type EmittedAttribute = { float: number } | { int: number } | { ints: readonly number[] } | { text: string };

/** A graph with named outputs, ready to be verified, printed or emitted. */
export interface Graph {
  readonly name: string;
  readonly outputs: Readonly<Record<string, Value>>;
}

/**
 * A property of what a function makes a graph of: what the graph depends on of it. Without it, a graph depends on all of it.
 * The keys of compiled programs are made of it.
 */
export const dependsOn = Symbol('dependsOn');

export function input(name: string, shape: Shape, dtype: Dtype = 'float32'): InputValue {
  return { kind: 'input', name, shape, dtype };
}

/** A tensor fixed in the graph. */
export function constant(data: Float32Array | BigInt64Array, shape: Shape): ConstantValue {
  if (size(shape) !== data.length) throw new ShapeError('constant', [shape, [data.length]]);
  return { kind: 'constant', data, shape, dtype: data instanceof Float32Array ? 'float32' : 'int64' };
}

export const scalar = (value: number): ConstantValue => constant(Float32Array.of(value), []);

/** The value that `op` makes of `inputs`; throws ShapeError where they do not fit. */
export function apply<A>(op: Op<A>, inputs: readonly Value[], attributes: A): NodeValue {
  const shape = op.shape(
    inputs.map((v) => v.shape),
    attributes,
  );
  const dtype = op.dtype
    ? op.dtype(
        inputs.map((v) => v.dtype),
        attributes,
      )
    : inputs[0]!.dtype;
  return { kind: 'node', op, inputs, attributes, shape, dtype };
}

/** Every value that the outputs need, inputs before their users, each once. */
export function topologicalOrder(outputs: Iterable<Value>): Value[] {
  const order = new Set<Value>();
  for (const output of outputs) {
    // A list in place of a function that calls itself: a graph of many blocks is deeper than the stack.
    const open = [output];
    for (let value = open.at(-1); value; value = open.at(-1)) {
      const before = value.kind === 'node' ? value.inputs.find((each) => !order.has(each)) : undefined;
      if (before) open.push(before);
      else order.add(open.pop()!);
    }
  }
  return [...order];
}

export const size = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** The shape two operands take together by NumPy's rule. */
export function broadcast(name: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const m = a[i - rank + a.length] ?? 1;
    const n = b[i - rank + b.length] ?? 1;
    if (m !== n && m !== 1 && n !== 1) throw new ShapeError(name, [a, b]);
    return Math.max(m, n);
  });
}

/** A defect in a model's definition: shapes that an op cannot join. Never the user's fault. */
export class ShapeError extends Error {
  constructor(op: string, shapes: readonly Shape[]) {
    super(`${op}: shapes ${shapes.map((s) => `[${s.join(', ')}]`).join(' and ')} do not fit`);
  }
}
