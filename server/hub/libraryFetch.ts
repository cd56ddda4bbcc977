// What the library that sends commits takes for `fetch`: our own requests, with our patience, our sentences, and the token to the
// endpoint alone. What comes back is checked before the library sees it. Parts of large files go one at a time, so that whatever
// ends the process costs one of them at most, and the hub is asked whether each file arrived as it was sent.
import { UserError } from '../errors';
import { notAHub } from './answers';
import { withPatience } from './failures';
import { inWords } from './hubSettings';
import { LazyBlob } from './lazyBlob';
import { batchIn, newCommitIn, preuploadIn } from './publishAnswers';
import type { PublishCalls } from './publishCalls';
import { textOf } from './repository';
import { askHub, type HubSending, isSafeFrom } from './request';

/** What the library says of a part of a file beside the usual. */
type LibraryRequest = RequestInit & { readonly progressHint?: { readonly path?: string } };

/** What is to be asked once a file is there. */
interface Arrival {
  readonly href: string;
  readonly oid: string;
  readonly size: number;
}

/** Told how many bytes of a large file have gone; negative: so many have to go again. */
export type OnBytes = (path: string, n: number) => void;

interface Conversation {
  readonly calls: PublishCalls;
  readonly onBytes: OnBytes;
  /** By the address that a file goes to, or by which its parts are put together. */
  readonly arrivals: Map<string, Arrival>;
}

export function libraryFetch(calls: PublishCalls, onBytes: OnBytes): typeof fetch {
  const conversation: Conversation = { calls, onBytes, arrivals: new Map() };
  let turn: Promise<unknown> = Promise.resolve();
  return (input, init) => {
    const address = String(input);
    const given = (init ?? {}) as LibraryRequest;
    const work = async () => {
      const response = await ask(conversation, address, given);
      await askWhetherArrived(conversation, address, given);
      return response;
    };
    if (given.method !== 'PUT') return work();
    const mine = turn.then(work);
    // One that failed ends the library's work, which aborts the others.
    turn = mine.catch(() => {});
    return mine;
  };
}

async function ask({ calls, onBytes, arrivals }: Conversation, address: string, given: LibraryRequest) {
  const { settings, subject, patience } = calls;
  const file = given.progressHint?.path;
  const toStore = given.method === 'PUT';
  const about = { ...subject, ...(file && { file }), ...(toStore && { publishing: 'store' as const }) };
  const signal = given.signal ?? patience.signal;
  return withPatience({ ...patience, signal }, async () => {
    const { sending, takeBack } = counted(sendingOf(given), (n) => file && onBytes(file, n));
    try {
      const answer = await askHub(settings, { path: address, subject: about, send: sending, signal });
      const text = await textOf(answer, settings);
      for (const [upload, arrival] of checkedAnswer(calls, new URL(address), text)) arrivals.set(upload, arrival);
      return responseOf(answer, text);
    } catch (error) {
      takeBack();
      throw error;
    }
  });
}

/** Refuses what is no answer to such a request. @returns what is to be asked of each large file that will be sent */
function checkedAnswer({ settings, subject }: PublishCalls, { pathname }: URL, text: string): [string, Arrival][] {
  const { endpoint } = settings;
  if (/\/preupload\/[^/]+$/.test(pathname)) preuploadIn(text, endpoint);
  if (/\/commit\/[^/]+$/.test(pathname)) newCommitIn(text, endpoint);
  if (!pathname.endsWith('.git/info/lfs/objects/batch')) return [];
  return batchIn(text, endpoint).flatMap(({ oid, size = 0, actions, error }): [string, Arrival][] => {
    if (error)
      throw new UserError(
        'network',
        `${inWords(endpoint)} does not take a large file of ${subject.repository} (${error.code}); publish it again, or ask there.`,
      );
    const parts = Object.entries(actions?.upload?.header ?? {}).filter(([name]) => /^\d+$/.test(name));
    const addresses = [actions?.upload?.href, actions?.verify?.href, ...parts.map(([, href]) => href)];
    for (const href of addresses)
      if (href !== undefined && !(URL.canParse(href) && isSafeFrom(endpoint, new URL(href)))) throw notAHub(endpoint);
    return actions?.upload && actions.verify ? [[actions.upload.href, { href: actions.verify.href, oid, size }]] : [];
  });
}

/** A file that arrived as another one is not committed. */
async function askWhetherArrived({ calls, arrivals }: Conversation, address: string, given: LibraryRequest) {
  const arrival = arrivals.get(address);
  if (!arrival) return;
  const { settings, subject, patience } = calls;
  const { href, oid, size } = arrival;
  const signal = given.signal ?? patience.signal;
  const headers = { 'Content-Type': 'application/vnd.git-lfs+json' };
  const send = sendingOf({ method: 'POST', body: JSON.stringify({ oid, size }), headers });
  const accepts = [400, 404, 409, 422];
  const { status } = await withPatience({ ...patience, signal }, () =>
    askHub(settings, { path: href, subject, send, accepts, signal }),
  );
  if (!accepts.includes(status)) return;
  const file = given.progressHint?.path ?? `The file ${oid.slice(0, 12)}...`;
  throw new UserError(
    'badData',
    `${file} arrived with another content than was sent, so that nothing was added to ${subject.repository}: something on the way changes it; publish again, by another network or without a mirror.`,
  );
}

function sendingOf({ method, body, headers }: RequestInit): HubSending {
  if (!(method === 'POST' || method === 'PUT')) throw new Error(`no request of this kind is known: ${method}`);
  const content = body instanceof LazyBlob ? body : new Blob([body as string | Blob]);
  return {
    method,
    headers: Object.fromEntries(new Headers(headers)),
    sizeBytes: content.size,
    open: () => (content instanceof LazyBlob ? content.chunks() : chunksOf(content)),
  };
}

async function* chunksOf(content: Blob): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(await content.arrayBuffer());
}

/** What a try has sent is taken back where it fails. */
function counted(sending: HubSending, onBytes: (n: number) => void) {
  let sentBytes = 0;
  const takeBack = () => {
    onBytes(-sentBytes);
    sentBytes = 0;
  };
  return {
    takeBack,
    sending: {
      ...sending,
      async *open() {
        takeBack();
        for await (const chunk of sending.open()) {
          yield chunk;
          sentBytes += chunk.length;
          onBytes(chunk.length);
        }
      },
    },
  };
}

const responseOf = ({ status, header }: { status: number; header(name: string): string | null }, text: string) =>
  new Response(text || null, {
    status,
    headers: ['etag', 'x-request-id', 'content-type'].flatMap((name): [string, string][] => {
      const value = header(name);
      return value === null ? [] : [[name, value]];
    }),
  });
