// The page's end of the conversation with the extension host: JSON-RPC over postMessage, typed by protocol/pages/.
// Objects travel as they are (structured clone); there is no JSON text on this hop.
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageReader,
  type MessageWriter,
  ResponseError,
} from 'vscode-jsonrpc/browser';
import type {
  MemoryOf,
  PageNotifications,
  PageProtocol,
  ParamsOf,
  RequestsOf,
  ResultOf,
} from '../server/protocol/pages/page';

/** `P`: the page, whose file in protocol/pages/ says what may be asked and heard. */
export interface Host<P extends PageProtocol> {
  ask<M extends keyof RequestsOf<P> & string>(method: M, params: ParamsOf<P, M>): Promise<ResultOf<P, M>>;
  tell<M extends keyof PageNotifications>(method: M, params: PageNotifications[M]): void;
  on<M extends keyof P['notifications'] & string>(method: M, listener: (params: P['notifications'][M]) => void): void;
  /** Kept by the window over its reloads, and handed to the host's serializer. */
  remember(memory: MemoryOf<P>): void;
}

interface WindowApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): WindowApi;

/** Once a page: the window hands out its interface a single time. */
export function connectHost<P extends PageProtocol>(): Host<P> {
  const api = acquireVsCodeApi();
  const connection = createMessageConnection(new PostReader(), new PostWriter(api));
  connection.listen();
  return {
    ask: (method, params) => connection.sendRequest(method, params),
    // A page that is going away cannot be told so; what it still had to say is lost with it.
    tell: (method, params) => void connection.sendNotification(method, params).catch(() => {}),
    on: (method, listener) => void connection.onNotification(method, listener),
    remember: (memory) => api.setState(memory),
  };
}

/** A question that a newer one has ended is no failure. */
export const wasSuperseded = (error: unknown): boolean =>
  error instanceof ResponseError &&
  (error.data?.code === 'superseded' || error.data?.code === 'cancelled' || error.message === 'superseded');

class PostReader extends AbstractMessageReader implements MessageReader {
  listen(callback: DataCallback): Disposable {
    const hear = ({ data }: MessageEvent) => {
      if (isRpc(data)) callback(data);
    };
    window.addEventListener('message', hear);
    return { dispose: () => window.removeEventListener('message', hear) };
  }
}

class PostWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly api: WindowApi) {
    super();
  }

  async write(message: Message): Promise<void> {
    this.api.postMessage(message);
  }

  end(): void {}
}

/** Other things may post to the window, too: the editor itself, and browser tools. */
const isRpc = (data: unknown): data is Message =>
  typeof data === 'object' && data !== null && (data as { jsonrpc?: unknown }).jsonrpc === '2.0';
