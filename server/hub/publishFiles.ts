// Files into a branch of a repository on the hub, as one commit: until that is made, the branch is what it was. Whatever ended an
// earlier try, large files that the hub has are not sent again, and a branch that has all of it gets no second commit.
import { isPartOfAdapter } from '../checkpoint/adapter';
import { isPartOfModel, templateFolder } from '../checkpoint/partNames';
import { isUserError, UserError } from '../errors';
import { type CommitWatch, commitFiles, type FileToSend } from './commitFiles';
import { inWords } from './hubSettings';
import {
  addToCollection,
  createBranch,
  createRepository,
  createTag,
  type PublishCalls,
  readAccount,
  readRemote,
  type Remote,
  type Visibility,
} from './publishCalls';
import { pageOf, tokensPage } from './refusalRow';
import { readRepository } from './repository';
import { areTheSame } from './sameFiles';

export interface PublishAs {
  readonly visibility: Visibility;
  readonly tag: string | null;
  /** Slug or title. */
  readonly collection: string | null;
}

export interface Publication extends PublishAs {
  readonly files: readonly FileToSend[];
  /** Of the commit. */
  readonly title: string;
}

/** What is on the hub before anything is sent. */
export interface Target {
  /** null: there is no such repository yet. */
  readonly remote: Remote | null;
  /** What has to be made before the commit. */
  readonly creates: 'repository' | 'branch' | 'nothing';
}

export interface Published {
  readonly commit: string;
  /** Whether the branch had all of it before. */
  readonly wasThere: boolean;
  readonly removed: readonly string[];
  /** Slug. */
  readonly collection: string | null;
}

/** Whose token it is. @throws UserError `noAccess` where there is none that may write, `usage` offline */
export async function writingAccount(calls: PublishCalls): Promise<string> {
  const { settings } = calls;
  if (settings.isOffline)
    throw new UserError('usage', 'HF_HUB_OFFLINE is set, so that nothing is published; unset it.');
  if (!settings.token)
    throw new UserError(
      'noAccess',
      `Publishing needs a token that may write: make one on ${tokensPage(settings)}, and set HF_TOKEN to it or save it with \`hf auth login\`.`,
    );
  const { name, onlyReads } = await readAccount(calls);
  if (!onlyReads) return name;
  throw new UserError(
    'noAccess',
    `The token in ${settings.token.from} (of ${name}) may only read; make one that may write on ${tokensPage(settings)}, and give it in its place.`,
  );
}

/** @throws UserError `badState` where what is there does not fit what is asked for */
export async function lookAtTarget(calls: PublishCalls, { visibility, tag }: PublishAs): Promise<Target> {
  const remote = await readRemote(calls);
  if (!remote) return { remote, creates: 'repository' };
  if (remote.visibility !== visibility) throw otherVisibility(calls, remote);
  const head = remote.refs.branches.get(calls.subject.revision);
  if (tag !== null && remote.refs.tags.has(tag) && remote.refs.tags.get(tag) !== head) throw tagTaken(calls, tag);
  return { remote, creates: head === undefined ? 'branch' : 'nothing' };
}

/** @throws UserError for whatever the hub refuses; `badState` where somebody else has changed the branch meanwhile */
export async function publishFiles(
  calls: PublishCalls,
  publication: Publication,
  target: Target,
  watch: CommitWatch,
): Promise<Published> {
  const { tag, collection, visibility } = publication;
  const remote = target.remote ?? (await newRepository(calls, visibility));
  const parent = remote.refs.branches.get(calls.subject.revision) ?? (await newBranch(calls, remote));
  const sent = await committed(calls, publication, parent, remote, watch);
  if (tag !== null && remote.refs.tags.get(tag) !== sent.commit) await createTag(calls, tag, sent.commit);
  const slug = collection === null ? null : await addToCollection(calls, collection, visibility);
  return { ...sent, collection: slug };
}

async function newRepository(calls: PublishCalls, visibility: Visibility): Promise<Remote> {
  await createRepository(calls, visibility);
  const made = await readRemote(calls);
  if (made?.visibility === visibility) return made;
  throw made ? otherVisibility(calls, made) : notMade(calls);
}

async function newBranch(calls: PublishCalls, { refs }: Remote): Promise<string> {
  const main = refs.branches.get('main');
  if (main === undefined) throw notMade(calls);
  if (calls.subject.revision !== 'main') await createBranch(calls, main);
  return main;
}

type Sent = Omit<Published, 'collection'>;

async function committed(
  calls: PublishCalls,
  { files, title, tag }: Publication,
  parent: string,
  { refs }: Remote,
  watch: CommitWatch,
): Promise<Sent> {
  const before = await stateAt(calls, parent, files);
  if (before.isThere) return { commit: parent, wasThere: true, removed: [] };
  if (tag !== null && refs.tags.has(tag)) throw tagTaken(calls, tag);
  try {
    const commit = await commitFiles(calls, { title, files, removed: before.removed, parent }, watch);
    return { commit, wasThere: false, removed: before.removed };
  } catch (error) {
    if (!isUserError(error) || error.code !== 'badState') throw error;
    // A commit whose answer was lost on the way has been made.
    const head = (await readRemote(calls))?.refs.branches.get(calls.subject.revision);
    if (head === undefined || head === parent || !(await stateAt(calls, head, files)).isThere) throw error;
    return { commit: head, wasThere: false, removed: before.removed };
  }
}

/** Whether a commit has the files and none of another model, and which of another one it has. */
async function stateAt({ settings, subject, patience }: PublishCalls, commit: string, files: readonly FileToSend[]) {
  const there = await readRepository(settings, { ...subject, revision: commit }, patience);
  const removed = there.files
    .map(({ path }) => path)
    .filter((path) => isOfModel(path) && !files.some((file) => file.path === path));
  return { removed, isThere: removed.length === 0 && (await areTheSame(files, there.files)) };
}

/** What transformers would open with the rest: a model that was there before leaves nothing of it. */
const isOfModel = (path: string): boolean =>
  isPartOfModel(path) || isPartOfAdapter(path) || path.startsWith(`${templateFolder}/`);

const otherVisibility = (calls: PublishCalls, { visibility }: Remote): UserError =>
  new UserError(
    'badState',
    visibility === 'public'
      ? `${calls.subject.repository} is there and open to everybody; add --public to publish in it, or give another repository.`
      : `${calls.subject.repository} is there and private; leave out --public, or open it on ${pageOf(calls.subject, calls.settings)}/settings first.`,
  );

const tagTaken = ({ subject }: PublishCalls, tag: string): UserError =>
  new UserError('badState', `${subject.repository} has a tag ${tag} for something else; give another --tag.`);

const notMade = ({ settings, subject }: PublishCalls): UserError =>
  new UserError(
    'network',
    `${inWords(settings.endpoint)} has made ${subject.repository} and does not show it; publish again in a minute.`,
  );
