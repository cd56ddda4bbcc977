// Variants of a checkpoint as people have them, made by edits of the bundled model or of the tiny model of a family:
// test/fixtures/loading/variants.json, read by make_golden.py there as well, which asks transformers about the same files.
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openFileSource } from '../../server/checkpoint/byteSource';
import { narrowInto } from '../../server/checkpoint/dtype';
import {
  readSafetensorsHeader,
  type SafetensorsDtype,
  type TensorSpec,
  tensorBytes,
  writeSafetensors,
} from '../../server/checkpoint/safetensors';
import { modelFolder, repoRoot } from '../fixtures';

/** An edit: its name and what it takes. What each does is a row of `tensorEdits` or `fileEdits`. */
type Edit = readonly [op: string, ...args: unknown[]];

export interface Variant {
  readonly name: string;
  /** A family of test/fixtures/families. Default: the bundled model. */
  readonly of?: string;
  readonly edits: readonly Edit[];
  /** What a refusal must say. Default: it is not refused. */
  readonly refused?: string;
  /** It is written without block 1 as well. */
  readonly pruned?: boolean;
}

/** What transformers did: raised an error, or loaded it. */
export interface Golden {
  readonly raises?: string;
  readonly missing?: number;
  /** Names in the files that it does not use; `missing` counts those that it fills with random numbers. */
  readonly unexpected?: readonly string[];
  /** It says that it does not tie head and embedding. */
  readonly notTied?: boolean;
  readonly parameters?: number;
  readonly loss?: number;
  readonly lossWithoutBlock1?: number;
}

const fixtures = join(repoRoot, 'test/fixtures');
const read = (name: string) => JSON.parse(readFileSync(join(fixtures, 'loading', name), 'utf8'));
export const { ids, variants } = read('variants.json') as { ids: number[][]; variants: Variant[] };
export const golden = read('golden.json') as Record<string, Golden>;

type Tensors = Map<string, TensorSpec & { readonly data: Uint8Array }>;
interface Making {
  tensors: Tensors;
  config: Record<string, unknown>;
  /** What goes into which file; the first one holds `tensors` until they are dealt out. */
  files: Map<string, Tensors>;
}

