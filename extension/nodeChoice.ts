// Which Node the compute server runs on: a real one of version 20 or newer. Electron will not do, since its allocator ends
// the process at a single allocation of 2 GiB.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { UserError } from '../server/errors';

export interface NodePlaces {
  /** From the settings; empty: look for one. */
  readonly nodePath: string;
  readonly extensionFolder: string;
  /** What this process runs on, and whether that is Electron. */
  readonly here: { readonly execPath: string; readonly electron: boolean };
  readonly platform: NodeJS.Platform;
}

/** The major version of a program that is a Node; null for what is none, or does not run. */
export type NodeVersion = (program: string) => Promise<number | null>;

const leastMajor = 20;

/** The first that runs and is new enough. A Node named in the settings is taken or refused, never passed over. */
export async function chooseNode(places: NodePlaces, versionOf: NodeVersion = nodeVersion): Promise<string> {
  const { nodePath } = places;
  if (nodePath) {
    const version = await versionOf(nodePath);
    if (version !== null && version >= leastMajor) return nodePath;
    throw new UserError(
      'usage',
      `The setting espalier.nodePath names ${nodePath}, which is ${version === null ? 'no Node that runs' : `Node ${version}`}; give it a Node of version ${leastMajor} or newer, or leave it empty.`,
    );
  }
  for (const candidate of candidates(places)) {
    const version = await versionOf(candidate);
    if (version !== null && version >= leastMajor) return candidate;
  }
  throw new UserError(
    'device',
    `No Node of version ${leastMajor} or newer was found to compute with; install one, or name it in the setting espalier.nodePath.`,
  );
}

/** The one that comes with the package of this platform, the one we run on, the one on PATH. */
const candidates = ({ extensionFolder, here, platform }: NodePlaces): string[] => [
  join(extensionFolder, 'node/bin', platform === 'win32' ? 'node.exe' : 'node'),
  ...(here.electron ? [] : [here.execPath]),
  'node',
];

const nodeVersion: NodeVersion = (program) =>
  new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: 5000, windowsHide: true }, (error, said) => {
      const [, major] = /^v(\d+)\.\d+\.\d+/.exec(error ? '' : said) ?? [];
      resolve(major === undefined ? null : Number(major));
    });
  });
