// JSON-RPC over a websocket to the compute server: a proof as the first frame, then one JSON message a text frame. Nothing is
// said to a program that does not prove that it is the server, and of the server nothing is heard but answers and the
// notifications that we know. A write on a socket that is not open is an error, never silence.
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
import { WebSocket } from 'ws';
import { UserError } from '../server/errors';
import { protocolName } from '../server/protocol/compatibility';
import { newNonce, nonceHeader, replyTo } from '../server/protocol/proof';
import type { ServerLock, ServerNotifications } from '../server/protocol/server';

export interface SocketTransports {
  readonly reader: MessageReader;
  readonly writer: MessageWriter;
}

/** Larger than any report: the server's messages are trusted, and analyses of deep models are long. */
const maxPayloadBytes = 64 << 20;

/** A dead socket is found after two unanswered pings; a single one may be missed by a busy window. */
const pingEveryMs = 3000;
const mostMissed = 2;

/** What the server may say without being asked. A language client would carry out far more, down to editing files. */
export const notifications = [
  'runs/events',
  'runs/changed',
  'runs/estimate',
] as const satisfies (keyof ServerNotifications)[];

/** Rejects with a UserError where another program answers. */
export function openSocket({ port, token }: ServerLock): Promise<SocketTransports> {
  const nonce = newNonce();
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, protocolName, {
    headers: { [nonceHeader]: nonce },
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    handshakeTimeout: 5000,
  });
  // The reader listens before the first byte can arrive.
  const writer = new SocketWriter(socket);
  const transports = { reader: new SocketReader(socket, writer), writer };
  return new Promise((resolve, reject) => {
    let proof: string | null = null;
    // Before the socket opens, so that no frame of another program is ever read.
    socket.once('upgrade', ({ headers }) => {
      proof = replyTo(headers, nonce, token);
      if (proof !== null) return;
      reject(anotherProgram(port));
      socket.terminate();
    });
    socket.once('open', () => {
      socket.send(proof!, () => {});
      watch(socket);
      resolve(transports);
    });
    socket.once('error', reject);
  });
}

const anotherProgram = (port: number) =>
  new UserError(
    'device',
    `Another program than the compute server answers on port ${port}, and is told nothing; restart the server.`,
  );

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

  constructor(
    socket: WebSocket,
    private readonly writer: MessageWriter,
  ) {
    super();
    socket.on('message', (data, isBinary) => {
      if (isBinary) return this.fireError(new Error('a binary frame'));
      try {
        this.receive(JSON.parse(data.toString()));
      } catch (error) {
        this.fireError(error);
      }
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

  private receive(message: (Message & { id?: unknown; method?: unknown }) | null): void {
    if (typeof message !== 'object' || message === null) throw new Error('a frame that is no message');
    const { id, method } = message;
    if (method !== undefined && (id !== undefined || !isHeard(method))) this.refuse(id, method);
    else if (this.callback) this.callback(message);
    else this.waiting.push(message);
  }

  /** We have no methods: a request is answered so, anything else is passed over. */
  private refuse(id: unknown, method: unknown): void {
    this.fireError(new Error(`the server sent ${String(method).slice(0, 100)}, which is passed over`));
    if (typeof id !== 'string' && typeof id !== 'number') return;
    const error = { code: ErrorCodes.MethodNotFound, message: 'A client of this server has no methods.' };
    this.writer.write({ jsonrpc: '2.0', id, error } as Message).catch(() => {});
  }
}

const isHeard = (method: unknown) => (notifications as readonly unknown[]).includes(method);

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
