// A hub on this machine: what huggingface.co answers when a model or a data set is fetched, over HTTP, and the ways in which it fails.
// Large files lie on a second server with another address, as they do there. huggingface_hub's `hf download` takes it for one, which
// test/long/pull.test.ts tries.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRepository {
  readonly files: Readonly<Record<string, Buffer | string>>;
  /** Branches and tags beside main, and their commits; a commit is the same files under another name. */
  readonly revisions?: Readonly<Record<string, string>>;
  /** Only with a token that is among these, once it is not null. */
  readonly gatedTo?: readonly string[];
  readonly isPrivate?: boolean;
  /** What its listing says of the size of a file, where that is not so. */
  readonly saidBytes?: Readonly<Record<string, number>>;
}

/** What a request to one of the servers was, and how much it got. */
export interface Asked {
  readonly server: 'hub' | 'store';
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly token: string | null;
  sentBytes: number;
}

/** What is done instead of a right answer. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** The connection is destroyed after so many bytes of the body; `whole`: which begins at the first one whatever was asked. */
  | { readonly cutAfter: number; readonly whole?: true }
  /** Another byte comes in the place of one. */
  | { readonly changed: number }
  /** The range that was asked for is ignored, as by proxies. */
  | { readonly whole: true }
  /** Nothing comes after so many bytes until this settles. */
  | { readonly waitAfter: number; readonly until: Promise<void> }
  | { readonly redirect: string };

export interface FakeHub {
  /** For HF_ENDPOINT. */
  readonly endpoint: string;
  readonly asked: Asked[];
  /** Called for every request; null: it is answered as it should be. */
  fault: (asked: Asked) => Fault | null;
  /** Called after every piece of a body. */
  onSent: (asked: Asked) => void;
  close(): Promise<void>;
}

/** Files of this size and above are kept by Git LFS. */
const lfsBytes = 1000;
const pieceBytes = 16 * 1024;
/** So that even small repositories have several pages. */
const filesOnPage = 4;
export const mainCommit = 'a'.repeat(40);

/** @param repositories by their names: `owner/name` of a model, `datasets/owner/name` of a data set */
export async function openFakeHub(repositories: Readonly<Record<string, FakeRepository>>): Promise<FakeHub> {
  const hub: FakeHub = { endpoint: '', asked: [], fault: () => null, onSent: () => {}, close };
  const store = createServer((request, response) => void serve('store', request, response));
  const front = createServer((request, response) => void serve('hub', request, response));
  const addresses = { front: await listening(front), store: await listening(store) };
  async function close(): Promise<void> {
    for (const server of [front, store]) {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  }

  async function serve(server: Asked['server'], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? null;
    const range = request.headers.range ?? null;
    const asked: Asked = { server, method: request.method ?? '', path, range, token, sentBytes: 0 };
    hub.asked.push(asked);
    const fault = hub.fault(asked);
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers).end();
    if (fault && 'redirect' in fault) return void response.writeHead(302, { location: fault.redirect }).end();
    const answer = server === 'store' ? stored(repositories, path) : answerTo(repositories, asked, addresses);
    await send(hub, asked, answer, response, fault).catch(() => response.destroy());
  }
  return Object.assign(hub, { endpoint: addresses.front });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const json = (value: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(JSON.stringify(value)),
});

const refused = (status: number, code: string, message = ''): Answer => ({
  status,
  headers: { 'x-error-code': code, 'x-error-message': message, 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ error: message || code })),
});

