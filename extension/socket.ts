// JSON-RPC over a websocket to the compute server: one JSON message a text frame. Messages that arrive before listen()
// wait; a write on a socket that is not open is an error, never silence.
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node';
import { WebSocket } from 'ws';
import type { ServerLock } from '../server/protocol/server';

export interface SocketTransports {
  readonly reader: MessageReader;
  readonly writer: MessageWriter;
}

/** Larger than any report: the server's messages are trusted, and analyses of deep models are long. */
const maxPayloadBytes = 64 << 20;

/** A dead socket is found after two unanswered pings; a single one may be missed by a busy window. */
const pingEveryMs = 3000;
const mostMissed = 2;

export function openSocket({ port, token, protocol }: ServerLock): Promise<SocketTransports> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, protocol, {
    headers: { authorization: `Bearer ${token}` },
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    handshakeTimeout: 5000,
  });
  // The reader listens before the first byte can arrive.
  const transports = { reader: new SocketReader(socket), writer: new SocketWriter(socket) };
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      watch(socket);
      resolve(transports);
    });
    socket.once('error', reject);
  });
}

function watch(socket: WebSocket): void {
  let missed = 0;
  const onAlive = () => {
    missed = 0;
  };
  const timer = setInterval(() => {
    if (missed >= mostMissed) return socket.terminate();
    missed += 1;
    socket.ping();
  }, pingEveryMs);
  socket.on('pong', onAlive);
  socket.on('message', onAlive);
  socket.once('close', () => clearInterval(timer));
}

class SocketReader extends AbstractMessageReader implements MessageReader {
  private callback: DataCallback | null = null;
  private readonly waiting: Message[] = [];

  constructor(socket: WebSocket) {
    super();
    socket.on('message', (data, isBinary) => {
      if (isBinary) return this.fireError(new Error('a binary frame'));
      let message: Message;
      try {
        message = JSON.parse(data.toString()) as Message;
      } catch (error) {
        return this.fireError(error);
      }
      if (this.callback) this.callback(message);
      else this.waiting.push(message);
    });
    socket.on('error', (error) => this.fireError(error));
    socket.on('close', () => this.fireClose());
  }

  listen(callback: DataCallback): Disposable {
    this.callback = callback;
    for (const message of this.waiting.splice(0)) callback(message);
    return {
      dispose: () => {
        this.callback = null;
      },
    };
  }
}

class SocketWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly socket: WebSocket) {
    super();
    socket.on('close', () => this.fireClose());
  }

  write(message: Message): Promise<void> {
    const { socket } = this;
    if (socket.readyState !== WebSocket.OPEN) return Promise.reject(new Error('The compute server is not connected.'));
    return new Promise((resolve, reject) =>
      socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve())),
    );
  }

  end(): void {
    this.socket.close(1000);
  }
}
