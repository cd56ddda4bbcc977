// Reverse mode: the derivative of a graph is more graph.
import { add } from './ops/elementwise';
import { reshape } from './ops/movement';
import { reduceSum } from './ops/reduce';
import { type NodeValue, type Shape, topologicalOrder, type Value } from './value';

/**
 * The gradients of sum(y dy) with respect to the targets, in their order and shapes; `dy` has the shape of `y`. Only paths
 * that lead to a target are differentiated, so frozen weights cost nothing.
 * @throws Error for a target that `y` does not depend on, and for an op without gradient between them.
 */
export function gradients(y: Value, dy: Value, targets: readonly Value[]): Value[] {
  if (`${y.shape}` !== `${dy.shape}`) throw new Error(`a gradient of shape [${dy.shape}] for a value of [${y.shape}]`);
  const order = topologicalOrder([y]);
  const onTheWay = valuesBetween(order, targets);
  const reaching = new Map<Value, Value>([[y, dy]]);
  for (const value of order.reverse()) {
    const reached = reaching.get(value);
    if (value.kind !== 'node' || !reached || !onTheWay.has(value) || targets.includes(value)) continue;
    for (const [i, dx] of rule(value)({ ...value, y: value }, reached).entries()) {
      const x = value.inputs[i]!;
      if (dx === null || !onTheWay.has(x)) continue;
      const summed = unbroadcast(dx, x.shape);
      const before = reaching.get(x);
      reaching.set(x, before ? add(before, summed) : summed);
    }
  }
  return targets.map((target) => {
    const gradient = reaching.get(target);
    if (!gradient) throw new Error(`the value to differentiate does not depend on a target of shape [${target.shape}]`);
    return gradient;
  });
}

/** The targets and all values that depend on one. */
function valuesBetween(order: readonly Value[], targets: readonly Value[]): ReadonlySet<Value> {
  const found = new Set<Value>(targets);
  for (const value of order) if (value.kind === 'node' && value.inputs.some((x) => found.has(x))) found.add(value);
  return found;
}

function rule(value: NodeValue) {
  const { gradient } = value.op;
  if (!gradient) throw new Error(`${value.op.name} has no gradient`);
  return gradient;
}

/** Sums a gradient over the axes along which its value was repeated: the only place that knows of broadcasting. */
function unbroadcast(dx: Value, shape: Shape): Value {
  if (`${dx.shape}` === `${shape}`) return dx;
  const lead = dx.shape.length - shape.length;
  const repeated = dx.shape.flatMap((n, axis) => (axis < lead || shape[axis - lead] !== n ? [axis] : []));
  const summed = repeated.length === 0 ? dx : reduceSum(dx, repeated);
  return reshape(summed, shape);
}
