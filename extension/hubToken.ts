// The token of the Hugging Face hub that the editor keeps for its user, in its secret storage. It goes to the compute server with the
// start of a run that talks to the hub, and is written nowhere else; without one, what the environment says counts.
import { randomUUID } from 'node:crypto';
import { type SecretStorage, window } from 'vscode';
import type { Recipe } from '../server/recipes/kinds';
import type { RunSummary } from '../server/protocol/server';
import type { Connection } from './connection';

const key = 'espalier.hubToken';

interface Host {
  readonly connection: Pick<Connection, 'request'>;
  readonly context: { readonly secrets: Pick<SecretStorage, 'get' | 'store' | 'delete'> };
}

/** Asks for one, and keeps it; an empty answer removes the one that is kept. @returns whether one is kept now */
export async function setHubToken({ context: { secrets } }: Pick<Host, 'context'>): Promise<boolean> {
  const token = await window.showInputBox({
    title: 'Hugging Face Token',
    prompt:
      "A token that may write, from huggingface.co/settings/tokens; empty: remove the one that is kept. It stays in the editor's secret storage.",
    placeHolder: 'hf_…',
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) =>
      text === '' || /^[\x21-\x7e]{1,1000}$/.test(text.trim())
        ? null
        : 'A token has no spaces and no other signs than those of ASCII.',
  });
  if (token === undefined) return isKept({ context: { secrets } });
  if (token.trim() === '') await secrets.delete(key);
  else await secrets.store(key, token.trim());
  return token.trim() !== '';
}

export const isKept = async ({ context }: Pick<Host, 'context'>): Promise<boolean> =>
  (await context.secrets.get(key)) !== undefined;

/** Starts a run, with the token where it talks to the hub. */
export async function startRun(host: Host, recipe: Recipe): Promise<RunSummary> {
  const token = asksHub(recipe) ? await given(host) : {};
  return host.connection.request('runs/start', { runId: randomUUID(), recipe, ...token });
}

/** Starts a run again, whatever it does. */
export async function resumeRun(host: Host, run: Pick<RunSummary, 'runId' | 'kind'>): Promise<RunSummary> {
  const token = asksHub(run) ? await given(host) : {};
  return host.connection.request('runs/resume', { runId: run.runId, ...token });
}

/** A pipeline may have steps of both kinds. */
const asksHub = ({ kind }: { readonly kind: string }): boolean => ['pull', 'publish', 'pipeline'].includes(kind);

async function given({ context }: Host): Promise<{ hubToken?: string }> {
  const hubToken = await context.secrets.get(key);
  return hubToken === undefined ? {} : { hubToken };
}
