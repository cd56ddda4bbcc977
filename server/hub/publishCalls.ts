// What who publishes asks of the hub beside sending files: who the token belongs to, what is there, and new repositories, branches,
// tags and collections. The addresses are those of huggingface_hub (hf_api.py).
import { type Patience, withPatience } from './failures';
import type { HubSettings } from './hubSettings';
import { isPrivateIn, type Refs, refsIn, roleIn, slugIn } from './publishAnswers';
import type { Subject } from './refusalRow';
import { textOf } from './repository';
import { askHub, type HubSending } from './request';

/** One repository, whoever asks. */
export interface PublishCalls {
  readonly settings: HubSettings;
  readonly subject: Subject & { readonly publishing: 'hub' };
  readonly patience: Patience;
}

export type Visibility = 'private' | 'public';

/** @throws UserError `noAccess` where the token is void */
export const readAccount = async (calls: PublishCalls) =>
  roleIn((await ask(calls, { path: 'api/whoami-v2' })).text, calls.settings.endpoint);

export interface Remote {
  readonly visibility: Visibility;
  readonly refs: Refs;
}

/** null: there is none of that name that the token may see. */
export async function readRemote(calls: PublishCalls): Promise<Remote | null> {
  const { subject, settings } = calls;
  const path = `api/models/${subject.repository}`;
  const { status, text } = await ask(calls, { path, accepts: [404] });
  if (status === 404) return null;
  const refs = refsIn((await ask(calls, { path: `${path}/refs` })).text, settings.endpoint);
  return { visibility: isPrivateIn(text, settings.endpoint) ? 'private' : 'public', refs };
}

/** One that is there by now is what was asked for. */
export async function createRepository(calls: PublishCalls, visibility: Visibility): Promise<void> {
  const [organization, name] = calls.subject.repository.split('/');
  await ask(calls, {
    path: 'api/repos/create',
    send: json({ name, organization, type: 'model', visibility }),
    accepts: [409],
  });
}

export async function createBranch(calls: PublishCalls, commit: string): Promise<void> {
  const { repository, revision } = calls.subject;
  const path = `api/models/${repository}/branch/${encodeURIComponent(revision)}`;
  await ask(calls, { path, send: json({ startingPoint: commit }), accepts: [409] });
}

export async function createTag(calls: PublishCalls, tag: string, commit: string): Promise<void> {
  const path = `api/models/${calls.subject.repository}/tag/${commit}`;
  await ask(calls, { path, send: json({ tag }), accepts: [409] });
}

/** OWNER/TITLE-ID, as it stands in the address of its page. */
const isSlug = (text: string): boolean => /^[\w.-]+\/[\w.-]+-[0-9a-f]{24}$/.test(text);

/**
 * Puts the repository into a collection of that slug, or of that title, which is made where there is none yet.
 * @returns the slug
 */
export async function addToCollection(calls: PublishCalls, named: string, visibility: Visibility): Promise<string> {
  const slug = isSlug(named) ? named : await openCollection(calls, named, visibility);
  const item = { id: calls.subject.repository, type: 'model' };
  await ask(calls, { path: `api/collections/${slug}/items`, send: json({ item }), accepts: [409] });
  return slug;
}

/** The hub answers a title that is there with its slug. */
async function openCollection(calls: PublishCalls, title: string, visibility: Visibility): Promise<string> {
  const namespace = calls.subject.repository.split('/')[0];
  const collection = { title, namespace, private: visibility === 'private' };
  const { text } = await ask(calls, { path: 'api/collections', send: json(collection), accepts: [409] });
  return slugIn(text, calls.settings.endpoint);
}

interface Call {
  readonly path: string;
  readonly send?: HubSending;
  readonly accepts?: readonly number[];
}

const ask = ({ settings, subject, patience }: PublishCalls, call: Call): Promise<{ status: number; text: string }> =>
  withPatience(patience, async () => {
    const answer = await askHub(settings, { ...call, subject, signal: patience.signal });
    return { status: answer.status, text: await textOf(answer, settings) };
  });

function json(value: object): HubSending {
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    sizeBytes: bytes.length,
    async *open() {
      yield bytes;
    },
  };
}
