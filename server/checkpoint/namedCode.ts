// Code that a model folder names by `auto_map`: `module.Class`, or `repository--module.Class` for one on the hub. It is found
// and copied, never run. transformers opens a folder with trust_remote_code only if every module that it names is there, with
// the modules which that imports relatively (transformers 5.24: dynamic_module_utils.py, get_relative_imports).
import { join, posix } from 'node:path';
import { readTextInside } from '../files/contained';
import { isRecord } from '../shared/records';
import { isFile } from './folder';

type Json = Readonly<Record<string, unknown>>;

/** Files of a folder, by the modules that they are: those that can be opened, each with all that it imports. */
export async function codeNamedIn(folder: string, configs: readonly Json[]): Promise<Map<string, readonly string[]>> {
  const modules = new Map<string, readonly string[]>();
  for (const reference of configs.flatMap(referencesIn)) {
    const name = moduleOf(reference);
    const files = name !== null && !modules.has(name) ? await withImports(folder, `${name}.py`) : null;
    if (name !== null && files) modules.set(name, files);
  }
  return modules;
}

/**
 * The same content without references to modules that are not there; the very same object where it has none. A configuration and
 * models of one folder know each other alone, so that they stay together or go together: transformers has its own for the type.
 */
export function withoutMissingCode<T extends Json>(json: T, there: ReadonlyMap<string, unknown>): T {
  const map = json.auto_map;
  if (!isRecord(map)) return json;
  const stays = (reference: unknown) => typeof reference !== 'string' || isOpenable(reference, there);
  // A tokenizer has a slow and a fast class, of which one may be null.
  const isThere = (value: unknown) => [value].flat().every(stays);
  const isWhole = Object.entries(map).every(([name, value]) => !ofModel.test(name) || isThere(value));
  const kept = Object.entries(map).filter(([name, value]) => isThere(value) && (isWhole || !ofModel.test(name)));
  if (kept.length === Object.keys(map).length) return json;
  const { auto_map: _, ...rest } = json;
  return (kept.length === 0 ? rest : { ...json, auto_map: Object.fromEntries(kept) }) as unknown as T;
}

const ofModel = /^Auto(?:Config$|Model)/;

const isOpenable = (reference: string, there: ReadonlyMap<string, unknown>): boolean => {
  const name = moduleOf(reference);
  return name === null ? reference.includes('--') : there.has(name);
};

/** null: it lies on the hub, or is no module of this folder. */
function moduleOf(reference: string): string | null {
  const name = /^([A-Za-z_]\w*)\.[A-Za-z_]\w*$/.exec(reference)?.[1];
  return reference.includes('--') ? null : (name ?? null);
}

const referencesIn = ({ auto_map: map }: Json): string[] =>
  isRecord(map)
    ? Object.values(map)
        .flat()
        .filter((value) => typeof value === 'string')
    : [];

/** A file and all that it imports relatively, also by way of others; null where one of them is missing. */
async function withImports(folder: string, first: string): Promise<string[] | null> {
  const found = new Set<string>();
  const waiting = [first];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    if (!(await isFile(join(folder, file)))) return null;
    found.add(file);
    for (const imported of importsIn(await readTextInside(folder, file))) {
      const beside = posix.join(posix.dirname(file), imported.replaceAll('.', '/'));
      const module = await firstFile(folder, [`${beside}.py`, `${beside}/__init__.py`]);
      if (module === null) return null;
      waiting.push(module);
    }
  }
  return [...found];
}

async function firstFile(folder: string, candidates: readonly string[]): Promise<string | null> {
  for (const name of candidates) if (await isFile(join(folder, name))) return name;
  return null;
}

/** `from .a.b import c` and `import .a`: what lies in the same folder or below. */
const importsIn = (code: string): string[] =>
  [...code.matchAll(/^\s*(?:from\s+\.(\w[\w.]*)\s+import|import\s+\.(\w[\w.]*)\s*$)/gm)].map(([, a, b]) => (a ?? b)!);