export async function makeVariant({ of, edits }: Variant, folder: string): Promise<void> {
  const base = of ? join(fixtures, 'families', of) : modelFolder('stories260k');
  const tensors = await readTensors(join(base, 'model.safetensors'));
  const config = JSON.parse(readFileSync(join(base, 'config.json'), 'utf8'));
  const making: Making = { tensors, config, files: new Map([['model.safetensors', tensors]]) };
  mkdirSync(folder, { recursive: true });
  const later: (() => void)[] = [];
  for (const [op, ...args] of edits) {
    const ofTensors = tensorEdits[op];
    if (ofTensors) ofTensors(making, ...(args as never[]));
    else later.push(() => fileEdits[op]!(join(folder, args[0] as string), args[1] as never, folder));
    if (op === 'shards') {
      const index = indexOf(making.files);
      later.push(() => writeFileSync(join(folder, 'model.safetensors.index.json'), index));
    }
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  for (const [file, held] of making.files)
    await writeSafetensors(join(folder, file), [...held.values()], ({ data }) => [data]);
  for (const edit of later) edit();
}

async function readTensors(path: string): Promise<Tensors> {
  const source = await openFileSource(path);
  const tensors: Tensors = new Map();
  for (const { name, dtype, shape, offset, nBytes } of (await readSafetensorsHeader(source)).tensors) {
    const data = new Uint8Array(nBytes);
    await source.read(data, offset);
    tensors.set(name, { name, dtype, shape, data });
  }
  await source.close();
  return tensors;
}

const tensorEdits: Record<string, (making: Making, ...args: never[]) => void> = {
  config: ({ config }, changes: object) => void Object.assign(config, changes),
  unset: ({ config }, key: string) => void delete config[key],
  /** A copy, with its rows in reverse order or in another dtype. */
  copy({ tensors }, from: string, to: string, how?: 'reversed' | SafetensorsDtype) {
    tensors.set(to, changed(tensors.get(from)!, to, how));
  },
  rename({ tensors }, pattern: string, to: string) {
    for (const [name, tensor] of [...tensors]) {
      if (!new RegExp(pattern).test(name)) continue;
      const renamed = name.replace(new RegExp(pattern), to.replace('\\1', '$1'));
      tensors.delete(name);
      tensors.set(renamed, { ...tensor, name: renamed });
    }
  },
  drop({ tensors }, pattern: string) {
    for (const name of [...tensors.keys()]) if (new RegExp(pattern).test(name)) tensors.delete(name);
  },
  cast({ tensors }, pattern: string, dtype: SafetensorsDtype) {
    for (const [name, tensor] of [...tensors])
      if (new RegExp(pattern).test(name)) tensors.set(name, changed(tensor, name, dtype));
  },
  reshape: ({ tensors }, name: string, shape: number[]) =>
    void tensors.set(name, { ...tensors.get(name)!, name, shape }),
  zeros({ tensors }, name: string, dtype: SafetensorsDtype, shape: number[]) {
    const spec = { name, dtype, shape };
    tensors.set(name, { ...spec, data: new Uint8Array(tensorBytes(spec)) });
  },
  /** Tensors by name, dealt out in turns. */
  shards(making, count: number) {
    const serial = (n: number) => String(n).padStart(5, '0');
    making.files = new Map(
      Array.from({ length: count }, (_, i) => [`model-${serial(i + 1)}-of-${serial(count)}.safetensors`, new Map()]),
    );
    const [files, names] = [[...making.files.values()], [...making.tensors.keys()].sort()];
    for (const [i, name] of names.entries()) files[i % count]!.set(name, making.tensors.get(name)!);
  },
  /** A copy of a tensor into another file. */
  into({ tensors, files }, from: string, to: string, file: string, how?: 'reversed') {
    if (!files.has(file)) files.set(file, new Map());
    files.get(file)!.set(to, changed(tensors.get(from)!, to, how));
  },
};

/** What is done to files once they are written. */
const fileEdits: Record<string, (path: string, arg: never, folder: string) => void> = {
  write: (path, content: unknown) =>
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content)),
  bytes: (path, hex: string) => writeFileSync(path, Buffer.from(hex, 'hex')),
  /** Where an index says that names are; null: nowhere. */
  index(path, changes: Record<string, string | null>) {
    const index = JSON.parse(readFileSync(path, 'utf8'));
    for (const [name, file] of Object.entries(changes)) {
      if (file === null) delete index.weight_map[name];
      else index.weight_map[name] = file;
    }
    writeFileSync(path, JSON.stringify(index));
  },
  move: (path, to: string, folder) => renameSync(path, join(folder, to)),
  remove: (path) => rmSync(path),
  truncate: (path, nBytes: number) => truncateSync(path, nBytes),
  link(path, target: string) {
    rmSync(path, { force: true });
    symlinkSync(target, path);
  },
};

function indexOf(files: ReadonlyMap<string, Tensors>): string {
  const map = [...files].flatMap(([file, held]) => [...held.keys()].map((name) => [name, file]));
  return JSON.stringify({ metadata: { total_size: 1 }, weight_map: Object.fromEntries(map) });
}

/** Of f32 numbers: [rows, ...] in reverse order, or in another dtype. Whatever is not computed here is zero. */
function changed(
  tensor: TensorSpec & { data: Uint8Array },
  name: string,
  how?: 'reversed' | SafetensorsDtype,
): TensorSpec & { data: Uint8Array } {
  if (how === undefined) return { ...tensor, name };
  const floats = new Float32Array(tensor.data.slice().buffer);
  if (how === 'reversed') {
    const width = floats.length / tensor.shape[0]!;
    const rows = Array.from({ length: tensor.shape[0]! }, (_, row) => floats.subarray(row * width, (row + 1) * width));
    return { ...tensor, name, data: bytesOf(Float32Array.from(rows.reverse().flatMap((row) => [...row]))) };
  }
  const spec = { name, dtype: how, shape: tensor.shape };
  if (how === 'F16' || how === 'BF16') {
    const halves = new Uint16Array(floats.length);
    narrowInto(how, floats, halves);
    return { ...spec, data: bytesOf(halves) };
  }
  return { ...spec, data: how === 'F64' ? bytesOf(Float64Array.from(floats)) : new Uint8Array(tensorBytes(spec)) };
}

const bytesOf = ({ buffer }: { buffer: ArrayBufferLike }) => new Uint8Array(buffer);
