// JSON-RPC over postMessage to a page. Objects travel as they are; there is no JSON text on this hop.
import type { Webview } from 'vscode';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Disposable,
  type Message,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node';

export const postConnection = (webview: Webview): MessageConnection =>
  createMessageConnection(new PostReader(webview), new PostWriter(webview));

class PostReader extends AbstractMessageReader implements MessageReader {
  constructor(private readonly webview: Webview) {
    super();
  }

  listen(callback: DataCallback): Disposable {
    return this.webview.onDidReceiveMessage(callback);
  }
}

class PostWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly webview: Webview) {
    super();
  }

  async write(message: Message): Promise<void> {
    await this.webview.postMessage(message);
  }

  end(): void {}
}
