// What the hub says of a repository: the commit that a revision is now, and its files with their hashes.
import * as z from 'zod';
import { UserError } from '../errors';
import { isCommit } from '../protocol/repositoryNames';
import { HubFailure, type Patience, withPatience } from './failures';
import { type HubSettings, inWords } from './hubSettings';
import type { Subject } from './refusals';
import { askHub, type HubAnswer } from './request';

export interface HubFile {
  /** In the repository, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Of what it holds: large files have a sha256, the others the hash that git gives them. The cache calls them by it. */
  readonly hash: FileHash;
}

export type FileHash =
  | { readonly of: 'content'; readonly sha256: string }
  | { readonly of: 'gitBlob'; readonly sha1: string };

export const hexOf = (hash: FileHash): string => (hash.of === 'content' ? hash.sha256 : hash.sha1);

export interface HubRepository {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const infoSchema = z.object({ sha: z.string().refine(isCommit) });

/** A path that stays in its folder, of names that every system takes. */
const filePath = z
  .string()
  .max(500)
  .refine((path) => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names of strangers may hold them.
  .refine((path) => !/[\\:\x00-\x1f\x7f]/.test(path));
const sizeBytes = z.int().nonnegative();
const treeSchema = z.array(
  z.union([
    z.object({
      type: z.literal('file'),
      path: filePath,
      size: sizeBytes,
      oid: z.string().regex(/^[0-9a-f]{40}$/),
      lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: sizeBytes }).optional(),
    }),
    // Folders, what has a name that is not taken, and kinds to come.
    z.object({ type: z.string() }).transform(() => null),
  ]),
);

/** Pages of a thousand files. */
const mostPages = 20;
const mostAnswerBytes = 32e6;

/** @throws UserError for whatever the hub refuses, and for what is no answer of a hub */
export async function readRepository(
  settings: HubSettings,
  { repository, revision }: Subject,
  patience: Patience,
): Promise<HubRepository> {
  const subject = { repository, revision };
  const ask = (path: string) =>
    withPatience(patience, async () => {
      const answer = await askHub(settings, { path, subject, signal: patience.signal });
      return { json: await jsonOf(answer, settings), next: nextPage(answer.response) };
    });
  const at = `api/models/${repository}`;
  const { json } = await ask(`${at}/revision/${encodeURIComponent(revision)}`);
  const { sha: commit } = understood(infoSchema, json, settings);
  const files: HubFile[] = [];
  let path: string | null = `${at}/tree/${commit}?recursive=true&expand=false`;
  for (let pages = 0; path !== null; pages++) {
    if (pages === mostPages)
      throw new UserError('overLimit', `${repository} has more than ${mostPages} pages of files; choose another one.`);
    const { json: page, next } = await ask(path);
    for (const entry of understood(treeSchema, page, settings)) if (entry) files.push(fileOf(entry));
    path = next;
  }
  return { commit, files };
}

const fileOf = ({ path, size, oid, lfs }: Exclude<z.output<typeof treeSchema>[number], null>): HubFile =>
  lfs
    ? { path, sizeBytes: lfs.size, hash: { of: 'content', sha256: lfs.oid } }
    : { path, sizeBytes: size, hash: { of: 'gitBlob', sha1: oid } };

/** `<https://...>; rel="next"`. A page elsewhere gets no token, as any other address. */
const nextPage = ({ headers }: Response): string | null =>
  /<([^>]+)>\s*;\s*rel="next"/.exec(headers.get('link') ?? '')?.[1] ?? null;

async function jsonOf(answer: HubAnswer, settings: HubSettings): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let nBytes = 0;
  for await (const chunk of answer.bytes()) {
    nBytes += chunk.length;
    if (nBytes > mostAnswerBytes) throw notAHub(settings);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw notAHub(settings);
  }
}

function understood<T>(schema: z.ZodType<T>, json: unknown, settings: HubSettings): T {
  const result = schema.safeParse(json);
  if (!result.success) throw notAHub(settings);
  return result.data;
}

const notAHub = ({ endpoint }: HubSettings): UserError =>
  new UserError(
    'network',
    `${inWords(endpoint)} does not answer as a hub does; see whether HF_ENDPOINT is right, or whether a network asks you to log in first.`,
  );

/** A file from this byte on. `from`: where what comes begins, since a server may not know how to begin in the middle. */
export async function openFile(
  settings: HubSettings,
  subject: Subject & { readonly file: string },
  commit: string,
  from: number,
  signal: AbortSignal,
): Promise<{ from: number; bytes: AsyncIterable<Uint8Array> }> {
  const { repository, file } = subject;
  const path = `${repository}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;
  const { response, bytes } = await askHub(settings, { path, subject, from, signal });
  const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  const begins = response.status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
  if (begins !== from && begins !== 0) throw new HubFailure(notAHub(settings));
  return { from: begins, bytes: bytes() };
}
