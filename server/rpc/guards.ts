// Which upgrades are answered at all, and how much a client may send. Browsers always send an Origin and are refused for it;
// a page that rebinds its name to loopback still names itself in Host. Whoever is left has to show that it knows the token.
import type { IncomingHttpHeaders } from 'node:http';
import { protocolName } from '../protocol/compatibility';
import { isNonce, nonceHeader } from '../protocol/proof';
import type { GuestLimits } from './guests';

/** The largest message. */
export const maxPayloadBytes = 4 * 2 ** 20;
/** Of those with a proof. */
export const maxClients = 32;
/** Messages of one connection: bursts of `burst`, `perSecond` in the long run. */
export const messageRate = { perSecond: 200, burst: 400 };
/** A proof takes a client of ours milliseconds; a busy window has this long. */
export const guestLimits: GuestLimits = { most: 64, withinMs: 3000 };
/** The request for an upgrade and the proof; nothing longer is read of a guest. */
export const maxGuestBytes = 4096;
export const loggedRefusals = { perSecond: 0.2, burst: 20 };

export type Refusal = '401 Unauthorized' | '403 Forbidden' | '404 Not Found';

/** The first reason to refuse a request for an upgrade; null: it is answered. */
export function guard(port: number): (headers: IncomingHttpHeaders, url: string) => Refusal | null {
  const hosts = ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port}`);
  return (headers, url) => {
    if (headers.origin !== undefined) return '403 Forbidden';
    if (!hosts.includes(headers.host ?? '')) return '403 Forbidden';
    if (url !== '/') return '404 Not Found';
    if (headers['sec-websocket-protocol'] !== protocolName) return '403 Forbidden';
    return isNonce(headers[nonceHeader]) ? null : '401 Unauthorized';
  };
}

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
