// What encodeModel writes, read back with the field numbers of onnx.proto, and by onnxruntime.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { elementTypes, encodeModel, type OnnxModel } from '../../server/onnx/model';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const int64s = (...values: bigint[]) => new Uint8Array(BigInt64Array.from(values).buffer);

/** out = (x reduced by its largest along the last axis) + c; y = QuickGelu(out). Every kind of message and attribute. */
const model: OnnxModel = {
  name: 'a graph',
  nodes: [
    {
      type: 'ReduceMax',
      domain: '',
      inputs: ['x', 'axes'],
      outputs: ['largest'],
      attributes: { keepdims: { int: 1 } },
    },
    { type: 'Add', domain: '', inputs: ['largest', 'c'], outputs: ['sum'], attributes: {} },
    { type: 'Transpose', domain: '', inputs: ['sum'], outputs: ['out'], attributes: { perm: { ints: [1, 0] } } },
    {
      type: 'QuickGelu',
      domain: 'com.microsoft',
      inputs: ['out'],
      outputs: ['y'],
      attributes: { alpha: { float: 1.702 } },
    },
    { type: 'Softmax', domain: '', inputs: ['x'], outputs: ['shares'], attributes: { axis: { int: -1 } } },
    {
      type: 'DepthToSpace',
      domain: '',
      inputs: ['image'],
      outputs: ['space'],
      attributes: { mode: { text: 'CRD' }, blocksize: { int: 2 } },
    },
  ],
  inputs: [
    { name: 'x', elementType: 'float32', shape: [2, 300] },
    { name: 'image', elementType: 'float32', shape: [1, 4, 1, 1] },
  ],
  outputs: [
    { name: 'out', elementType: 'float32', shape: [1, 2] },
    { name: 'y', elementType: 'float32', shape: [1, 2] },
    { name: 'shares', elementType: 'float32', shape: [2, 300] },
    { name: 'space', elementType: 'float32', shape: [1, 1, 2, 2] },
  ],
  initializers: [
    { name: 'axes', elementType: 'int64', shape: [1], bytes: int64s(-1n) },
    { name: 'c', elementType: 'float32', shape: [], bytes: floats(0.5) },
  ],
};

/** Field numbers and types of onnx.proto (ONNX 1.16, IR version 10), for the messages and fields we write. */
type Field = [name: string, type: 'int' | 'float' | 'string' | 'bytes' | keyof typeof messages, repeated?: 'repeated'];
const messages: Record<string, Record<number, Field>> = {
  ModelProto: {
    1: ['ir_version', 'int'],
    2: ['producer_name', 'string'],
    7: ['graph', 'GraphProto'],
    8: ['opset_import', 'OperatorSetIdProto', 'repeated'],
  },
  OperatorSetIdProto: { 1: ['domain', 'string'], 2: ['version', 'int'] },
  GraphProto: {
    1: ['node', 'NodeProto', 'repeated'],
    2: ['name', 'string'],
    5: ['initializer', 'TensorProto', 'repeated'],
    11: ['input', 'ValueInfoProto', 'repeated'],
    12: ['output', 'ValueInfoProto', 'repeated'],
  },
  NodeProto: {
    1: ['input', 'string', 'repeated'],
    2: ['output', 'string', 'repeated'],
    4: ['op_type', 'string'],
    5: ['attribute', 'AttributeProto', 'repeated'],
    7: ['domain', 'string'],
  },
  AttributeProto: {
    1: ['name', 'string'],
    2: ['f', 'float'],
    3: ['i', 'int'],
    4: ['s', 'string'],
    8: ['ints', 'int', 'repeated'],
    20: ['type', 'int'],
  },
  TensorProto: {
    1: ['dims', 'int', 'repeated'],
    2: ['data_type', 'int'],
    8: ['name', 'string'],
    9: ['raw_data', 'bytes'],
  },
  ValueInfoProto: { 1: ['name', 'string'], 2: ['type', 'TypeProto'] },
  TypeProto: { 1: ['tensor_type', 'Tensor'] },
  Tensor: { 1: ['elem_type', 'int'], 2: ['shape', 'TensorShapeProto'] },
  TensorShapeProto: { 1: ['dim', 'Dimension', 'repeated'] },
  Dimension: { 1: ['dim_value', 'int'] },
};
/** AttributeProto.AttributeType */
const attributeTypes = { float: 1, int: 2, text: 3, ints: 7 };

