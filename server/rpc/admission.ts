// The door of the server: who connects is a guest at first, an upgrade is refused or answered with the server's proof, and
// with a proof of its own a guest becomes a client.
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { answerTo, nonceHeader } from '../protocol/proof';
import type { ServerLock } from '../protocol/server';
import { allowance, guard, guestLimits, loggedRefusals, maxClients } from './guards';
import { openGuests } from './guests';
import type { ClientSocket, Sockets } from './socket';

export interface AdmissionWiring {
  readonly lock: ServerLock;
  readonly sockets: Sockets;
  /** A client would be disconnected in a moment. */
  isLeaving(): boolean;
  onClient(client: ClientSocket): void;
  log(text: string): void;
}

/** Returns how to send away all who have shown no proof. */
export function admitClients(http: Server, { lock, sockets, isLeaving, onClient, log }: AdmissionWiring): () => void {
  const { port, token } = lock;
  const refuse = guard(port);
  const guests = openGuests(guestLimits);
  // Whoever asks again and again does not fill the disk.
  const lines = allowance(loggedRefusals);
  const turnAway = (stream: Duplex, status: string, headers: Record<string, string> = {}) => {
    if (lines.take()) log(`refused: ${status}`);
    const said = { connection: 'close', 'content-length': '0', ...headers };
    const head = Object.entries(said).map(([name, value]) => `${name}: ${value}\r\n`);
    stream.end(`HTTP/1.1 ${status}\r\n${head.join('')}\r\n`, () => stream.destroy());
  };
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => {});
    const refusal = refuse(request.headers, request.url ?? '');
    if (refusal) return turnAway(stream, refusal);
    const { headers, expects } = answerTo(String(request.headers[nonceHeader]), token);
    if (isLeaving() || sockets.nClients() >= maxClients) return turnAway(stream, '503 Service Unavailable', headers);
    sockets.accept({ request, stream, head }, { headers, expects }, (client) => {
      guests.letIn(request.socket);
      onClient(client);
    });
  };
  http.on('connection', guests.admit);
  http.on('upgrade', onUpgrade);
  return guests.sendAway;
}
