// Requests to the hub. No other file of Espalier's processes talks to the network. Redirects are followed here, so that the token
// goes to the endpoint alone: what it leads to, such as the stores of large files, gets none. They are made by node:http and not by
// fetch, whose bodies may end without a word, whatever their signal, once the garbage collector has taken what belongs to them.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../errors';
import { endedBySignal, HubFailure, networkFailure } from './failures';
import { type HubSettings, inWords } from './hubSettings';
import type { Subject } from './refusalRow';
import { refusalOfAnswer } from './refusals';

declare const __ESPALIER_VERSION__: string;

export interface HubRequest {
  /** Below the endpoint, such as `api/models/OWNER/NAME`; or an address that a hub has given. */
  readonly path: string;
  readonly subject: Subject;
  /** The first byte that is wanted. */
  readonly from?: number;
  /** Absent: nothing is sent, and the answer is what there is. */
  readonly send?: HubSending;
  /** Answers beside those of the 200s that the caller understands. */
  readonly accepts?: readonly number[];
  readonly signal: AbortSignal;
}

export interface HubSending {
  readonly method: 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  /** What is sent, from its first byte; asked for again where a redirect leads on. */
  open(): AsyncIterable<Uint8Array>;
}

export interface HubAnswer {
  readonly status: number;
  /** null: there is none of that name. */
  header(name: string): string | null;
  /** The bytes of its body. Throws HubFailure where they break off. */
  bytes(): AsyncIterable<Uint8Array>;
}

const mostRedirects = 10;
/** A connection that says nothing for so long is given up. A hub that has got something may have to put it together first. */
const quietMs = { asked: 60_000, sent: 300_000 };

/** @throws HubFailure with the sentence for whatever is no answer of the 200s; UserError `cancelled` after the signal */
export async function askHub(settings: HubSettings, request: HubRequest): Promise<HubAnswer> {
  try {
    let url = new URL(request.path, settings.endpoint);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const message = await messageFrom(url, headersFor(url, settings, request), request);
      const next = redirectOf(message, url, request);
      if (next === null) return answerOf(message, settings, request);
      message.resume();
      url = next;
    }
  } catch (error) {
    throw request.signal.aborted ? endedBySignal(request.subject) : networkFailure(error, settings, request.subject);
  }
  throw new HubFailure(
    new UserError(
      'network',
      `${inWords(settings.endpoint)} sends from address to address without an end; try again later.`,
    ),
  );
}

function messageFrom(
  url: URL,
  headers: Record<string, string>,
  { send, signal }: HubRequest,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  const timeout = send ? quietMs.sent : quietMs.asked;
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: send?.method ?? 'GET', headers, signal, timeout }, resolve);
    asked.on('timeout', () =>
      asked.destroy(Object.assign(new Error(`nothing came for ${timeout / 1000} s`), { code: 'ETIMEDOUT' })),
    );
    // Also of what breaks off later, which whoever reads the message is told.
    asked.on('error', reject);
    if (send) void sendBody(asked, send, reject);
    else asked.end();
  });
}

/** A hub that answers before all has come wants no more of it: its answer counts, which has been given by then. */
const sendBody = (asked: ClientRequest, send: HubSending, failed: (error: unknown) => void): Promise<void> =>
  pipeline(Readable.from(send.open()), asked).catch(failed);

const headerOf = ({ headers }: IncomingMessage, name: string): string | null => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? null);
};

function answerOf(
  message: IncomingMessage,
  settings: HubSettings,
  { subject, send, accepts = [], signal }: HubRequest,
): HubAnswer {
  const status = message.statusCode ?? 0;
  const header = (name: string) => headerOf(message, name);
  if ((status < 200 || status > 299) && !accepts.includes(status)) {
    // What is being sent would go on being sent.
    if (send) message.destroy();
    else message.resume();
    throw refusalOfAnswer({ status, header }, subject, settings);
  }
  return {
    status,
    header,
    async *bytes() {
      try {
        yield* message;
      } catch (error) {
        throw signal.aborted ? endedBySignal(subject) : networkFailure(error, settings, subject);
      }
    },
  };
}

function headersFor(url: URL, { endpoint, token }: HubSettings, { from, send }: HubRequest): Record<string, string> {
  return {
    ...send?.headers,
    ...(send && { 'content-length': `${send.sizeBytes}` }),
    'user-agent': `espalier/${__ESPALIER_VERSION__}`,
    // What is packed has no part that begins at a byte of the file.
    'accept-encoding': 'identity',
    ...(from !== undefined && from > 0 && { range: `bytes=${from}-` }),
    ...(token && mayHaveToken(url, endpoint) && { authorization: `Bearer ${token.value}` }),
  };
}

/** Only the endpoint itself, and nothing that others on the way could read. */
const mayHaveToken = (url: URL, endpoint: URL): boolean =>
  url.origin === endpoint.origin &&
  (url.protocol === 'https:' || /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(url.hostname));

/** The others make another request of one that sends something. */
const redirects = { asked: [301, 302, 303, 307, 308], sent: [307, 308] };

/** null: it is none. */
function redirectOf(message: IncomingMessage, url: URL, { send }: HubRequest): URL | null {
  const isRedirect = redirects[send ? 'sent' : 'asked'].includes(message.statusCode ?? 0);
  const location = isRedirect ? headerOf(message, 'location') : null;
  if (location === null) return null;
  const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
  if (next && isSafeFrom(url, next)) return next;
  throw new HubFailure(
    new UserError(
      'network',
      `${url.host} sends to an address that is not used, such as one without encryption; try again later.`,
    ),
  );
}

/** Whether what is at one address may lead on to another: not out of encryption, and with no password in it. */
export const isSafeFrom = (url: URL, next: URL): boolean =>
  (next.protocol === 'https:' || (next.protocol === 'http:' && url.protocol === 'http:')) &&
  !next.username &&
  !next.password;
