// A root folder for a process that sees nothing of this machine but what is put there: programs and libraries with all that they
// load, at the places where they lie here. Needs the rights of root and Linux' namespaces.
import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface BareRoot extends Disposable {
  readonly folder: string;
  /** Copies a file to the same place, with the libraries that it is linked to. */
  bring(path: string): void;
  /** Runs a program of the root with this environment and no other. */
  run(command: readonly string[], environment: Readonly<Record<string, string>>): SpawnSyncReturns<string>;
}

/** Whether this process may make one. */
export const mayIsolate = (): boolean =>
  spawnSync('unshare', ['--fork', '--pid', '--mount', '--mount-proc', 'true']).status === 0;

export function openBareRoot(): BareRoot {
  const folder = mkdtempSync(join(tmpdir(), 'bare-root-'));
  for (const name of ['proc', 'dev', 'tmp', 'home']) mkdirSync(join(folder, name));
  chmodSync(join(folder, 'tmp'), 0o1777);
  execFileSync('mknod', ['-m', '666', join(folder, 'dev/null'), 'c', '1', '3']);
  const copy = (path: string) => {
    const to = join(folder, path);
    if (existsSync(to)) return;
    mkdirSync(dirname(to), { recursive: true });
    cpSync(path, to, { dereference: true });
  };
  return {
    folder,
    bring(path) {
      copy(path);
      for (const library of librariesOf(path)) copy(library);
    },
    run(command, environment) {
      const isolated = ['--fork', '--pid', '--mount', '--ipc', `--root=${folder}`, '--mount-proc', '--net'];
      const assigned = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
      return spawnSync('env', ['-i', ...assigned, '/usr/bin/unshare', ...isolated, '--', ...command], {
        encoding: 'utf8',
        maxBuffer: 2 ** 26,
      });
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** All that is loaded with a program or library, where the loader finds it. */
export function librariesOf(path: string): string[] {
  const { stdout } = spawnSync('ldd', [path], { encoding: 'utf8' });
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, found]) => found!);
}
