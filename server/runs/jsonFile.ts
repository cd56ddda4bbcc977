// Small JSON files that are read and replaced as a whole.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** null: the file cannot be read, or is no JSON. */
export function readJson(path: string): unknown {
  try {
    return parsedJson(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Written beside, synced, renamed: the file is the old one or the new one, never half of it. */
export function replaceFile(path: string, content: unknown): void {
  const stage = `${path}.partial`;
  writeFileSync(stage, `${JSON.stringify(content)}\n`, { mode: 0o600 });
  const file = openSync(stage, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(stage, path);
}
