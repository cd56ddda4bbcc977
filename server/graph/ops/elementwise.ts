// Ops that work element by element, with NumPy's broadcasting.
import { apply, broadcast, type Op, scalar, type Value } from '../value';

const binary = (name: string): Op => ({
  name,
  shape: ([a, b]) => broadcast(name, a!, b!),
  emit: (to, inputs) => to.node(name, inputs),
});

const unary = (name: string, onnx = name, attributes: Parameters<Parameters<Op['emit']>[0]['node']>[2] = {}): Op => ({
  name,
  shape: ([x]) => x!,
  emit: (to, inputs) => to.node(onnx, inputs, attributes),
});

const Add = binary('Add');
const Sub = binary('Sub');
const Mul = binary('Mul');
const Div = binary('Div');
const Max = binary('Max');
const Min = binary('Min');
const Neg = unary('Neg');
const Abs = unary('Abs');
const Exp = unary('Exp');
const Log = unary('Log');
const Sqrt = unary('Sqrt');
const Reciprocal = unary('Reciprocal');
const Sigmoid = unary('Sigmoid');
/** x sigmoid(x). onnxruntime's QuickGelu is x sigmoid(alpha x) in one pass over memory. */
const Silu = unary('Silu', 'com.microsoft:QuickGelu', { alpha: { float: 1 } });

/** Element types; onnx numbers of the target are those of TensorProto.DataType. */
const ToFloat: Op = {
  name: 'ToFloat',
  shape: ([x]) => x!,
  dtype: () => 'float32',
  emit: (to, inputs) => to.node('Cast', inputs, { to: { int: 1 } }),
};

export const add = (a: Value, b: Value) => apply(Add, [a, b], undefined);
export const sub = (a: Value, b: Value) => apply(Sub, [a, b], undefined);
export const mul = (a: Value, b: Value) => apply(Mul, [a, b], undefined);
export const div = (a: Value, b: Value) => apply(Div, [a, b], undefined);
export const max = (a: Value, b: Value) => apply(Max, [a, b], undefined);
export const min = (a: Value, b: Value) => apply(Min, [a, b], undefined);
export const neg = (x: Value) => apply(Neg, [x], undefined);
export const abs = (x: Value) => apply(Abs, [x], undefined);
export const exp = (x: Value) => apply(Exp, [x], undefined);
export const log = (x: Value) => apply(Log, [x], undefined);
export const sqrt = (x: Value) => apply(Sqrt, [x], undefined);
export const reciprocal = (x: Value) => apply(Reciprocal, [x], undefined);
export const sigmoid = (x: Value) => apply(Sigmoid, [x], undefined);
export const silu = (x: Value) => apply(Silu, [x], undefined);
export const toFloat = (x: Value) => apply(ToFloat, [x], undefined);
export const square = (x: Value) => mul(x, x);
export const scale = (x: Value, factor: number) => mul(x, scalar(factor));
