// Requests to the hub. No other file of Espalier's processes talks to the network. Redirects are followed here, so that the token
// goes to the endpoint alone: what it leads to, such as the stores of large files, gets none.
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

/** An answer, and how to say that a part of it has come. */
export interface HubAnswer {
  readonly response: Response;
  /** The bytes of its body. Throws HubFailure where they break off. */
  bytes(): AsyncIterable<Uint8Array>;
}

const mostRedirects = 10;
/** A connection that says nothing for so long is given up. */
const quietMs = 60_000;

/** @throws HubFailure with the sentence for whatever is no answer of the 200s; UserError `cancelled` after the signal */
export async function askHub(settings: HubSettings, request: HubRequest): Promise<HubAnswer> {
  const quiet = quietWatch(request.signal);
  try {
    let url = new URL(request.path, settings.endpoint);
    for (let redirects = 0; redirects <= mostRedirects; redirects++) {
      const response = await fetch(url, {
        redirect: 'manual',
        headers: headersFor(url, settings, request.from),
        signal: quiet.signal,
      });
      const next = redirectOf(response, url);
      if (next === null) return await answerOf(response, settings, request, quiet);
      await response.body?.cancel();
      url = next;
    }
  } catch (error) {
    quiet.end();
    throw request.signal.aborted ? pullEnded() : networkFailure(error, settings);
  }
  quiet.end();
  throw new HubFailure(
    new UserError(
      'network',
      `${inWords(settings.endpoint)} sends from address to address without an end; try again later.`,
    ),
  );
}

async function answerOf(
  response: Response,
  settings: HubSettings,
  { subject, signal }: HubRequest,
  quiet: ReturnType<typeof quietWatch>,
): Promise<HubAnswer> {
  if (!response.ok) {
    await response.body?.cancel();
    throw refusalOfAnswer(response, subject, settings);
  }
  return {
    response,
    async *bytes() {
      try {
        for await (const chunk of response.body ?? []) {
          quiet.heard();
          yield chunk as Uint8Array;
        }
      } catch (error) {
        throw signal.aborted ? pullEnded() : networkFailure(error, settings);
      } finally {
        quiet.end();
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
function redirectOf({ status, headers }: Response, url: URL): URL | null {
  const location = [301, 302, 303, 307, 308].includes(status) ? headers.get('location') : null;
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

/** Aborts what has been quiet for too long, or what the signal aborts. */
function quietWatch(outer: AbortSignal) {
  const own = new AbortController();
  const giveUp = () =>
    own.abort(Object.assign(new Error(`nothing came for ${quietMs / 1000} s`), { code: 'ETIMEDOUT' }));
  const timer = setTimeout(giveUp, quietMs).unref();
  return {
    signal: AbortSignal.any([outer, own.signal]),
    heard: () => void timer.refresh(),
    end: () => clearTimeout(timer),
  };
}
