// A graph as a part of a larger one.
import { type InputValue, topologicalOrder, type Value } from './value';

/** Outputs of a graph with other values in place of its inputs. What no input leads to stays the same value. */
export function substituted<Name extends string>(
  outputs: Readonly<Record<Name, Value>>,
  inPlaceOf: (input: InputValue) => Value,
): Record<Name, Value> {
  const made = new Map<Value, Value>();
  for (const value of topologicalOrder(Object.values<Value>(outputs))) made.set(value, renewed(value, made, inPlaceOf));
  const entries = Object.entries<Value>(outputs).map(([name, value]) => [name, made.get(value)!]);
  return Object.fromEntries(entries) as Record<Name, Value>;
}

function renewed(value: Value, made: ReadonlyMap<Value, Value>, inPlaceOf: (input: InputValue) => Value): Value {
  if (value.kind === 'input') return inPlaceOf(value);
  if (value.kind === 'constant') return value;
  const inputs = value.inputs.map((each) => made.get(each)!);
  return inputs.every((each, i) => each === value.inputs[i]) ? value : { ...value, inputs };
}
