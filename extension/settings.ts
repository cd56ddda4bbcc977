// The settings, and what follows from them. Those that name programs or widen what the server may read are taken from the
// user's own settings, never from a workspace's.
import { workspace } from 'vscode';
import type { ComputeOptions, DeviceName } from '../server/protocol';

export interface Settings {
  nodePath(): string;
  idleSeconds(): number;
  /** Absolute folders outside of the workspace that hold models. */
  modelFolders(): string[];
  compute(): ComputeOptions;
  analysis(): { windows: number; tokens: number };
}

export function readSettings(): Settings {
  const all = () => workspace.getConfiguration('espalier');
  /** Ignores what a workspace says. */
  const ofUser = <T>(name: string, fallback: T): T => all().inspect<T>(name)?.globalValue ?? fallback;
  return {
    nodePath: () => ofUser('nodePath', ''),
    idleSeconds: () => Math.max(1, ofUser('idleSeconds', 60)),
    modelFolders: () =>
      ofUser<string[]>('modelFolders', []).filter((folder) => typeof folder === 'string' && folder !== ''),
    compute: () => ({
      device: all().get<DeviceName>('device', 'auto'),
      memory: 'auto',
      threads: null,
      memoryLimitBytes: null,
    }),
    analysis: () => ({
      windows: Math.max(1, Math.floor(all().get('analysis.windows', 8))),
      tokens: Math.max(2, Math.floor(all().get('analysis.tokensPerWindow', 512))),
    }),
  };
}
