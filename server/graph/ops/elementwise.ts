// Ops that work element by element, with NumPy's broadcasting.
import { elementTypes } from '../../onnx/model';
import { apply, broadcast, type Dtype, type Op, scalar, type Value } from '../value';

type Rule = NonNullable<Op['gradient']>;

/** Without a rule the op has no gradient. */
const binary = (name: string, gradient?: Rule): Op => ({
  name,
  shape: ([a, b]) => broadcast(name, a!, b!),
  ...(gradient && { gradient }),
  emit: (to, inputs) => to.node(name, inputs),
});

type OnnxName = { onnx?: string; attributes?: Parameters<Parameters<Op['emit']>[0]['node']>[2] };

const unary = (name: string, gradient?: Rule, { onnx = name, attributes = {} }: OnnxName = {}): Op => ({
  name,
  shape: ([x]) => x!,
  ...(gradient && { gradient }),
  emit: (to, inputs) => to.node(onnx, inputs, attributes),
});

const Add = binary('Add', (_, dy) => [dy, dy]);
const Sub = binary('Sub', (_, dy) => [dy, neg(dy)]);
const Mul = binary('Mul', ({ inputs: [a, b] }, dy) => [mul(dy, b!), mul(dy, a!)]);
const Div = binary('Div', ({ y, inputs: [, b] }, dy) => [div(dy, b!), neg(div(mul(dy, y), b!))]);
const Max = binary('Max');
const Min = binary('Min');
const Neg = unary('Neg', (_, dy) => [neg(dy)]);
const Abs = unary('Abs');
const Exp = unary('Exp', ({ y }, dy) => [mul(dy, y)]);
const Log = unary('Log', ({ inputs: [x] }, dy) => [div(dy, x!)]);
const Sqrt = unary('Sqrt', ({ y }, dy) => [div(scale(dy, 0.5), y)]);
const Reciprocal = unary('Reciprocal', ({ y }, dy) => [neg(mul(dy, square(y)))]);
const Sigmoid = unary('Sigmoid', ({ y }, dy) => [mul(dy, sub(y, square(y)))]);
/** x sigmoid(x). onnxruntime's QuickGelu is x sigmoid(alpha x) in one pass over memory. */
const Silu = unary(
  'Silu',
  ({ y, inputs: [x] }, dy) => {
    const s = sigmoid(x!);
    return [mul(dy, add(s, mul(y, sub(scalar(1), s))))];
  },
  { onnx: 'com.microsoft:QuickGelu', attributes: { alpha: { float: 1 } } },
);

const Tanh = unary('Tanh', ({ y }, dy) => [mul(dy, sub(scalar(1), square(y)))]);
/**
 * 0.5 x (1 + tanh(u)) with u = sqrt(2/pi) (x + 0.044715 x^3), which is x sigmoid(2u) (arXiv:1606.08415). onnxruntime's FastGelu
 * does it in one pass over memory.
 */
const GeluTanh = unary(
  'GeluTanh',
  ({ inputs: [x] }, dy) => {
    const twoU = (of: Value) => scale(add(of, scale(mul(of, square(of)), cubic)), 2 * rootOf2OverPi);
    const slope = scale(add(scale(square(x!), 3 * cubic), scalar(1)), 2 * rootOf2OverPi);
    const s = sigmoid(twoU(x!));
    return [mul(dy, add(s, mul(mul(x!, slope), sub(s, square(s)))))];
  },
  { onnx: 'com.microsoft:FastGelu' },
);
const rootOf2OverPi = Math.sqrt(2 / Math.PI);
const cubic = 0.044715;

/** The same value, but no gradient flows through it. */
const Detach = unary('Detach', () => [null], { onnx: 'Identity' });

const cast = (name: string, dtype: Dtype): Op => ({
  name,
  shape: ([x]) => x!,
  dtype: () => dtype,
  emit: (to, inputs) => to.node('Cast', inputs, { to: { int: elementTypes[dtype] } }),
});
const ToFloat = cast('ToFloat', 'float32');
const ToDouble = cast('ToDouble', 'float64');

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
export const tanh = (x: Value) => apply(Tanh, [x], undefined);
export const geluTanh = (x: Value) => apply(GeluTanh, [x], undefined);
export const silu = (x: Value) => apply(Silu, [x], undefined);
export const detach = (x: Value) => apply(Detach, [x], undefined);
export const toFloat = (x: Value) => apply(ToFloat, [x], undefined);
export const toDouble = (x: Value) => apply(ToDouble, [x], undefined);
export const square = (x: Value) => mul(x, x);
export const scale = (x: Value, factor: number) => mul(x, scalar(factor));
