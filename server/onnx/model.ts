// ONNX as a file format: the few messages of onnx.proto that we write, encoded to bytes.
// Field numbers are those of onnx/onnx.proto (ONNX IR version 10). Nothing here knows what a transformer is.
import { BinaryWriter } from '@bufbuild/protobuf/wire';

/** Element types that cross our graphs, with their numbers in TensorProto.DataType. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
} as const;
export type ElementType = keyof typeof elementTypes;

export type OnnxAttribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly text: string };

export interface OnnxNode {
  readonly type: string;
  /** Operator set; '' is ONNX's own, 'com.microsoft' holds onnxruntime's. */
  readonly domain: '' | 'com.microsoft';
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxValueInfo {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
}

export interface OnnxInitializer extends OnnxValueInfo {
  /** Little-endian elements, row-major. */
  readonly bytes: Uint8Array;
}

export interface OnnxModel {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
}

const irVersion = 10;
const opsetVersion = 21;

/** The bytes of a ModelProto. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const w = new BinaryWriter();
  w.uint32(tag(1, varint)).int64(irVersion);
  w.uint32(tag(2, bytes)).string('espalier');
  message(w, 7, () => writeGraph(w, model));
  for (const [domain, version] of [
    ['', opsetVersion],
    ['com.microsoft', 1],
  ] as const) {
    message(w, 8, () => {
      w.uint32(tag(1, bytes)).string(domain);
      w.uint32(tag(2, varint)).int64(version);
    });
  }
  return w.finish();
}

function writeGraph(w: BinaryWriter, model: OnnxModel): void {
  for (const node of model.nodes) message(w, 1, () => writeNode(w, node));
  w.uint32(tag(2, bytes)).string(model.name);
  for (const initializer of model.initializers) message(w, 5, () => writeTensor(w, initializer));
  for (const info of model.inputs) message(w, 11, () => writeValueInfo(w, info));
  for (const info of model.outputs) message(w, 12, () => writeValueInfo(w, info));
}

function writeNode(w: BinaryWriter, node: OnnxNode): void {
  for (const name of node.inputs) w.uint32(tag(1, bytes)).string(name);
  for (const name of node.outputs) w.uint32(tag(2, bytes)).string(name);
  w.uint32(tag(4, bytes)).string(node.type);
  for (const [name, value] of Object.entries(node.attributes)) message(w, 5, () => writeAttribute(w, name, value));
  w.uint32(tag(7, bytes)).string(node.domain);
}

function writeAttribute(w: BinaryWriter, name: string, value: OnnxAttribute): void {
  const type = (n: number) => w.uint32(tag(20, varint)).int32(n);
  w.uint32(tag(1, bytes)).string(name);
  if ('float' in value) {
    w.uint32(tag(2, fixed32)).float(value.float);
    type(1);
  } else if ('int' in value) {
    w.uint32(tag(3, varint)).int64(value.int);
    type(2);
  } else if ('text' in value) {
    w.uint32(tag(4, bytes)).string(value.text);
    type(3);
  } else {
    for (const n of value.ints) w.uint32(tag(8, varint)).int64(n);
    type(7);
  }
}

function writeTensor(w: BinaryWriter, tensor: OnnxInitializer): void {
  for (const n of tensor.shape) w.uint32(tag(1, varint)).int64(n);
  w.uint32(tag(2, varint)).int32(elementTypes[tensor.elementType]);
  w.uint32(tag(8, bytes)).string(tensor.name);
  w.uint32(tag(9, bytes)).bytes(tensor.bytes);
}

function writeValueInfo(w: BinaryWriter, info: OnnxValueInfo): void {
  w.uint32(tag(1, bytes)).string(info.name);
  message(w, 2, () =>
    message(w, 1, () => {
      w.uint32(tag(1, varint)).int32(elementTypes[info.elementType]);
      message(w, 2, () => {
        for (const n of info.shape) message(w, 1, () => w.uint32(tag(1, varint)).int64(n));
      });
    }),
  );
}

// Wire types of protocol buffers.
const varint = 0;
const bytes = 2;
const fixed32 = 5;
const tag = (field: number, wireType: number) => (field << 3) | wireType;

function message(w: BinaryWriter, field: number, body: () => void): void {
  w.uint32(tag(field, bytes)).fork();
  body();
  w.join();
}
