// A page in a panel: the document under its strict policy, and the typed conversation with it.
import { randomBytes } from 'node:crypto';
import { commands, type Disposable, env, type LogOutputChannel, Uri, type WebviewPanel } from 'vscode';
import { ResponseError } from 'vscode-jsonrpc/node';
import { isUserError } from '../../server/errors';
import type { PageNotifications, PageProtocol, ParamsOf, ResultOf } from '../../server/protocol/pages/page';
import type { Connection } from '../connection';
import type { PageName } from './names';
import { postConnection } from './post';

/** What the host answers to a page; what every page may ask is answered here. */
export type Answers<P extends PageProtocol> = {
  [M in 'page/open' | keyof P['requests']]: (params: ParamsOf<P, M>) => Promise<ResultOf<P, M>> | ResultOf<P, M>;
};

export interface PageSurroundings {
  readonly dist: Uri;
  readonly log: LogOutputChannel;
  readonly connection: Connection;
}

export interface Page<P extends PageProtocol> extends Disposable {
  notify<M extends keyof P['notifications']>(method: M, params: P['notifications'][M]): void;
  /** Sends a state at most every so often, and always the newest. */
  notifyState<M extends keyof P['notifications']>(method: M, state: () => P['notifications'][M]): void;
}

/** A page redraws all of it with every state: twenty a second look as smooth as more. */
const stateEveryMs = 50;

export function openPage<P extends PageProtocol>(
  panel: WebviewPanel,
  name: P['name'] & PageName,
  { dist, log, connection: server }: PageSurroundings,
  answers: Answers<P>,
): Page<P> {
  let openedAtEpochMs = Date.now();
  panel.webview.options = { enableScripts: true, localResourceRoots: [dist] };
  const connection = postConnection(panel.webview);
  let refused = false;
  const all: Record<string, unknown> = {
    'text/copy': async ({ text }: { text: string }) => {
      await env.clipboard.writeText(text);
      return null;
    },
    async 'log/open'() {
      await commands.executeCommand('espalier.showLog');
      return null;
    },
    async 'server/restart'() {
      await commands.executeCommand('espalier.restartServer');
      return null;
    },
    ...answers,
  };
  connection.onRequest(async (method: string, params: unknown) => {
    const answer = Object.hasOwn(all, method) ? all[method] : undefined;
    if (!answer) throw new ResponseError(-32601, `This panel does not answer ${method}.`);
    try {
      return await (answer as (params: unknown) => unknown)(params);
    } catch (error) {
      refused ||= method === 'page/open';
      throw forPage(error, (text) => log.error(`${name}: ${method}: ${text}`));
    }
  });
  const hear: { [M in keyof PageNotifications]: (params: PageNotifications[M]) => void } = {
    'page/painted': ({ atEpochMs, scriptMs }) =>
      log.info(
        `page ${name} painted ${Math.round(atEpochMs - openedAtEpochMs)} ms after it was opened, its script took ${Math.round(scriptMs)} ms`,
      ),
    'page/violation': (violation) => log.warn(`page ${name} policy violation ${JSON.stringify(violation)}`),
    'page/error': ({ message, stack }) => log.error(`page ${name} error ${message}\n${stack}`),
  };
  for (const [method, listener] of Object.entries(hear)) connection.onNotification(method, listener);
  connection.listen();
  panel.webview.html = documentOf(panel, name, dist);
  // A page that is not seen is gone, and is made anew when it is seen again.
  let visible = panel.visible;
  const watching = panel.onDidChangeViewState(() => {
    if (panel.visible && !visible) openedAtEpochMs = Date.now();
    visible = panel.visible;
  });
  // A page that could not be opened only shows why; with a connection it can try again.
  const listening = server.onState(({ state }) => {
    if (state !== 'connected' || !refused) return;
    refused = false;
    panel.webview.html = documentOf(panel, name, dist);
  });

  const timers = new Map<PropertyKey, NodeJS.Timeout>();
  const notify: Page<P>['notify'] = (method, params) =>
    void connection.sendNotification(method as string, params).catch(() => {});
  return {
    notify,
    notifyState(method, state) {
      if (timers.has(method)) return;
      timers.set(
        method,
        setTimeout(() => {
          timers.delete(method);
          notify(method, state());
        }, stateEveryMs),
      );
    },
    dispose() {
      for (const timer of timers.values()) clearTimeout(timer);
      listening.dispose();
      watching.dispose();
      connection.dispose();
    },
  };
}

/** The server's errors keep their data; ours get some; anything else is a defect and goes to the log. */
function forPage(error: unknown, logged: (text: string) => void): ResponseError<unknown> {
  if (error instanceof ResponseError) return error;
  const { message, code, data } = error as { message?: string; code?: unknown; data?: unknown };
  if (isUserError(error)) return new ResponseError(-32803, error.message, { code: error.code });
  if (typeof code === 'number' && message !== undefined) return new ResponseError(code, message, data);
  logged(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return new ResponseError(-32603, message ?? String(error), { code: 'internal' });
}

function documentOf({ webview }: WebviewPanel, name: PageName, dist: Uri): string {
  const nonce = randomBytes(16).toString('base64');
  const file = (path: string) => webview.asWebviewUri(Uri.joinPath(dist, path)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `font-src ${webview.cspSource}`,
    `img-src ${webview.cspSource}`,
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Espalier</title>
<link rel="stylesheet" href="${file('webview.css')}">
</head>
<body data-page="${name}">
<main></main>
<script nonce="${nonce}" src="${file('webview.js')}"></script>
</body>
</html>`;
}
