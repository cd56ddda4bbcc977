// Who gets a socket. Decided before the upgrade, so that no page of a browser and no other user ever holds one.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { ProtocolName } from '../protocol';
import { bucket, limits } from './limits';

export const protocolName: ProtocolName = 'espalier.v1';

/** `reason` is for the log; whoever was refused learns the status alone. */
export interface Refusal {
  status: '401 Unauthorized' | '403 Forbidden' | '404 Not Found' | '429 Too Many Requests' | '503 Service Unavailable';
  reason: string;
}

interface Guarded {
  port: number;
  token: string;
  nClients(): number;
}

/** null for a welcome guest. */
export function makeGuards({ port, token, nClients }: Guarded): (request: IncomingMessage) => Refusal | null {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const expected = digest(`Bearer ${token}`);
  const wrongTokens = bucket(limits.refusalsPerSecond);
  return ({ headers, url }) => {
    // Browsers send an Origin with every upgrade, our clients never do.
    if (headers.origin !== undefined) return forbidden('it has an Origin');
    // A name that was rebound to this machine is still another name.
    if (!hosts.includes(headers.host ?? '')) return forbidden('its Host is not this machine');
    if (headers['sec-websocket-protocol'] !== protocolName) return forbidden(`its subprotocol is not ${protocolName}`);
    if (url !== '/') return { status: '404 Not Found', reason: 'there is nothing at its path' };
    // Over hashes, since timingSafeEqual wants equal lengths and the length of the token is nobody's business.
    if (!timingSafeEqual(digest(headers.authorization ?? ''), expected))
      return wrongTokens.take()
        ? { status: '401 Unauthorized', reason: 'its token is missing or wrong' }
        : { status: '429 Too Many Requests', reason: 'too many wrong tokens came' };
    if (nClients() >= limits.clients)
      return { status: '503 Service Unavailable', reason: 'there are too many clients' };
    return null;
  };
}

const forbidden = (reason: string): Refusal => ({ status: '403 Forbidden', reason });

const digest = (text: string) => createHash('sha256').update(text).digest();
