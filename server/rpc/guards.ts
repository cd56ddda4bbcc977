// Which connections are accepted, decided before the upgrade, and how much a client may send. Browsers always send an Origin
// and are refused for it; a page that rebinds its name to loopback still names itself in Host; all others need the token.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { protocolName } from '../protocol/compatibility';

/** The largest message. */
export const maxPayloadBytes = 4 * 2 ** 20;
export const maxClients = 32;
/** Messages of one connection: bursts of `burst`, `perSecond` in the long run. */
export const messageRate = { perSecond: 200, burst: 400 };
/** Wrong tokens that are answered with 401; more of them get 429. */
export const wrongTokenRate = { perSecond: 0.2, burst: 20 };

export type Refusal = '401 Unauthorized' | '403 Forbidden' | '404 Not Found' | '429 Too Many Requests';

/** The first reason to refuse a request for an upgrade; null: it is accepted. */
export function guard(port: number, token: string): (headers: IncomingHttpHeaders, url: string) => Refusal | null {
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);
  const expected = digest(`Bearer ${token}`);
  const wrongTokens = allowance(wrongTokenRate);
  return (headers, url) => {
    if (headers.origin !== undefined) return '403 Forbidden';
    if (!hosts.includes(headers.host ?? '')) return '403 Forbidden';
    if (url !== '/') return '404 Not Found';
    if (headers['sec-websocket-protocol'] !== protocolName) return '403 Forbidden';
    if (timingSafeEqual(digest(headers.authorization ?? ''), expected)) return null;
    return wrongTokens.take() ? '401 Unauthorized' : '429 Too Many Requests';
  };
}

/** Digests have one length, whatever was sent. */
const digest = (text: string) => createHash('sha256').update(text).digest();

/** A bucket that holds `burst` and is refilled by `perSecond`. */
export function allowance({ perSecond, burst }: { perSecond: number; burst: number }, now = () => performance.now()) {
  let left = burst;
  let at = now();
  return {
    /** False when there is nothing left. */
    take(): boolean {
      const next = now();
      left = Math.min(burst, left + ((next - at) / 1000) * perSecond);
      at = next;
      if (left < 1) return false;
      left -= 1;
      return true;
    },
  };
}
