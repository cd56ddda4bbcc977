// What the hub is asked of a repository: the commit that a revision is now, its files, and what they hold.
import { UserError } from '../errors';
import { commitIn, filesIn, type HubFile, notAHub } from './answers';
import { HubFailure, type Patience, withPatience } from './failures';
import type { HubSettings } from './hubSettings';
import { pagePath, type Subject } from './refusalRow';
import { askHub, type HubAnswer } from './request';

export interface HubRepository {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** Pages of a thousand files. */
const mostPages = 20;
const mostAnswerBytes = 32e6;

/** @throws UserError for whatever the hub refuses, and for what is no answer of a hub */
export async function readRepository(
  settings: HubSettings,
  subject: Subject,
  patience: Patience,
): Promise<HubRepository> {
  const { kind, repository, revision } = subject;
  const ask = (path: string) =>
    withPatience(patience, async () => {
      const answer = await askHub(settings, { path, subject, signal: patience.signal });
      return { text: await textOf(answer, settings), next: nextPage(answer) };
    });
  const at = `api/${kind}/${repository}`;
  const { text: info } = await ask(`${at}/revision/${encodeURIComponent(revision)}`);
  const commit = commitIn(info, settings.endpoint);
  const files: HubFile[] = [];
  let path: string | null = `${at}/tree/${commit}?recursive=true&expand=false`;
  for (let pages = 0; path !== null; pages++) {
    if (pages === mostPages)
      throw new UserError('overLimit', `${repository} has more than ${mostPages} pages of files; choose another one.`);
    const { text: page, next } = await ask(path);
    files.push(...filesIn(page, settings.endpoint));
    path = next;
  }
  return { commit, files };
}

/** `<https://...>; rel="next"`. A page elsewhere gets no token, as any other address. */
const nextPage = ({ header }: HubAnswer): string | null =>
  /<([^>]+)>\s*;\s*rel="next"/.exec(header('link') ?? '')?.[1] ?? null;

/** What an answer holds, as far as an answer may be long. */
export async function textOf(answer: HubAnswer, { endpoint }: HubSettings): Promise<string> {
  const chunks: Uint8Array[] = [];
  let nBytes = 0;
  for await (const chunk of answer.bytes()) {
    nBytes += chunk.length;
    if (nBytes > mostAnswerBytes) throw notAHub(endpoint);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A file from this byte on. `from`: where what comes begins, since a server may not know how to begin in the middle. */
export async function openFile(
  settings: HubSettings,
  subject: Subject & { readonly file: string },
  commit: string,
  from: number,
  signal: AbortSignal,
): Promise<{ from: number; bytes: AsyncIterable<Uint8Array> }> {
  const { file } = subject;
  const path = `${pagePath(subject)}/resolve/${commit}/${file.split('/').map(encodeURIComponent).join('/')}`;
  const { status, header, bytes } = await askHub(settings, { path, subject, from, signal });
  const range = /^bytes (\d+)-/.exec(header('content-range') ?? '');
  const begins = status === 206 ? Number(range?.[1] ?? Number.NaN) : 0;
  if (begins !== from && begins !== 0) throw new HubFailure(notAHub(settings.endpoint));
  return { from: begins, bytes: bytes() };
}
