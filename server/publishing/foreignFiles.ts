// Files of a folder that can run code when somebody opens it: pickles, programs, Python. None is published, by whatever name.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openInside } from '../files/contained';
import type { ProofCheck } from '../recipes/prove/recipe';
import { isRecord } from '../shared/records';
import { failed, passed } from './proof';

/** The folder of a healing's run is its own business and is not published. */
const notPublished = new Set(['run', '.git', '.cache']);

/** Whether no file of a folder can run code. */
export async function filesCheck(folder: string): Promise<ProofCheck> {
  const code = await codeIn(folder);
  return code === null ? passed('files', 'No file is a pickle or a program.') : failed('files', code);
}

/** @returns a sentence for the first file that can run code; null: none can */
async function codeIn(folder: string): Promise<string | null> {
  for (const name of await filesIn(folder)) {
    const kind = byName.find(({ names }) => names.test(name)) ?? (await byContent(folder, name));
    if (kind) return `${name} is ${kind.what}, which can run when the folder is opened; ${kind.remedy}.`;
  }
  return null;
}

/** @returns a sentence where a configuration names code by `auto_map`; null: it names none */
export function codeNamedBy(config: Readonly<Record<string, unknown>>, file: string): string | null {
  const map = config.auto_map;
  if (!isRecord(map) || Object.keys(map).length === 0) return null;
  return `${file} names code in auto_map (${Object.keys(map).join(', ')}); remove auto_map and the code, which transformers has itself.`;
}

interface Kind {
  readonly what: string;
  readonly remedy: string;
}

const pickle = { what: 'a pickle', remedy: 'save its content as safetensors and remove it' };
const program = { what: 'a program', remedy: 'remove it' };

const byName: readonly (Kind & { readonly names: RegExp })[] = [
  { names: /\.(bin|pt|pth|ckpt|pkl|pickle|joblib|dill|npy|npz|h5|keras)$/i, ...pickle },
  { names: /\.(py|pyc|pyd|ipynb|so|dll|dylib|exe|sh|bash|bat|cmd|ps1|js|mjs|cjs|jar|wasm)$/i, ...program },
];

/** First bytes in hexadecimal. torch saves pickles in a zip. */
const beginnings: readonly (Kind & { readonly bytes: RegExp })[] = [
  { bytes: /^800[2-5]|^504b0304/, ...pickle },
  { bytes: /^7f454c46|^4d5a|^2321/, ...program },
];

/** A pickle under another name is still one. */
async function byContent(folder: string, name: string): Promise<Kind | undefined> {
  const file = await openInside(folder, name);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    const head = buffer.toString('hex', 0, bytesRead);
    return beginnings.find(({ bytes }) => bytes.test(head));
  } finally {
    await file.close();
  }
}

/** Of all levels, as paths with `/`. */
async function filesIn(folder: string, below = ''): Promise<string[]> {
  const names: string[] = [];
  for (const entry of (await readdir(join(folder, below), { withFileTypes: true })).sort(byEntry)) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && below === '' && notPublished.has(entry.name)) continue;
    if (entry.isDirectory()) names.push(...(await filesIn(folder, path)));
    else names.push(path);
  }
  return names;
}

const byEntry = (one: { name: string }, other: { name: string }) => (one.name < other.name ? -1 : 1);
