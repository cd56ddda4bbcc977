// A graph in two parts: what the second needs of the first becomes an output there and an input here.
import { input, type NodeValue, type Value } from './value';

export interface Cut {
  /** What the first part has to hand over, by name. */
  readonly needed: Readonly<Record<string, Value>>;
  /** The outputs, with inputs of those names in place of what is handed over. */
  readonly outputs: Readonly<Record<string, Value>>;
}

/** All others are cheaper to repeat than to write down, to keep and to read back. */
const worthKeeping = new Set(['Linear', 'LowRankLinear']);

/**
 * Cuts `outputs` off from the values of `first`, inputs before their users; names are `${prefix} 0` and so on, in the order of
 * use. Only what depends on `source` is handed over: the rest is at hand in the second part, too.
 */
export function cut(
  outputs: Readonly<Record<string, Value>>,
  first: readonly Value[],
  prefix: string,
  source: Value,
): Cut {
  const before = new Set<Value>([source]);
  for (const value of first) if (value.kind === 'node' && value.inputs.some((it) => before.has(it))) before.add(value);
  const needed: Record<string, Value> = {};
  const known = new Map<Value, Value>();
  const renewed = (value: Value): Value => {
    const done = known.get(value);
    if (done) return done;
    const made = value.kind === 'node' ? (isKept(value) ? handedOver(value) : repeated(value)) : value;
    known.set(value, made);
    return made;
  };
  const isKept = (value: NodeValue) => before.has(value) && worthKeeping.has(value.op.name);
  const handedOver = (value: NodeValue): Value => {
    const name = `${prefix} ${Object.keys(needed).length}`;
    needed[name] = value;
    return input(name, value.shape, value.dtype);
  };
  const repeated = (value: NodeValue): Value => ({ ...value, inputs: value.inputs.map(renewed) });
  const renewedOutputs = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, renewed(value)]));
  return { needed, outputs: renewedOutputs };
}
