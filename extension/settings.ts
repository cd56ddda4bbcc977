// The settings, and what follows from them. Settings that name programs or widen what the server may read count only in the
// user's own settings, never in those of a workspace.
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, isAbsolute } from 'node:path';
import { workspace } from 'vscode';
import { UserError } from '../server/errors';
import { type ComputeOptions, type DeviceName, type WeightsOption, weightsOption } from '../server/protocol/recipes';
import { hubPlaces } from '../server/shared/hubCache';
import type { ModelRoot } from './trees/modelNodes';

export interface Settings {
  nodePath(): string;
  idleSeconds(): number;
  /** Absolute folders outside of the workspace that hold models. */
  modelFolders(): string[];
  /** The absolute folder with the tasks' data; null: Hugging Face's cache. */
  benchmarkData(): string | null;
  /** Folders with models: those of a trusted workspace, those of the setting, and the cache of the Hub. */
  roots(): ModelRoot[];
  /** `weights`: what a form asks for; null: as the setting says. */
  compute(weights?: WeightsOption | null): ComputeOptions;
  analysis(): { sequences: number; tokens: number };
}

export function readSettings(): Settings {
  const all = () => workspace.getConfiguration('espalier');
  /** Ignores the settings of the workspace. */
  const ofUser = <T>(name: string, fallback: T): T => all().inspect<T>(name)?.globalValue ?? fallback;
  /** What was set by anyone, without the default: a setting may have been given under its earlier name. */
  const given = (name: string): unknown => {
    const found = all().inspect(name);
    return found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
  };
  const modelFolders = () =>
    ofUser<string[]>('modelFolders', []).filter((folder) => typeof folder === 'string' && isAbsolute(folder));
  return {
    nodePath: () => ofUser('nodePath', ''),
    idleSeconds: () => Math.max(1, ofUser('idleSeconds', 60)),
    modelFolders,
    benchmarkData() {
      const folder = ofUser<unknown>('benchmarkData', '');
      return typeof folder === 'string' && isAbsolute(folder) ? folder : null;
    },
    roots: () => [
      ...(workspace.isTrusted ? (workspace.workspaceFolders ?? []) : [])
        .filter(({ uri }) => uri.scheme === 'file')
        .map(({ uri, name }) => rootAt(uri.fsPath, name, 'workspace')),
      ...modelFolders().map((folder) => rootAt(folder, basename(folder), 'settings')),
      ...(ofUser('huggingFaceCache', true) ? cachedModels() : []),
    ],
    compute: (weights = null) => ({
      device: oneOf(devices, all().get('device')),
      memory: 'auto',
      weights: weights ?? oneOf(widths, all().get('weights')),
      threads: null,
      memoryLimitBytes: null,
      ...deviceMemory(wholeNumber(all().get('deviceMemory'), 0, 0)),
    }),
    analysis: () => ({
      sequences: wholeNumber(given('analysis.sequences') ?? given('analysis.windows'), 1, 8),
      tokens: wholeNumber(given('analysis.tokensPerSequence') ?? given('analysis.tokensPerWindow'), 2, 512),
    }),
  };
}

/** Throws UserError in Restricted Mode: nothing is done in a folder before a person trusts it. */
export function requireTrust(): void {
  if (!workspace.isTrusted)
    throw new UserError('device', 'Espalier computes only in folders that you trust; trust this workspace first.');
}

const deviceMemory = (megabytes: number) => (megabytes > 0 ? { deviceMemoryBytes: megabytes * 1e6 } : {});

const devices = ['auto', 'cpu', 'webgpu'] as const satisfies DeviceName[];
const widths = weightsOption.options as [WeightsOption, ...WeightsOption[]];

/** A settings file may hold anything; a value of the wrong type counts as missing. */
const oneOf = <T>(allowed: readonly [T, ...T[]], value: unknown): T =>
  allowed.find((each) => each === value) ?? allowed[0];

const wholeNumber = (value: unknown, least: number, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.max(least, Math.floor(value)) : otherwise;

/** Where Hugging Face's own tools keep what they have fetched. */
function cachedModels(): ModelRoot[] {
  const { hub } = hubPlaces(process.env, homedir());
  return existsSync(hub) ? [rootAt(hub, 'Hugging Face cache', 'cache')] : [];
}

function rootAt(givenAs: string, name: string, kind: ModelRoot['kind']): ModelRoot {
  let folder = givenAs;
  try {
    folder = realpathSync(givenAs);
  } catch {
    // The folder does not exist, so no model is in it.
  }
  return { folder, givenAs, name, kind };
}