function answerTo(
  repositories: Readonly<Record<string, FakeRepository>>,
  { path, token }: Asked,
  { front, store }: { front: string; store: string },
): Answer {
  const url = new URL(path, front);
  const [, api, name, rest = ''] =
    /^\/(api\/(?:models\/)?)?((?:datasets\/)?[\w.-]+\/[\w.-]+)(\/.*)?$/.exec(decodeURIComponent(url.pathname)) ?? [];
  const repository = name === undefined ? undefined : repositories[name];
  if (!repository || !name) return refused(401, 'RepoNotFound', 'Repository not found');
  if (token === 'hf_expired') return refused(401, '', 'Invalid credentials in Authorization header');
  if (repository.isPrivate && token === null) return refused(401, 'RepoNotFound', 'Repository not found');
  const commits = { main: mainCommit, ...repository.revisions };
  const commitOf = (revision: string) =>
    commits[revision as 'main'] ?? Object.values(commits).find((commit) => commit === revision);
  if (api) {
    const [, what, revision = 'main'] =
      /^\/(revision|tree)\/([^/]+)$/.exec(rest) ?? (rest === '' ? ['', 'revision'] : []);
    const commit = commitOf(revision);
    if (what === undefined) return refused(404, 'EntryNotFound');
    if (commit === undefined) return refused(404, 'RevisionNotFound', 'Invalid rev id');
    const id = name.replace(/^datasets\//, '');
    return what === 'revision' ? json(infoOf(id, repository, commit)) : treeOf(repository, url, front);
  }
  const [, revision = '', file = ''] = /^\/resolve\/([^/]+)\/(.+)$/.exec(rest) ?? [];
  const commit = commitOf(revision);
  if (commit === undefined) return refused(404, 'RevisionNotFound', 'Invalid rev id');
  if (repository.gatedTo && !repository.gatedTo.includes(token ?? ''))
    return refused(token === null ? 401 : 403, 'GatedRepo', 'Access to this model is restricted');
  return resolved(repository, commit, file, `${store}/${name}/${file}?signature=1`);
}

const infoOf = (id: string, { files, gatedTo, isPrivate = false }: FakeRepository, sha: string) => ({
  ...{
    _id: '0'.repeat(24),
    id,
    modelId: id,
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
  siblings: Object.keys(files).map((rfilename) => ({ rfilename })),
});

function treeOf({ files, saidBytes = {} }: FakeRepository, url: URL, front: string): Answer {
  const folders = new Set(Object.keys(files).flatMap((path) => (path.includes('/') ? [path.split('/')[0]!] : [])));
  const entries = [
    ...[...folders].map((path) => ({ type: 'directory', oid: '0'.repeat(40), size: 0, path })),
    ...Object.entries(files).map(([path, content]) => entryOf(path, Buffer.from(content), saidBytes[path])),
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

export const isLarge = (content: Buffer): boolean => content.length >= lfsBytes;
export const sha256 = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
export const gitHash = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

function resolved({ files }: FakeRepository, commit: string, file: string, location: string): Answer {
  const found = files[file];
  if (found === undefined) return refused(404, 'EntryNotFound', 'Entry not found');
  const content = Buffer.from(found);
  const headers = { 'x-repo-commit': commit, 'accept-ranges': 'bytes' };
  if (!isLarge(content)) return { status: 200, headers: { ...headers, etag: `"${gitHash(content)}"` }, body: content };
  const linked = { 'x-linked-etag': `"${sha256(content)}"`, 'x-linked-size': String(content.length) };
  return { status: 302, headers: { ...headers, ...linked, location }, body: Buffer.alloc(0) };
}

/** A file by a signed address, to whoever has that. */
function stored(repositories: Readonly<Record<string, FakeRepository>>, path: string): Answer {
  const [, name = '', file = ''] =
    /^\/((?:datasets\/)?[^/]+\/[^/]+)\/(.+)$/.exec(decodeURIComponent(new URL(path, 'http://store').pathname)) ?? [];
  const found = repositories[name]?.files[file];
  if (found === undefined || !path.includes('signature=1')) return refused(403, 'AccessDenied');
  return { status: 200, headers: { 'accept-ranges': 'bytes', etag: '"store"' }, body: Buffer.from(found) };
}

async function send(
  hub: FakeHub,
  asked: Asked,
  { status, headers, body }: Answer,
  response: ServerResponse,
  fault: Exclude<Fault, { status: number } | { redirect: string }> | null,
): Promise<void> {
  const wanted = status === 200 && !(fault && 'whole' in fault) ? /^bytes=(\d+)-(\d*)$/.exec(asked.range ?? '') : null;
  const first = wanted ? Number(wanted[1]) : 0;
  const end = wanted?.[2] ? Math.min(body.length, Number(wanted[2]) + 1) : body.length;
  const ranged = wanted ? { 'content-range': `bytes ${first}-${end - 1}/${body.length}` } : {};
  response.writeHead(wanted ? 206 : status, { ...headers, ...ranged, 'content-length': String(end - first) });
  if (asked.method === 'HEAD') return void response.end();
  const sent = Buffer.from(body);
  if (fault && 'changed' in fault && sent.length > fault.changed) sent[fault.changed]! ^= 1;
  const stop = fault && ('cutAfter' in fault ? fault.cutAfter : 'waitAfter' in fault ? fault.waitAfter : null);
  for (let at = first; at < end; ) {
    const upTo = Math.min(
      end,
      at + pieceBytes,
      stop !== null && first + stop > at ? first + stop : Number.POSITIVE_INFINITY,
    );
    if (stop !== null && at >= first + stop) {
      if (!fault || !('until' in fault)) return void response.destroy();
      await fault.until;
    }
    if (response.destroyed) return;
    if (!response.write(sent.subarray(at, upTo))) await drained(response);
    asked.sentBytes += upTo - at;
    at = upTo;
    hub.onSent(asked);
  }
  response.end();
}

const drained = (response: ServerResponse) =>
  new Promise<void>((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close']) response.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close']) response.on(event, done);
  });

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
