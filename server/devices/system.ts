// What is asked of the machine to know its devices: files that the system writes, and two programs that may be there. Tests give
// another one.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, cpus, release, totalmem } from 'node:os';
import { basename } from 'node:path';
import { homeFolder } from '../files/homeFolder';

export interface System {
  readonly platform: NodeJS.Platform;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly processor: { readonly name: string; readonly nCores: number; readonly memoryBytes: number };
  /** Kernel and architecture. */
  readonly release: string;
  readonly onnxruntime: string;
  /** A whole file, bytes as latin1; null: it cannot be read. */
  read(path: string): string | null;
  /** Names in a folder, sorted; none where it cannot be read. */
  list(folder: string): string[];
  /** Size and time of a file, links followed; null: it is not there. */
  mark(path: string): string | null;
  /** The last part of what a link leads to; null: it leads nowhere. */
  leadsTo(link: string): string | null;
  /** What a program prints, on both outputs; null: it is not there or takes too long. */
  run(program: string, args: readonly string[]): Promise<string | null>;
}

/** Such programs take a tenth of a second; with a driver that hangs they never end. */
const programMs = 5000;

export function thisSystem(): System {
  const [first] = cpus();
  return {
    platform: process.platform,
    environment: process.env,
    home: homeFolder(),
    processor: { name: first?.model.trim() || 'processor', nCores: cpus().length, memoryBytes: totalmem() },
    release: `${release()} ${arch()}`,
    onnxruntime: onnxruntimeVersion(),
    read: (path) => orNull(() => readFileSync(path, 'latin1')),
    list: (folder) => orNull(() => readdirSync(folder).sort()) ?? [],
    mark: (path) =>
      orNull(() => {
        const { size, mtimeMs } = statSync(path);
        return `${size} ${mtimeMs}`;
      }),
    leadsTo: (link) => orNull(() => basename(realpathSync(link))),
    run: (program, args) =>
      new Promise((resolve) => {
        const options = { timeout: programMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 20, windowsHide: true } as const;
        execFile(program, [...args], options, (error, stdout, stderr) => {
          const ended = error === null || typeof error.code === 'number';
          resolve(ended ? `${stdout}${stderr}` : null);
        });
      }),
  };
}

/** Of the package that the engine will load; it is not loaded for that. */
function onnxruntimeVersion(): string {
  const manifest = createRequire(__filename).resolve('onnxruntime-node/package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function orNull<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
