// What a well-formed graph is, as a table. Every graph is verified before it is compiled: a mistake is found here, with
// the op's name and shapes, and not by the runtime with a node number.
import { type Graph, type InputValue, type NodeValue, size, topologicalOrder, type Value } from './value';

const checks: Record<string, (values: readonly Value[], graph: Graph) => string | undefined> = {
  'there is an output': (_, graph) => (Object.keys(graph.outputs).length === 0 ? 'none' : undefined),
  'extents are positive integers': (values) =>
    describe(values.find((v) => v.shape.some((n) => !Number.isSafeInteger(n) || n < 1))),
  'input names are unique': (values) => {
    const inputs = values.filter((v): v is InputValue => v.kind === 'input');
    const twice = inputs.find((a) => inputs.some((b) => a !== b && a.name === b.name));
    return twice && `${twice.name} is declared twice`;
  },
  'no output has the name of an input': (values, graph) => {
    const taken = values.find((v) => v.kind === 'input' && Object.hasOwn(graph.outputs, v.name));
    return describe(taken);
  },
  'constants are as large as their shapes': (values) =>
    describe(values.find((v) => v.kind === 'constant' && v.data.length !== size(v.shape))),
  'shapes follow from the inputs': (values) => describe(nodes(values).find((v) => !same(v.shape, derived(v)))),
  'operands of arithmetic have one dtype': (values) =>
    describe(
      nodes(values).find(
        (v) =>
          ['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'MatMul'].includes(v.op.name) &&
          v.inputs[0]!.dtype !== v.inputs[1]!.dtype,
      ),
    ),
};

/** Throws an Error that names the rule and the value when the graph is not well formed. */
export function verify(graph: Graph): void {
  const values = topologicalOrder(Object.values(graph.outputs));
  for (const [rule, check] of Object.entries(checks)) {
    const broken = check(values, graph);
    if (broken !== undefined) throw new Error(`graph ${graph.name}: ${rule}, but ${broken}`);
  }
}

const nodes = (values: readonly Value[]) => values.filter((v): v is NodeValue => v.kind === 'node');
const derived = (v: NodeValue) =>
  v.op.shape(
    v.inputs.map((i) => i.shape),
    v.attributes,
  );
const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i]);

function describe(v: Value | undefined): string | undefined {
  if (!v) return undefined;
  const name = v.kind === 'node' ? v.op.name : v.kind === 'input' ? v.name : 'a constant';
  return `${name} has the shape [${v.shape.join(', ')}]`;
}
