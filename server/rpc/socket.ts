// JSON-RPC over websockets, one message a text frame: the server that upgrades those who pass the guards, the reader and
// the writer that vscode-jsonrpc wants, and the heartbeat that finds sockets whose other end is gone.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
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
import { protocolName, type Refusal } from './guards';
import { bucket, limits } from './limits';

export interface Client {
  reader: MessageReader;
  writer: MessageWriter;
  /** Not yet taken by the network. */
  waitingBytes(): number;
  /** Politely; the other end has a second to agree. */
  close(code: number, reason: string): void;
  closed: Promise<{ code: number }>;
}

export interface Door {
  port: number;
  nClients(): number;
  /** Everybody is sent away. */
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1. Until `open` is called, whoever knocks waits. */
export async function listen(): Promise<
  Omit<Door, 'close'> & {
    open(guard: (request: IncomingMessage) => Refusal | null, onClient: (client: Client) => void, log: Log): Door;
  }
> {
  const http = createServer({ headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 16 << 10 });
  http.maxConnections = limits.connections;
  http.on('request', (_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.frameBytes,
    perMessageDeflate: false,
    handleProtocols: () => protocolName,
  });
  const waiting: Knock[] = [];
  let upgrade: (...knock: Knock) => void = (...knock) => {
    waiting.push(knock);
  };
  http.on('upgrade', (request, stream, head) => {
    stream.on('error', () => stream.destroy());
    upgrade(request, stream, head);
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const { port } = http.address() as AddressInfo;
  const nClients = () => sockets.clients.size;

  return {
    port,
    nClients,
    open(guard, onClient, log) {
      const refusals = bucket(limits.refusalsPerSecond);
      upgrade = (request, stream, head) => {
        const refusal = guard(request);
        if (!refusal) return sockets.handleUpgrade(request, stream, head, (socket) => onClient(clientOf(socket)));
        // A flood must not fill the log as well.
        if (refusals.take()) log(`refused a client, because ${refusal.reason}`);
        stream.end(`HTTP/1.1 ${refusal.status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      };
      for (const knock of waiting.splice(0)) upgrade(...knock);
      return {
        port,
        nClients,
        close: () =>
          new Promise((resolve) => {
            for (const socket of sockets.clients) socket.close(1001, 'The server ends.');
            setTimeout(() => {
              for (const socket of sockets.clients) socket.terminate();
              http.closeAllConnections();
            }, 200).unref();
            http.close(() => resolve());
          }),
      };
    },
  };
}

type Knock = [IncomingMessage, Duplex, Buffer];

export type Log = (text: string) => void;

function clientOf(socket: WebSocket): Client {
  const close = (code: number, reason: string) => {
    socket.close(code, reason);
    const end = setTimeout(() => socket.terminate(), 1_000);
    socket.once('close', () => clearTimeout(end));
  };

  let alive = true;
  socket.on('pong', () => {
    alive = true;
  });
  const heart = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, limits.pingMs);

  return {
    reader: new SocketReader(socket, close),
    writer: new SocketWriter(socket),
    waitingBytes: () => socket.bufferedAmount,
    close,
    closed: new Promise((resolve) => {
      socket.once('close', (code) => {
        clearInterval(heart);
        resolve({ code });
      });
    }),
  };
}

/** Messages that arrive before listen() wait for it. What is no message is answered here, since nobody else would. */
class SocketReader extends AbstractMessageReader implements MessageReader {
  private readonly early: Message[] = [];
  private callback: DataCallback = (message) => void this.early.push(message);
  private readonly messages = bucket(limits.messagesPerSecond);

  constructor(
    private readonly socket: WebSocket,
    private readonly closeSocket: Client['close'],
  ) {
    super();
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    socket.on('error', (error) => this.fireError(error));
    socket.on('close', () => this.fireClose());
  }

  listen(callback: DataCallback): Disposable {
    this.callback = callback;
    for (const message of this.early.splice(0)) callback(message);
    return {
      dispose: () => {
        this.callback = () => {};
      },
    };
  }

  private receive(data: RawData, isBinary: boolean): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (!this.messages.take()) {
      this.closeSocket(1008, 'Too many messages.');
      return;
    }
    const message = isBinary ? undefined : parsed(data.toString());
    if (message === undefined) this.refuse(null, ErrorCodes.ParseError, 'A frame was not JSON text.');
    else if (isMessage(message)) this.callback(message);
    else this.refuse(idOf(message), ErrorCodes.InvalidRequest, 'A frame was not a JSON-RPC message.');
  }

  private refuse(id: string | number | null, code: number, message: string): void {
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, error: { code, message, data: { code: 'usage' } } }));
  }
}

/** A write to a socket that is not open is an error, never silence: else a request would wait for ever. */
class SocketWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly socket: WebSocket) {
    super();
    socket.on('close', () => this.fireClose());
  }

  write(message: Message): Promise<void> {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('The socket is not open.'));
    return new Promise((resolve, reject) => {
      this.socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve()));
    });
  }

  end(): void {
    this.socket.close(1000);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

type Fields = {
  jsonrpc?: unknown;
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
};

/** A request, a notification or a response, as JSON-RPC 2.0 has them; vscode-jsonrpc throws where a cancel names no id. */
function isMessage(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null) return false;
  const { jsonrpc, id, method, params, result, error } = value as Fields;
  if (jsonrpc !== '2.0') return false;
  if (method === undefined) return isId(id) && (result === undefined) !== (error === undefined);
  const paramsFit = params === undefined || (typeof params === 'object' && params !== null);
  if (method === '$/cancelRequest' && !(paramsFit && isId((params as Fields | undefined)?.id))) return false;
  return typeof method === 'string' && (id === undefined || isId(id)) && paramsFit;
}

const isId = (id: unknown): id is string | number => typeof id === 'string' || typeof id === 'number';

function idOf(value: unknown): string | number | null {
  const id = typeof value === 'object' && value !== null ? (value as Fields).id : null;
  return isId(id) ? id : null;
}
