// Pulling a model from the hub: its name is asked for, and a run fetches it into Hugging Face's cache, where the list of models
// finds it.
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Disposable, type Uri, window } from 'vscode';
import { UserError } from '../server/errors';
import { hubPlaces } from '../server/shared/hubCache';
import { parseRepository } from '../server/shared/repositoryName';
import { cannotWrite } from '../server/shared/systemErrors';
import type { Connection } from './connection';
import type { Panels } from './panels/pages';
import { requireTrust, type Settings } from './settings';

export interface PullHost {
  readonly connection: Connection;
  readonly panels: Panels;
  readonly settings: Settings;
}

/** @param offered what stands in the box at first */
export async function pullModel(host: PullHost, offered = ''): Promise<void> {
  const { connection, panels } = host;
  const text = await window.showInputBox({
    title: 'Pull Model from Hub',
    prompt: 'OWNER/NAME of a model with weights as safetensors, and @REVISION where it is not main',
    placeHolder: 'HuggingFaceTB/SmolLM2-135M',
    value: offered,
    ignoreFocusOut: true,
    validateInput: repositoryProblem,
  });
  if (text === undefined) return;
  await openCache(host);
  await connection.ready();
  const recipe = { kind: 'pull' as const, ...parseRepository(text) };
  panels.openRun(await connection.request('runs/start', { runId: randomUUID(), recipe }));
}

/** null: there is none. */
export function repositoryProblem(text: string): string | null {
  try {
    parseRepository(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A run writes only below folders that the connection knows, and it knows those that were there when it began. */
async function openCache({ connection, settings }: PullHost): Promise<void> {
  const isOpen = () => settings.roots().some(({ kind }) => kind === 'cache');
  if (isOpen()) return;
  const { hub } = hubPlaces(process.env, homedir());
  try {
    mkdirSync(hub, { recursive: true });
  } catch (error) {
    throw cannotWrite(error, hub);
  }
  if (!isOpen())
    throw new UserError(
      'usage',
      "Models are pulled into Hugging Face's cache, which the setting espalier.huggingFaceCache leaves out; switch it on.",
    );
  await connection.stop();
  connection.start();
}

/**
 * `vscode://espalier.espalier/pull?model=OWNER/NAME@REVISION`. Any page may hold such a link: it fills in the name, and a person
 * decides.
 */
export const openPullLinks = (host: PullHost, failed: (error: unknown) => void): Disposable =>
  window.registerUriHandler({
    async handleUri(uri) {
      try {
        requireTrust();
        const name = nameInLink(uri);
        if (name !== null) await pullModel(host, name);
      } catch (error) {
        failed(error);
      }
    },
  });

/** null: it asks for something else. */
export const nameInLink = ({ path, query }: Pick<Uri, 'path' | 'query'>): string | null =>
  path === '/pull' ? new URLSearchParams(query).get('model') : null;
