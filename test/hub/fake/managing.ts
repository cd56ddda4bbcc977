// The conversation about repositories, branches, tags, collections, and whose token it is.
import { createHash } from 'node:crypto';
import { type Answer, type FakeRequest, json, notFound, refused } from './answer';
import { noRevision } from './reading';
import { type Collection, commitOf, type HubState, newRepository, type StoredRepository } from './repositories';

/** null: it asks for something else. */
export function answerManaging(state: HubState, request: FakeRequest): Answer | null {
  const path = decodeURIComponent(request.url.pathname);
  for (const [pattern, answer] of rows) {
    const found = pattern.exec(`${request.method} ${path}`);
    if (found) return answer(state, request, found.slice(1));
  }
  return null;
}

type Conversation = (state: HubState, request: FakeRequest, parts: string[]) => Answer;

const rows: readonly (readonly [RegExp, Conversation])[] = [
  [/^GET \/api\/whoami-v2$/, whoami],
  [/^POST \/api\/repos\/create$/, createRepository],
  [/^POST \/api\/validate-yaml$/, () => json({ errors: [], warnings: [] })],
  [/^POST \/api\/models\/([^/]+\/[^/]+)\/branch\/(.+)$/, createBranch],
  [/^POST \/api\/models\/([^/]+\/[^/]+)\/tag\/(.+)$/, createTag],
  [/^POST \/api\/collections$/, createCollection],
  [/^POST \/api\/collections\/([^/]+\/[^/]+)\/items$/, addItem],
  [/^GET \/api\/collections\/([^/]+\/[^/]+)$/, ({ collections }, _, [slug]) => collectionOr404(collections.get(slug!))],
];

/** What any of these requests may say. */
interface Said {
  readonly name?: string;
  readonly organization?: string | null;
  readonly namespace?: string;
  readonly visibility?: string;
  readonly private?: boolean;
  readonly startingPoint?: string;
  readonly tag?: string;
  readonly title?: string;
  readonly item?: { readonly id: string; readonly type: string };
}

const bodyOf = ({ body }: FakeRequest) => JSON.parse(body.toString('utf8')) as Said;

function whoami({ accountOf }: HubState, { token }: FakeRequest): Answer {
  const { name, role } = accountOf(token!)!;
  const auth = { type: 'access_token', accessToken: { displayName: 'a test', role } };
  return json({ type: 'user', name, fullname: name, email: 'somebody@example.com', orgs: [], auth });
}

/** null: it may write there. */
export function refusedToWrite({ accountOf }: HubState, { token }: FakeRequest, owner: string): Answer | null {
  const account = token === null ? null : accountOf(token);
  if (!account) return refused(401, '', 'Invalid username or password.');
  const mayWrite = account.role === 'write' && (account.writesTo?.includes(owner) ?? true);
  return mayWrite
    ? null
    : refused(403, '', `You don't have the rights to create a model under the namespace "${owner}"`);
}

function createRepository(state: HubState, request: FakeRequest): Answer {
  const { name, organization, visibility, ...given } = bodyOf(request);
  const owner = organization ?? state.accountOf(request.token ?? '')?.name ?? '';
  const refusal = refusedToWrite(state, request, owner);
  if (refusal) return refusal;
  const id = `${owner}/${name}`;
  const url = `${request.front}/${id}`;
  if (state.repositories.has(id)) return refused(409, '', 'You already created this model repo', { url });
  state.repositories.set(id, newRepository(id, visibility === 'private' || given.private === true));
  return json({ url, name: id, id: '1'.repeat(24) });
}

/** A repository that the request may write to, or why not. */
export function writable(state: HubState, request: FakeRequest, name: string): StoredRepository | Answer {
  const refusal = refusedToWrite(state, request, name.split('/')[0]!);
  return refusal ?? state.repositories.get(name) ?? notFound(request.token);
}

const isAnswer = (it: StoredRepository | Answer): it is Answer => 'status' in it;

function createBranch(state: HubState, request: FakeRequest, [name, branch]: string[]): Answer {
  const repository = writable(state, request, name!);
  if (isAnswer(repository)) return repository;
  if (repository.branches.has(branch!)) return refused(409, '', 'Reference already exists');
  const commit = commitOf(repository, bodyOf(request).startingPoint ?? 'main');
  if (commit === undefined) return noRevision();
  repository.branches.set(branch!, commit);
  return json({});
}

function createTag(state: HubState, request: FakeRequest, [name, revision]: string[]): Answer {
  const repository = writable(state, request, name!);
  if (isAnswer(repository)) return repository;
  const { tag } = bodyOf(request);
  const commit = commitOf(repository, revision!);
  if (commit === undefined) return noRevision();
  if (repository.tags.has(tag!)) return refused(409, '', 'Tag reference exists already');
  repository.tags.set(tag!, commit);
  return json({});
}

function createCollection(state: HubState, request: FakeRequest): Answer {
  const { title, namespace, private: isPrivate } = bodyOf(request);
  const refusal = refusedToWrite(state, request, namespace!);
  if (refusal) return refusal;
  const id = createHash('md5').update(`${namespace} ${title}`).digest('hex').slice(0, 24);
  const slug = `${namespace}/${title!.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-${id}`;
  if (state.collections.has(slug)) return refused(409, '', 'This collection already exists', { slug });
  const collection = { slug, title: title!, isPrivate: isPrivate === true, items: [] };
  state.collections.set(slug, collection);
  return collectionOr404(collection);
}

function addItem(state: HubState, request: FakeRequest, [slug]: string[]): Answer {
  const refusal = refusedToWrite(state, request, slug!.split('/')[0]!);
  if (refusal) return refusal;
  const collection = state.collections.get(slug!);
  if (!collection) return refused(404, '', 'Collection not found');
  const item = bodyOf(request).item!;
  if (collection.items.some(({ id }) => id === item.id)) return refused(409, '', 'Item already in collection');
  collection.items.push(item);
  return collectionOr404(collection);
}

const collectionOr404 = (collection: Collection | undefined): Answer =>
  collection
    ? json({
        ...{ slug: collection.slug, title: collection.title, private: collection.isPrivate, theme: 'blue', upvotes: 0 },
        ...{
          description: '',
          owner: { name: 'o', type: 'user' },
          position: 0,
          lastUpdated: '2026-01-01T00:00:00.000Z',
        },
        items: collection.items.map((item, position) => ({ ...item, _id: `${position}`, position })),
      })
    : refused(404, '', 'Collection not found');
