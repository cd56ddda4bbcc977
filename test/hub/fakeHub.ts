// A hub on this machine: what huggingface.co answers when models and data sets are fetched or published, over HTTP, and the ways in which it
// fails. Large files lie on a second server with another address, as they do there. huggingface_hub's own `hf` takes it for one,
// which test/long/pull.test.ts and test/long/publish.test.ts try. Each conversation is a file of fake/.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, type FakeRequest, refused } from './fake/answer';
import { answerCommits } from './fake/commits';
import { answerLargeFiles, answerUpload } from './fake/largeFiles';
import { answerManaging } from './fake/managing';
import { answerReading, answerStored } from './fake/reading';
import { type Account, type FakeRepository, type HubState, stored } from './fake/repositories';

/** What a request to one of the servers was, and how much went either way. */
export interface Asked {
  readonly server: 'hub' | 'store';
  readonly method: string;
  readonly path: string;
  readonly range: string | null;
  readonly token: string | null;
  /** By the server. */
  sentBytes: number;
  receivedBytes: number;
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
  | { readonly redirect: string }
  /** The same for what the server gets: the connection is destroyed, another byte is kept, or it is left lying for a while. */
  | {
      readonly receive:
        | { readonly cutAfter: number }
        | { readonly changed: number }
        | { readonly until: Promise<void> };
    }
  /** What was asked for is done, and nobody is told. */
  | { readonly answerLost: true };

/** The fault at the first request that has it, and then never again. */
export function once(fault: (asked: Asked) => Fault | null): FakeHub['fault'] {
  let isDone = false;
  return (asked) => {
    const found = isDone ? null : fault(asked);
    if (found) isDone = true;
    return found;
  };
}

export interface FakeHub {
  /** For HF_ENDPOINT. */
  readonly endpoint: string;
  readonly asked: Asked[];
  /** What lies there, to be looked at and changed. */
  readonly state: HubState;
  /** Called for every request; null: it is answered as it should be. */
  fault: (asked: Asked) => Fault | null;
  /** Called after every piece of a body that is sent, and of one that comes. */
  onSent: (asked: Asked) => void;
  onReceived: (asked: Asked) => void;
  close(): Promise<void>;
}

export interface FakeHubOptions {
  /** By token; absent: every token but `hf_expired` is of one that may write everywhere. */
  readonly accounts?: Readonly<Record<string, Account>>;
  /** Files of this size and above are taken in parts of it; absent: none is. */
  readonly partBytes?: number;
}

const pieceBytes = 16 * 1024;

/** @param repositories by their names: `owner/name` of a model, `datasets/owner/name` of a data set */
export async function openFakeHub(
  repositories: Readonly<Record<string, FakeRepository>>,
  { accounts, partBytes }: FakeHubOptions = {},
): Promise<FakeHub> {
  const everybody: Account = { name: 'o', role: 'write' };
  const state: HubState = {
    repositories: new Map(Object.entries(repositories).map(([name, given]) => [name, stored(name, given)])),
    ...{ objects: new Map(), verified: new Set<string>(), parts: new Map(), collections: new Map() },
    accountOf: (token) => (token === 'hf_expired' ? null : accounts ? (accounts[token] ?? null) : everybody),
    partBytes: partBytes ?? null,
  };
  const nothing = () => {};
  const hub: FakeHub = {
    endpoint: '',
    asked: [],
    state,
    fault: () => null,
    onSent: nothing,
    onReceived: nothing,
    close,
  };
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
    const method = request.method ?? '';
    const token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? null;
    const range = request.headers.range ?? null;
    const asked: Asked = { server, method, path, range, token, sentBytes: 0, receivedBytes: 0 };
    hub.asked.push(asked);
    const fault = hub.fault(asked);
    if (fault && 'status' in fault) return void response.writeHead(fault.status, fault.headers).end();
    if (fault && 'redirect' in fault) return void response.writeHead(302, { location: fault.redirect }).end();
    try {
      const body = await received(hub, asked, request, fault && 'receive' in fault ? fault.receive : null);
      if (body === null) return void request.socket.destroy();
      const url = new URL(path, server === 'store' ? addresses.store : addresses.front);
      const answer = answerTo(state, server, { method, url, token, body, ...addresses });
      if (fault && 'answerLost' in fault) return void response.destroy();
      await send(hub, asked, answer, response, fault && !('receive' in fault) ? fault : null);
    } catch {
      response.destroy();
    }
  }
  return Object.assign(hub, { endpoint: addresses.front });
}

/** What the hub understands and what its store does; the first that knows the request answers. */
const conversations = {
  hub: [answerManaging, answerCommits, answerLargeFiles, answerReading],
  store: [answerUpload, answerStored],
} as const;

function answerTo(state: HubState, server: Asked['server'], request: FakeRequest): Answer {
  const { token } = request;
  if (server === 'hub' && token !== null && !state.accountOf(token))
    return refused(401, '', 'Invalid credentials in Authorization header');
  for (const conversation of conversations[server]) {
    const answer = conversation(state, request);
    if (answer) return answer;
  }
  return refused(404, 'EntryNotFound', `nobody knows ${request.method} ${request.url.pathname}`);
}

/** null: the connection is to be destroyed. */
async function received(
  hub: FakeHub,
  asked: Asked,
  request: IncomingMessage,
  fault: Extract<Fault, { receive: unknown }>['receive'] | null,
): Promise<Buffer | null> {
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) {
    pieces.push(piece);
    asked.receivedBytes += piece.length;
    hub.onReceived(asked);
    if (fault && 'cutAfter' in fault && asked.receivedBytes > fault.cutAfter) return null;
    if (fault && 'until' in fault) await fault.until;
  }
  const body = Buffer.concat(pieces);
  if (fault && 'changed' in fault && body.length > fault.changed) body[fault.changed]! ^= 1;
  return body;
}

async function send(
  hub: FakeHub,
  asked: Asked,
  { status, headers, body }: Answer,
  response: ServerResponse,
  fault: Exclude<Fault, { status: number } | { redirect: string } | { receive: unknown } | { answerLost: true }> | null,
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
