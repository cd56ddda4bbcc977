// The conversation of Git LFS: which large files are wanted, the files themselves on the store, whole or in parts, and whether they
// arrived as what they are called. (git-lfs' docs/api/batch.md; the parts are the hub's own protocol.)
import { type Answer, type FakeRequest, json, refused, sha256 } from './answer';
import { writable } from './managing';
import type { HubState } from './repositories';

interface Wanted {
  readonly oid: string;
  readonly size: number;
}

/** On the hub. null: it asks for something else. */
export function answerLargeFiles(state: HubState, request: FakeRequest): Answer | null {
  const [, name, what, oid] =
    /^\/([^/]+\/[^/]+)\.git\/info\/lfs\/(objects\/batch|verify|complete\/([0-9a-f]{64}))$/.exec(request.url.pathname) ??
    [];
  if (name === undefined || what === undefined || request.method !== 'POST') return null;
  const repository = writable(state, request, name);
  // A complete set of parts is put together by a signed address.
  if (oid) return completed(state, request, oid);
  if ('status' in repository) return repository;
  if (what === 'verify') return verified(state, JSON.parse(request.body.toString('utf8')) as Wanted);
  const { objects } = JSON.parse(request.body.toString('utf8')) as { objects: Wanted[] };
  return json({ transfer: 'basic', objects: objects.map((wanted) => placeOf(state, request, name, wanted)) });
}

function placeOf(
  { verified: there, partBytes }: HubState,
  { front, store }: FakeRequest,
  name: string,
  wanted: Wanted,
) {
  const { oid, size } = wanted;
  if (there.has(oid)) return { oid, size, authenticated: true };
  const lfs = `${front}/${name}.git/info/lfs`;
  const verify = { href: `${lfs}/verify`, header: {} };
  if (partBytes === null || size < partBytes)
    return {
      oid,
      size,
      authenticated: true,
      actions: { upload: { href: `${store}/uploads/${oid}?signature=1` }, verify },
    };
  const places = Array.from({ length: Math.ceil(size / partBytes) }, (_, i) => [
    String(i + 1).padStart(5, '0'),
    `${store}/uploads/${oid}/${i + 1}?signature=1`,
  ]);
  const header = { chunk_size: String(partBytes), ...Object.fromEntries(places) };
  const upload = { href: `${lfs}/complete/${oid}?signature=1`, header };
  return { oid, size, authenticated: true, actions: { upload, verify } };
}

function verified({ objects, verified: there }: HubState, { oid, size }: Wanted): Answer {
  const content = objects.get(oid);
  if (content && content.length === size && sha256(content) === oid) there.add(oid);
  else objects.delete(oid);
  return there.has(oid) ? json({}) : refused(422, '', 'The object is not what it is called');
}

function completed({ objects, parts }: HubState, { url, body }: FakeRequest, oid: string): Answer {
  const { parts: said } = JSON.parse(body.toString('utf8')) as { parts: { partNumber: number; etag: string }[] };
  const found = said.map(({ partNumber, etag }) => {
    const part = parts.get(`${oid}/${partNumber}`);
    return part && etag === `"${sha256(part)}"` ? part : null;
  });
  if (!url.searchParams.has('signature') || found.includes(null)) return refused(400, '', 'A part is missing');
  objects.set(oid, Buffer.concat(found as Buffer[]));
  return json({});
}

/** On the store. null: it asks for something else. */
export function answerUpload({ objects, parts }: HubState, { method, url, body }: FakeRequest): Answer | null {
  const [, oid, part] = /^\/uploads\/([0-9a-f]{64})(?:\/(\d+))?$/.exec(url.pathname) ?? [];
  if (method !== 'PUT' || oid === undefined) return null;
  if (!url.searchParams.has('signature')) return refused(403, 'AccessDenied');
  if (part) parts.set(`${oid}/${part}`, body);
  else objects.set(oid, body);
  return { status: 200, headers: { etag: `"${sha256(body)}"` }, body: Buffer.alloc(0) };
}
