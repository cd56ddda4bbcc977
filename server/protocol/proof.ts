// How the two ends of a connection show each other that they know the token of the lock file, which itself never crosses the
// wire. The client sends a nonce with its request for an upgrade. The server answers with a nonce of its own and its proof
// over both; the client's proof is its first frame. A change here needs a new protocol version.
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { protocolName } from './compatibility';

export type Role = 'server' | 'client';

export interface Nonces {
  readonly client: string;
  readonly server: string;
}

/** Headers of the upgrade: each end's nonce, and the server's proof. */
export const nonceHeader = 'espalier-nonce';
export const proofHeader = 'espalier-proof';

/** 256 random bits; a proof is over two of them, so that none can be sent again. */
export const newNonce = (): string => randomBytes(32).toString('base64url');

export const isNonce = (text: unknown): text is string => typeof text === 'string' && /^[\w-]{43}$/.test(text);

/** HMAC-SHA256 with the token as key. The role keeps an end from sending the other's proof back to it. */
export const proofOf = (role: Role, token: string, { client, server }: Nonces): string =>
  createHmac('sha256', token).update(`${protocolName}\0${role}\0${client}\0${server}`).digest('base64url');

/** Takes the same time wherever the two differ: digests have one length, whatever was sent. */
export const isProof = (given: unknown, expected: string): boolean =>
  timingSafeEqual(digest(typeof given === 'string' ? given : ''), digest(expected));

const digest = (text: string) => createHash('sha256').update(text).digest();

/** The server's answer to a client's nonce: the headers to send, and the proof to wait for. */
export function answerTo(clientNonce: string, token: string): { headers: Record<string, string>; expects: string } {
  const nonces = { client: clientNonce, server: newNonce() };
  return {
    headers: { [nonceHeader]: nonces.server, [proofHeader]: proofOf('server', token, nonces) },
    expects: proofOf('client', token, nonces),
  };
}

/** The client's proof for a server whose answer proves that it is the one of the lock file; null: it is another program. */
export function replyTo(headers: Readonly<Record<string, unknown>>, clientNonce: string, token: string): string | null {
  const server = headers[nonceHeader];
  if (!isNonce(server)) return null;
  const nonces = { client: clientNonce, server };
  return isProof(headers[proofHeader], proofOf('server', token, nonces)) ? proofOf('client', token, nonces) : null;
}
