// The user's own folder, which not everybody has: a container may run programs under a number that no name belongs to.
import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/** null: none is known. */
export function knownHomeFolder(): string | null {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : null;
  } catch {
    return null;
  }
}

/** Where files are looked for that may be absent; users without a folder have this one on Debian. */
export const homeFolder = (): string => knownHomeFolder() ?? '/nonexistent';
