// JSON-RPC over a websocket, the server's end: a proof as the first frame, then one JSON message a text frame. Messages that
// arrive before listen() wait; a write on a socket that is not open is an error, never silence.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Disposable,
  ErrorCodes,
  type Message,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { protocolName } from '../protocol/compatibility';
import { isProof } from '../protocol/proof';
import { allowance, maxClients, maxGuestBytes, maxPayloadBytes, messageRate } from './guards';

/** One connected client. */
export interface ClientSocket {
  readonly reader: MessageReader;
  readonly writer: MessageWriter;
  /** Bytes that the client has not taken yet. */
  waitingBytes(): number;
  close(code?: number, reason?: string): void;
  onClose(listener: () => void): void;
}

/** A ping is sent this often; a client that has not answered it before the next one is disconnected. */
const pingMs = 4000;

/** What the peer of a socket that is told to close has for its answer. */
const farewellMs = 300;

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly stream: Duplex;
  readonly head: Buffer;
}

/** What the server answers to an upgrade, and what it waits for. */
export interface Challenge {
  readonly headers: Readonly<Record<string, string>>;
  readonly expects: string;
}

export type Sockets = ReturnType<typeof openSockets>;

/** Turns accepted upgrades into clients. */
export function openSockets() {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: maxPayloadBytes,
    perMessageDeflate: false,
    handleProtocols: () => protocolName,
  });
  const challenges = new WeakMap<IncomingMessage, Challenge>();
  server.on('headers', (lines, request) => {
    for (const [name, value] of Object.entries(challenges.get(request)!.headers)) lines.push(`${name}: ${value}`);
  });
  const clients = new Set<WebSocket>();
  const answered = new WeakSet<WebSocket>();
  const pinging = setInterval(() => {
    for (const socket of clients) {
      if (!answered.delete(socket)) socket.terminate();
      else socket.ping(() => {});
    }
  }, pingMs);
  const welcome = (socket: WebSocket): ClientSocket => {
    clients.add(socket);
    answered.add(socket);
    socket.on('pong', () => answered.add(socket));
    socket.on('close', () => clients.delete(socket));
    return clientOf(socket);
  };
  return {
    /** Those with a proof. */
    nClients: () => clients.size,
    accept({ request, stream, head }: Upgrade, challenge: Challenge, onClient: (client: ClientSocket) => void) {
      challenges.set(request, challenge);
      server.handleUpgrade(request, stream, head, (socket) => {
        // An error also closes the socket.
        socket.on('error', () => {});
        const unlimit = limitBytes(stream, () => socket.terminate());
        socket.once('message', (data, isBinary) => {
          if (isBinary || !isProof(data.toString(), challenge.expects)) return socket.terminate();
          unlimit();
          if (clients.size >= maxClients) socket.close(1013, 'too many clients');
          else onClient(welcome(socket));
        });
      });
    },
    /** Ends the pinging and every connection. */
    close() {
      clearInterval(pinging);
      for (const socket of clients) socket.close(1001);
      setTimeout(() => {
        for (const socket of clients) socket.terminate();
      }, farewellMs).unref();
      server.close();
    },
  };
}

/** Ends a guest that sends more than a proof. What comes in one piece with the proof is read behind it, and is not counted. */
function limitBytes(stream: Duplex, end: () => void): () => void {
  let nBytes = 0;
  let isGuest = true;
  const count = (piece: Buffer) => {
    nBytes += piece.length;
    if (isGuest && nBytes > maxGuestBytes) end();
  };
  stream.on('data', count);
  return () => {
    // The piece that held the proof is still handed to this listener.
    isGuest = false;
    stream.off('data', count);
  };
}

const clientOf = (socket: WebSocket): ClientSocket => ({
  reader: new SocketReader(socket),
  writer: new SocketWriter(socket),
  waitingBytes: () => socket.bufferedAmount,
  close: (code = 1000, reason = '') => socket.close(code, reason),
  onClose: (listener) => void socket.on('close', listener),
});

export class SocketReader extends AbstractMessageReader implements MessageReader {
  private readonly waiting: Message[] = [];
  private callback: DataCallback | undefined;
  private readonly allowed = allowance(messageRate);

  constructor(private readonly socket: WebSocket) {
    super();
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    socket.on('error', (error) => this.fireError(error));
    socket.on('close', () => this.fireClose());
  }

  listen(callback: DataCallback): Disposable {
    this.callback = callback;
    for (const message of this.waiting.splice(0)) callback(message);
    return { dispose: () => (this.callback = undefined) };
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (!this.allowed.take()) this.socket.close(1008, 'too many messages');
    else if (isBinary) this.socket.close(1003, 'text frames only');
    else this.pass(data.toString());
  }

  private pass(text: string): void {
    const message = parsed(text);
    if (message === undefined) this.refuse(null, ErrorCodes.ParseError, 'A frame was not JSON.');
    else if (!isMessage(message))
      this.refuse(idOf(message), ErrorCodes.InvalidRequest, 'A frame was not a JSON-RPC message.');
    else if (this.callback) this.callback(message);
    else this.waiting.push(message);
  }

  /** Answers a message that the connection would not understand. */
  private refuse(id: string | number | null, code: number, message: string): void {
    this.socket.send(
      JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data: { code: 'usage' } } }),
      () => {},
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Fields = { [name in 'jsonrpc' | 'id' | 'method' | 'params' | 'result' | 'error']?: unknown };

/**
 * A request, a notification or a response of JSON-RPC 2.0. vscode-jsonrpc throws at the socket when a cancel names no
 * request, and leaves what it does not recognise unanswered.
 */
function isMessage(value: unknown): value is Message {
  if (!isFields(value) || value.jsonrpc !== '2.0') return false;
  const { id, method, params, result, error } = value;
  // An answer to what had no id has none either, and is not answered in turn.
  if (method === undefined) return (id === null || isId(id)) && (result === undefined) !== (error === undefined);
  if (typeof method !== 'string' || !(id === undefined || isId(id))) return false;
  return method !== '$/cancelRequest' || (isFields(params) && isId(params.id));
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;
const isId = (id: unknown): id is string | number => typeof id === 'string' || typeof id === 'number';
const idOf = (value: unknown) => (isFields(value) && isId(value.id) ? value.id : null);

export class SocketWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly socket: WebSocket) {
    super();
    socket.on('close', () => this.fireClose());
  }

  write(message: Message): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('The socket is not open.'));
    return new Promise((resolve, reject) =>
      this.socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve())),
    );
  }

  end(): void {
    this.socket.close(1000);
  }
}
