// Folders of the workspace that have the files of a model and cannot be read as one. The server leaves them out when it
// looks for models; here it is asked for the reason.
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { workspace } from 'vscode';
import type { ErrorCode } from '../server/errors';
import type { ErrorData, FoundModel } from '../server/protocol/server';
import type { Connection } from './connection';
import type { BrokenModel } from './trees/modelNodes';

/** Each costs a request, and a person repairs one at a time. */
const mostAsked = 20;
const mostFiles = 1000;
/** Errors with other codes say nothing about the model. */
const faults: readonly ErrorCode[] = ['damagedCheckpoint', 'unsupportedModel', 'badData', 'notFound'];
/** A model that is being written lies in a hidden folder. */
const passedOver = '**/{node_modules,.*}/**';

export async function brokenModels(found: readonly FoundModel[], connection: Connection): Promise<BrokenModel[]> {
  const sound = new Set(found.map(({ summary }) => summary.folder));
  const weights = await workspace.findFiles('**/*.safetensors', passedOver, mostFiles);
  const folders = new Set(weights.map(({ fsPath }) => dirname(fsPath)));
  const doubtful = [...folders]
    .filter((folder) => existsSync(join(folder, 'config.json')) && !sound.has(realpathSync(folder)))
    .sort()
    .slice(0, mostAsked);
  const broken: BrokenModel[] = [];
  for (const folder of doubtful)
    await connection.request('models/inspect', { folder }).then(
      () => {}, // It lies deeper than the server looks, or was repaired meanwhile.
      ({ message, data }: { message: string; data?: Partial<ErrorData> }) => {
        if (faults.some((code) => code === data?.code)) broken.push({ folder, message });
      },
    );
  return broken;
}
