// Pulling from the hub: a run fetches a model, whose name is asked for, or the data of tasks into Hugging Face's cache, where the list
// of models and evaluations find them.
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { type Disposable, type ExtensionContext, type Uri, window } from 'vscode';
import { UserError } from '../server/errors';
import { defaultRevision } from '../server/protocol/repositoryNames';
import type { RecipeOf } from '../server/recipes/kinds';
import { hubPlaces } from '../server/shared/hubCache';
import { parseRepository } from '../server/shared/repositoryName';
import { cannotWrite } from '../server/shared/systemErrors';
import type { Connection } from './connection';
import { startRun } from './hubToken';
import type { Panels } from './panels/pages';
import { requireTrust, type Settings } from './settings';

export interface PullHost {
  readonly context: Pick<ExtensionContext, 'secrets'>;
  readonly connection: Connection;
  readonly panels: Panels;
  readonly settings: Settings;
}

/** @param offered what stands in the box at first */
export async function pullModel(host: PullHost, offered = ''): Promise<void> {
  const text = await window.showInputBox({
    title: 'Pull Model from Hub',
    prompt: 'OWNER/NAME of a model with weights as safetensors, and @REVISION where it is not main',
    placeHolder: 'HuggingFaceTB/SmolLM2-135M',
    value: offered,
    ignoreFocusOut: true,
    validateInput: repositoryProblem,
  });
  if (text !== undefined) await startPull(host, parseRepository(text));
}

/** The data of these tasks and groups, by name. */
export const pullTasks = (host: PullHost, tasks: string[]): Promise<void> =>
  startPull(host, { tasks, revision: defaultRevision });

async function startPull(host: PullHost, what: Omit<RecipeOf<'pull'>, 'kind'>): Promise<void> {
  const { connection, panels } = host;
  await openCache(host);
  await connection.ready();
  const recipe = { kind: 'pull' as const, ...what };
  panels.openRun(await startRun(host, recipe));
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
      "What is pulled goes into Hugging Face's cache, which the setting espalier.huggingFaceCache leaves out; switch it on.",
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
