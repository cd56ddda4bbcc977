// A page in a panel: the document under its strict policy, and the typed conversation with it.
import { randomBytes } from 'node:crypto';
import { commands, type Disposable, env, type LogOutputChannel, Uri, type WebviewPanel } from 'vscode';
import { type MessageConnection, ResponseError } from 'vscode-jsonrpc/node';
import { isUserError } from '../../server/errors';
import type { PageNotifications, PageProtocol, ParamsOf, ResultOf } from '../../server/protocol/pages/page';
import type { PanelHost } from './pages';
import { postConnection } from './post';

/** What the host answers to a page, besides what every page may ask. */
export type Answers<P extends PageProtocol> = {
  /** Everything the page shows. */
  'page/open': () => Promise<P['state']>;
} & {
  [M in keyof P['requests']]: (params: ParamsOf<P, M>) => Promise<ResultOf<P, M>> | ResultOf<P, M>;
};

export interface Page<P extends PageProtocol> extends Disposable {
  notify<M extends keyof P['notifications']>(method: M, params: P['notifications'][M]): void;
  /** Sends the newest state, at most once in an interval. */
  notifyState<M extends keyof P['notifications']>(method: M, state: () => P['notifications'][M]): void;
}

export function openPage<P extends PageProtocol>(
  panel: WebviewPanel,
  name: P['name'],
  host: Pick<PanelHost, 'dist' | 'log' | 'connection'>,
  answers: Answers<P>,
): Page<P> {
  const { dist, log } = host;
  const show = () => {
    panel.webview.html = documentOf(panel, name, dist);
  };
  panel.webview.options = { enableScripts: true, localResourceRoots: [dist] };
  const connection = postConnection(panel.webview);
  let refused = false;
  answerRequests(connection, { ...commonAnswers, ...pageAnswers(name, answers) }, (method, error) => {
    refused ||= method === 'page/open';
    return forPage(error, (text) => log.error(`${name}: ${method}: ${text}`));
  });
  const watching = logReports(connection, panel, name, log);
  connection.listen();
  show();
  // A page that could not be opened shows only the reason; it tries again after the next connection.
  const listening = host.connection.onState(({ state }) => {
    if (state !== 'connected' || !refused) return;
    refused = false;
    show();
  });
  const notify: Page<P>['notify'] = (method, params) =>
    void connection.sendNotification(method as string, params).catch(() => {});
  const later = openThrottle();
  return {
    notify,
    notifyState: (method, state) => later.run(method, () => notify(method, state())),
    dispose() {
      for (const each of [later, listening, watching, connection]) each.dispose();
    },
  };
}

type Answer = (params: never) => unknown;

/** What every page may ask. */
const commonAnswers: Record<string, Answer> = {
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
};

const pageAnswers = <P extends PageProtocol>(name: P['name'], answers: Answers<P>): Record<string, Answer> => ({
  ...answers,
  'page/open': async () => ({ page: name, state: await answers['page/open']() }),
});

function answerRequests(
  connection: MessageConnection,
  answers: Record<string, Answer>,
  failed: (method: string, error: unknown) => ResponseError<unknown>,
): void {
  connection.onRequest(async (method: string, params: unknown) => {
    const answer = Object.hasOwn(answers, method) ? answers[method] : undefined;
    if (!answer) throw new ResponseError(-32601, `This panel does not answer ${method}.`);
    try {
      return await answer(params as never);
    } catch (error) {
      throw failed(method, error);
    }
  });
}

/** What the page reports of itself goes to the log. */
function logReports(
  connection: MessageConnection,
  panel: WebviewPanel,
  name: string,
  log: LogOutputChannel,
): Disposable {
  let openedAtEpochMs = Date.now();
  const onReport: { [M in keyof PageNotifications]: (params: PageNotifications[M]) => void } = {
    'page/painted': ({ atEpochMs, scriptMs }) =>
      log.info(
        `page ${name} painted ${Math.round(atEpochMs - openedAtEpochMs)} ms after it was opened, its script took ${Math.round(scriptMs)} ms`,
      ),
    'page/violation': (violation) => log.warn(`page ${name} policy violation ${JSON.stringify(violation)}`),
    'page/error': ({ message, stack }) => log.error(`page ${name} error ${message}\n${stack}`),
  };
  for (const [method, listener] of Object.entries(onReport)) connection.onNotification(method, listener);
  // The editor discards a hidden page and makes it anew when it is shown again.
  let visible = panel.visible;
  return panel.onDidChangeViewState(() => {
    if (panel.visible && !visible) openedAtEpochMs = Date.now();
    visible = panel.visible;
  });
}

/** A page redraws all of itself with every state; twenty states a second look smooth. */
const stateEveryMs = 50;

/** Runs at most one action of a name in each interval and skips the others. */
function openThrottle(): Disposable & { run(name: PropertyKey, action: () => void): void } {
  const timers = new Map<PropertyKey, NodeJS.Timeout>();
  return {
    run(name, action) {
      if (timers.has(name)) return;
      const timer = setTimeout(() => {
        timers.delete(name);
        action();
      }, stateEveryMs);
      timers.set(name, timer);
    },
    dispose() {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

/** Errors of the server keep their data, a UserError gets its code as data, and anything else is a defect for the log. */
function forPage(error: unknown, logged: (text: string) => void): ResponseError<unknown> {
  if (error instanceof ResponseError) return error;
  const { message, code, data } = error as { message?: string; code?: unknown; data?: unknown };
  if (isUserError(error)) return new ResponseError(-32803, error.message, { code: error.code });
  if (typeof code === 'number' && message !== undefined) return new ResponseError(code, message, data);
  logged(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return new ResponseError(-32603, message ?? String(error), { code: 'internal' });
}

function documentOf({ webview }: WebviewPanel, name: string, dist: Uri): string {
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
