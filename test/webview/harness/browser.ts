// A page of ours in a real browser, under the policy it has in the editor, with the test as its host: JSON-RPC over
// postMessage on both sides. Everything the page told, asked or was refused is kept for the test to look at.
import { createServer, type Server } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
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
import type { ChooseBlocksPage } from '../../../server/protocol/pages/chooseBlocks';
import type { EvaluatePage } from '../../../server/protocol/pages/evaluate';
import type { HealPage } from '../../../server/protocol/pages/heal';
import type { CommonRequests, PageNotifications } from '../../../server/protocol/pages/page';
import type { RunPage } from '../../../server/protocol/pages/run';
import type { PublishPage } from '../../../server/protocol/pages/publish';
import type { TryPage } from '../../../server/protocol/pages/try';
import { repoRoot } from '../../fixtures';
import { type Theme, themeSheet } from './theme';

export const chromiumFile = '/usr/bin/chromium';

type AnyPage = ChooseBlocksPage | TryPage | RunPage | HealPage | EvaluatePage | PublishPage;
/** A page's name goes with its own state. */
type Opened<P extends AnyPage> = P extends AnyPage ? { page: P['name']; state: P['state'] } : never;
export type PageRequests = Omit<CommonRequests<AnyPage>, 'page/open'> & {
  'page/open': { params: Record<string, never>; result: Opened<AnyPage> };
} & ChooseBlocksPage['requests'] &
  PublishPage['requests'] &
  TryPage['requests'] &
  RunPage['requests'] &
  HealPage['requests'] &
  EvaluatePage['requests'];
type HostNotifications = ChooseBlocksPage['notifications'] &
  PublishPage['notifications'] &
  TryPage['notifications'] &
  RunPage['notifications'] &
  HealPage['notifications'] &
  EvaluatePage['notifications'];

export type Answers = {
  [M in keyof PageRequests]?: (
    params: PageRequests[M]['params'],
  ) => PageRequests[M]['result'] | Promise<PageRequests[M]['result']>;
};

export interface OpenOptions {
  page: AnyPage['name'];
  answers: Answers;
  theme?: Theme;
  width?: number;
  height?: number;
  reducedMotion?: boolean;
}

export interface OpenPage {
  page: Page;
  asked: { method: keyof PageRequests; params: unknown }[];
  told: { [M in keyof PageNotifications]: PageNotifications[M][] };
  /** Of the browser's console: errors and warnings. */
  complaints: string[];
  notify<M extends keyof HostNotifications>(method: M, params: HostNotifications[M]): Promise<void>;
  close(): Promise<void>;
}

export interface Harness {
  open(options: OpenOptions): Promise<OpenPage>;
  close(): Promise<void>;
}

export async function startHarness(): Promise<Harness> {
  const server = await serve();
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const browser = await chromium.launch({ executablePath: chromiumFile, args: ['--headless=new', '--no-sandbox'] });
  return {
    open: (options) => openPage(browser, origin, options),
    async close() {
      await browser.close();
      await new Promise((done) => server.close(done));
    },
  };
}

async function openPage(browser: Browser, origin: string, options: OpenOptions): Promise<OpenPage> {
  const { theme = 'dark', width = 900, height = 900, reducedMotion = false } = options;
  // One for each page: of pages in one context a browser draws the one in front alone.
  const context = await browser.newContext({
    viewport: { width, height },
    reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
  });
  const page = await context.newPage();
  const asked: OpenPage['asked'] = [];
  const told: OpenPage['told'] = { 'page/painted': [], 'page/violation': [], 'page/error': [] };
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));

  let connection: MessageConnection | undefined;
  let hear: DataCallback = () => {};
  const connect = () => {
    connection?.dispose();
    const reader = new Reader((callback) => {
      hear = callback;
    });
    connection = createMessageConnection(reader, new Writer(page));
    for (const [method, answer] of Object.entries(options.answers))
      connection.onRequest(method, (params) => {
        asked.push({ method: method as keyof PageRequests, params });
        return (answer as (params: unknown) => unknown)(params);
      });
    for (const method of Object.keys(told) as (keyof PageNotifications)[])
      connection.onNotification(method as string, (params) => void (told[method] as unknown[]).push(params));
    connection.listen();
  };
  await page.exposeFunction('__toHost', (message: Message) => hear(message));
  // A reload is a new page for its host; what it stored is kept by the window.
  await page.exposeFunction('__connect', connect);
  await page.addInitScript(fakeWindow);
  await page.goto(`${origin}/${options.page}?theme=vscode-${theme}`);
  return {
    page,
    asked,
    told,
    complaints,
    notify: async (method, params) => void (await connection!.sendNotification(method, params)),
    async close() {
      connection?.dispose();
      await context.close();
    },
  };
}

/** Runs in the browser before the page: what VS Code puts there. */
function fakeWindow(): void {
  const bridge = globalThis as unknown as {
    __toHost(message: unknown): void;
    __connect(): Promise<void>;
    acquireVsCodeApi: unknown;
    sessionStorage: { getItem(name: string): string | null; setItem(name: string, value: string): void };
  };
  const connected = bridge.__connect();
  let taken = false;
  bridge.acquireVsCodeApi = () => {
    if (taken) throw new Error('an instance of the VS Code API has already been acquired');
    taken = true;
    return {
      postMessage: (message: unknown) => void connected.then(() => bridge.__toHost(message)),
      getState: () => JSON.parse(bridge.sessionStorage.getItem('state') ?? 'null') ?? undefined,
      setState: (state: unknown) => bridge.sessionStorage.setItem('state', JSON.stringify(state)),
    };
  };
}

async function serve(): Promise<Server> {
  const files: Record<string, string> = {
    '/webview.js': 'text/javascript',
    '/webview.css': 'text/css',
    '/codicon.ttf': 'font/ttf',
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const type = files[url.pathname];
    if (type)
      void readFile(join(repoRoot, 'dist', url.pathname)).then((content) =>
        response.writeHead(200, { 'content-type': type, 'cache-control': 'max-age=3600' }).end(content),
      );
    else if (url.pathname === '/theme.css') response.writeHead(200, { 'content-type': 'text/css' }).end(themeSheet());
    else if (url.pathname === '/favicon.ico') response.writeHead(204).end();
    else
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(
          html(`http://${request.headers.host}`, url.pathname.slice(1), url.searchParams.get('theme') ?? 'vscode-dark'),
        );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

const html = (source: string, page: string, theme: string) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Espalier</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'nonce-N0nce'; style-src ${source} 'nonce-N0nce'; font-src ${source}; img-src ${source}">
<meta property="csp-nonce" content="N0nce">
<link rel="stylesheet" href="theme.css"><link rel="stylesheet" href="webview.css"></head>
<body class="${theme}" data-page="${page}"><main></main><script nonce="N0nce" src="webview.js"></script></body></html>`;

class Reader extends AbstractMessageReader implements MessageReader {
  constructor(private readonly attach: (callback: DataCallback) => void) {
    super();
  }
  listen(callback: DataCallback): Disposable {
    this.attach(callback);
    return { dispose: () => this.attach(() => {}) };
  }
}

class Writer extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly page: Page) {
    super();
  }
  async write(message: Message): Promise<void> {
    await this.page.evaluate(post, message);
  }
  end(): void {}
}

function post(message: unknown): void {
  (globalThis as unknown as { postMessage(message: unknown, origin: string): void }).postMessage(message, '*');
}