type Decoded = { [field: string]: unknown };

function decode(bytes: Uint8Array, type: string): Decoded {
  const reader = new BinaryReader(bytes);
  const decoded: Decoded = {};
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = messages[type]![number];
    if (!field) throw new Error(`${type} has no field ${number}`);
    const [name, of, repeated] = field;
    const value = read(reader, of, wireType);
    if (repeated) decoded[name] = [...((decoded[name] as unknown[]) ?? []), value];
    else if (name in decoded) throw new Error(`${type}.${name} is there twice`);
    else decoded[name] = value;
  }
  return decoded;
}

function read(reader: BinaryReader, type: string, wireType: WireType): unknown {
  const wire = type === 'int' ? WireType.Varint : type === 'float' ? WireType.Bit32 : WireType.LengthDelimited;
  expect(wireType).toBe(wire);
  if (type === 'int') return Number(reader.int64());
  if (type === 'float') return reader.float();
  if (type === 'string') return reader.string();
  const bytes = reader.bytes();
  return type === 'bytes' ? Uint8Array.from(bytes) : decode(bytes, type);
}

describe('the bytes of a model', () => {
  const decoded = decode(encodeModel(model), 'ModelProto');
  const graph = decoded.graph as Decoded;
  const info = ({ name, elementType, shape }: OnnxModel['inputs'][number]) => ({
    name,
    type: {
      tensor_type: {
        elem_type: elementTypes[elementType],
        shape: shape.length ? { dim: shape.map((n) => ({ dim_value: n })) } : {},
      },
    },
  });

  it('name the format and both operator sets', () => {
    expect(decoded).toMatchObject({ ir_version: 10, producer_name: 'espalier' });
    expect(decoded.opset_import).toEqual([
      { domain: '', version: 21 },
      { domain: 'com.microsoft', version: 1 },
    ]);
    expect(graph.name).toBe('a graph');
  });
  it('hold the nodes', () =>
    expect(graph.node).toEqual(
      model.nodes.map(({ type, domain, inputs, outputs, attributes }) => ({
        op_type: type,
        domain,
        input: inputs,
        output: outputs,
        ...(Object.keys(attributes).length > 0 && {
          attribute: Object.entries(attributes).map(([name, value]) => {
            const [kind] = Object.keys(value) as [keyof typeof attributeTypes];
            const field = { float: 'f', int: 'i', text: 's', ints: 'ints' }[kind];
            const given = 'float' in value ? Math.fround(value.float) : Object.values(value)[0];
            return { name, type: attributeTypes[kind], [field]: given };
          }),
        }),
      })),
    ));
  it('hold inputs and outputs', () => {
    expect(graph.input).toEqual(model.inputs.map(info));
    expect(graph.output).toEqual(model.outputs.map(info));
  });
  it('hold the initializers', () =>
    expect(graph.initializer).toEqual(
      model.initializers.map(({ name, elementType, shape, bytes }) => ({
        name,
        data_type: elementTypes[elementType],
        raw_data: bytes,
        ...(shape.length > 0 && { dims: shape }),
      })),
    ));

  const types: [keyof typeof elementTypes, number][] = [
    ['float32', 1],
    ['int32', 6],
    ['int64', 7],
    ['float64', 11],
    ['bool', 9],
    ['float16', 10],
    ['bfloat16', 16],
  ];
  it.each(types)('number %s as TensorProto.DataType does', (name, number) => expect(elementTypes[name]).toBe(number));

  it('can be run by onnxruntime', async () => {
    const session = await ort.InferenceSession.create(encodeModel(model));
    const x = Float32Array.from({ length: 600 }, (_, i) => i % 300);
    const { out, y, shares, space } = await session.run({
      x: new ort.Tensor('float32', x, [2, 300]),
      image: new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4), [1, 4, 1, 1]),
    });
    expect([out!.dims, [...(out!.data as Float32Array)]]).toEqual([
      [1, 2],
      [299.5, 299.5],
    ]);
    expect([...(y!.data as Float32Array)]).toEqual([299.5, 299.5]);
    expect(shares!.dims).toEqual([2, 300]);
    expect([...(space!.data as Float32Array)]).toEqual([1, 2, 3, 4]);
    await session.release();
  });
});
