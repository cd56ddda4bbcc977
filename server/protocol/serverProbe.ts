// What listens on a server's port, asked where its process alone does not tell: the number may be another program's by now.
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { protocolName } from './compatibility';
import { isAlive, standingOf } from './processIdentity';
import { newNonce, nonceHeader, replyTo } from './proof';
import type { ServerLock } from './server';
import type { EarlierLock } from './serverLock';

/** Whether the server that wrote the lock file of this place lives. */
export async function isServing(lock: ServerLock): Promise<boolean> {
  const standing = standingOf(lock);
  return standing === 'lives' || (standing === 'unsure' && (await listenerOn(lock)) !== 'another');
}

/** The same of a server of an earlier protocol. */
export const earlierServes = async ({ pid, port }: EarlierLock): Promise<boolean> =>
  isAlive(pid) && (await accepts(port));

/** `silent`: something is there, and does not answer in time; a server may be that busy. */
type Listener = 'theServer' | 'silent' | 'another';

const withinMs = 2000;

/** Asks for an upgrade, as a client does, and goes when it has the answer. */
function listenerOn({ port, token }: { port: number; token: string }): Promise<Listener> {
  const nonce = newNonce();
  return new Promise((resolve) => {
    const asking = request({
      host: '127.0.0.1',
      port,
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': randomBytes(16).toString('base64'),
        'sec-websocket-protocol': protocolName,
        [nonceHeader]: nonce,
      },
    });
    const answer = (listener: Listener) => {
      clearTimeout(timer);
      asking.destroy();
      resolve(listener);
    };
    const timer = setTimeout(() => answer('silent'), withinMs);
    const judge = (headers: Readonly<Record<string, unknown>>) =>
      answer(replyTo(headers, nonce, token) === null ? 'another' : 'theServer');
    asking.on('upgrade', ({ headers }, stream) => {
      stream.destroy();
      judge(headers);
    });
    // A server that is full says so, and proves that it is the one.
    asking.on('response', ({ headers }) => judge(headers));
    asking.on('error', () => answer('another'));
    asking.end();
  });
}

/** Whether anything listens: all that can be asked of servers of earlier protocols without showing them the token. */
const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ port, host: '127.0.0.1', timeout: withinMs });
    const answer = (yes: boolean) => {
      probe.destroy();
      resolve(yes);
    };
    probe.once('connect', () => answer(true));
    probe.once('timeout', () => answer(true));
    probe.once('error', () => answer(false));
  });
