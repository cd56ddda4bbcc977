// Requests to the hub. No other file of Espalier's processes talks to the network. Redirects are followed here, so that the token
// goes to the endpoint alone: what it leads to, such as the stores of large files, gets none. They are made by node:http and not by
// fetch, whose bodies may end without a word, whatever their signal, once the garbage collector has taken what belongs to them.
import { type IncomingMessage, get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { pullEnded, UserError } from '../errors';
import { HubFailure, networkFailure } from './failures';
import { type HubSettings, inWords } from './hubSettings';
import { refusalOfAnswer, type Subject } from './refusals';

declare const __ESPALIER_VERSION__: string;

export interface HubRequest {
  /** Below the endpoint, such as `api/models/OWNER/NAME`. */
  readonly path: string;
  readonly subject: Subject;
  /** The first byte that is wanted. */
  readonly from?: number;
  readonly signal: AbortSignal;
}

export interface HubAnswer {
  readonly status: number;
  /** null: there is none of that name. */
  header(name: string): string | null;
  /** The bytes of its body. Throws HubFailure where they break off. */
  bytes(): AsyncIterable<Uint8Array>;
}

const mostRedirects = 10;
/** A connection that says nothing for so long is given up. */
const quietMs = 60_000;

/** @throws HubFailure with the sentence for whatever is no answer of the 200s; UserError `cancelled` after the signal */
export async function askHub(settings: HubSettings, request: HubRequest): Promise<HubAnswer> {
  try {
    let url = new URL(request.path, settings.endpoint);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const message = await messageFrom(url, headersFor(url, settings, request.from), request.signal);
      const next = redirectOf(message, url);
      if (next === null) return answerOf(message, settings, request);
      message.resume();
      url = next;
    }
  } catch (error) {
    throw request.signal.aborted ? pullEnded() : networkFailure(error, settings);
  }
  throw new HubFailure(
    new UserError(
      'network',
      `${inWords(settings.endpoint)} sends from address to address without an end; try again later.`,
    ),
  );
}

function messageFrom(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? getHttps : getHttp;
  return new Promise((resolve, reject) => {
    const asked = get(url, { headers, signal, timeout: quietMs }, resolve);
    asked.on('timeout', () =>
      asked.destroy(Object.assign(new Error(`nothing came for ${quietMs / 1000} s`), { code: 'ETIMEDOUT' })),
    );
    // Also of what breaks off later, which whoever reads the message is told.
    asked.on('error', reject);
  });
}

const headerOf = ({ headers }: IncomingMessage, name: string): string | null => {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : (value ?? null);
};

function answerOf(message: IncomingMessage, settings: HubSettings, { subject, signal }: HubRequest): HubAnswer {
  const status = message.statusCode ?? 0;
  const header = (name: string) => headerOf(message, name);
  if (status < 200 || status > 299) {
    message.resume();
    throw refusalOfAnswer({ status, header }, subject, settings);
  }
  return {
    status,
    header,
    async *bytes() {
      try {
        yield* message;
      } catch (error) {
        throw signal.aborted ? pullEnded() : networkFailure(error, settings);
      }
    },
  };
}

function headersFor(url: URL, { endpoint, token }: HubSettings, from: number | undefined): Record<string, string> {
  return {
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

/** null: it is none. */
function redirectOf(message: IncomingMessage, url: URL): URL | null {
  const isRedirect = [301, 302, 303, 307, 308].includes(message.statusCode ?? 0);
  const location = isRedirect ? headerOf(message, 'location') : null;
  if (location === null) return null;
  const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
  const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:');
  if (next && isSafe && !next.username && !next.password) return next;
  throw new HubFailure(
    new UserError(
      'network',
      `${url.host} sends to an address that is not used, such as one without encryption; try again later.`,
    ),
  );
}
