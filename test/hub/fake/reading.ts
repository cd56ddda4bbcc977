// The conversation of a pull: the commit of a revision, its files, and what they hold.
import { type Answer, type FakeRequest, gitHash, json, notFound, refused, sha256 } from './answer';
import { commitOf, type Files, type HubState, isLarge, type StoredRepository } from './repositories';

/** So that even small repositories have several pages. */
const filesOnPage = 4;

/** null: it asks for something else. */
export function answerReading(state: HubState, request: FakeRequest): Answer | null {
  const { url, token, store } = request;
  if (request.method !== 'GET' && request.method !== 'HEAD') return null;
  const [, api, name = '', rest = ''] =
    /^\/(api\/(?:models\/)?)?((?:datasets\/)?[\w.-]+\/[\w.-]+)(\/.*)?$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const repository = state.repositories.get(name);
  if (!repository || (repository.isPrivate && token === null)) return notFound(token);
  if (api) return ofApi(repository, rest, request);
  const [, revision = '', file = ''] = /^\/resolve\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const commit = commitOf(repository, revision);
  if (commit === undefined) return noRevision();
  if (repository.gatedTo && !repository.gatedTo.includes(token ?? ''))
    return refused(token === null ? 401 : 403, 'GatedRepo', 'Access to this model is restricted');
  return resolved(repository.commits.get(commit)!, commit, file, `${store}/${name}/${file}?signature=1&at=${commit}`);
}

export const noRevision = (): Answer => refused(404, 'RevisionNotFound', 'Invalid rev id');

function ofApi(repository: StoredRepository, rest: string, { url, front }: FakeRequest): Answer {
  if (rest === '/refs') return json(refsOf(repository));
  const [, what, revision = 'main'] = /^\/(revision|tree)\/(.+)$/.exec(rest) ?? (rest === '' ? ['', 'revision'] : []);
  if (what === undefined) return refused(404, 'EntryNotFound');
  const commit = commitOf(repository, revision);
  if (commit === undefined) return noRevision();
  return what === 'revision' ? json(infoOf(repository, commit)) : treeOf(repository, commit, url, front);
}

function refsOf({ branches, tags }: StoredRepository) {
  const refs = (of: ReadonlyMap<string, string>, place: string) =>
    [...of].map(([name, targetCommit]) => ({ name, ref: `refs/${place}/${name}`, targetCommit }));
  return { branches: refs(branches, 'heads'), converts: [], tags: refs(tags, 'tags') };
}

const infoOf = ({ name, gatedTo, isPrivate, commits }: StoredRepository, sha: string) => ({
  ...{
    _id: '0'.repeat(24),
    id: name.replace(/^datasets\//, ''),
    modelId: name,
    sha,
    private: isPrivate,
    gated: gatedTo ? 'manual' : false,
    disabled: false,
  },
  ...{
    tags: [],
    downloads: 0,
    likes: 0,
    lastModified: '2026-01-01T00:00:00.000Z',
    createdAt: '2026-01-01T00:00:00.000Z',
  },
  siblings: [...commits.get(sha)!.keys()].map((rfilename) => ({ rfilename })),
});

function treeOf({ commits, saidBytes }: StoredRepository, commit: string, url: URL, front: string): Answer {
  const files = commits.get(commit)!;
  const folders = new Set([...files.keys()].flatMap((path) => (path.includes('/') ? [path.split('/')[0]!] : [])));
  const entries = [
    ...[...folders].map((path) => ({ type: 'directory', oid: '0'.repeat(40), size: 0, path })),
    ...[...files].map(([path, content]) => entryOf(path, content, saidBytes[path])),
  ];
  const first = Number(url.searchParams.get('cursor') ?? 0);
  const end = first + filesOnPage;
  const next = new URL(url);
  next.searchParams.set('cursor', String(end));
  const link: Record<string, string> =
    end < entries.length ? { link: `<${front}${next.pathname}${next.search}>; rel="next"` } : {};
  return json(entries.slice(first, end), link);
}

const entryOf = (path: string, content: Buffer, size = content.length) => ({
  ...{ type: 'file', path, size, oid: gitHash(content) },
  ...(isLarge(content) && { lfs: { oid: sha256(content), size, pointerSize: 134 } }),
});

function resolved(files: Files, commit: string, file: string, location: string): Answer {
  const content = files.get(file);
  if (content === undefined) return refused(404, 'EntryNotFound', 'Entry not found');
  const headers = { 'x-repo-commit': commit, 'accept-ranges': 'bytes' };
  if (!isLarge(content)) return { status: 200, headers: { ...headers, etag: `"${gitHash(content)}"` }, body: content };
  const linked = { 'x-linked-etag': `"${sha256(content)}"`, 'x-linked-size': String(content.length) };
  return { status: 302, headers: { ...headers, ...linked, location }, body: Buffer.alloc(0) };
}

/** A file by a signed address, to whoever has that. */
export function answerStored({ repositories }: HubState, { url, method }: FakeRequest): Answer | null {
  if (method !== 'GET' && method !== 'HEAD') return null;
  const [, name = '', file = ''] =
    /^\/((?:datasets\/)?[^/]+\/[^/]+)\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const found = repositories
    .get(name)
    ?.commits.get(url.searchParams.get('at') ?? '')
    ?.get(file);
  if (found === undefined || !url.searchParams.has('signature')) return refused(403, 'AccessDenied');
  return { status: 200, headers: { 'accept-ranges': 'bytes', etag: '"store"' }, body: found };
}
