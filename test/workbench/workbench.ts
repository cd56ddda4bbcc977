// A real workbench for tests: VS Code as a web server, with the packaged extension installed, looked at in a real
// Chromium. Everything a workbench makes lies in one temporary folder and is gone at its end, processes included.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';
import { workbench as tools } from '../../scripts/workbench-setup.mjs';
import { repoRoot } from '../fixtures';
import { WorkbenchWindow } from './window';
import { endProcess, processIsAlive } from './processes';
import { lockPath } from '../../server/protocol/serverLock';

export interface WorkbenchOptions {
  /** Installed as a person would install it. */
  vsix?: string;
  /** Fills the workspace before the workbench opens it. */
  fill?: (workspace: string) => void;
  settings?: Record<string, unknown>;
  /** Settings of the machine are read from a file of their own; in the user's they would be lost after a reload. */
  machineSettings?: Record<string, unknown>;
  environment?: Record<string, string>;
  /** `asked`: the workspace is in Restricted Mode until a person says otherwise. Default: trust plays no part. */
  trust?: 'asked';
  /** Makes the workbench run an extension from its source folder and a test module inside the extension host. */
  inHost?: { extension: string; tests: string; onLog: (line: string) => void; onExit: (code: number) => void };
}

export interface Workbench {
  /** A new window on the workspace; each has an extension host of its own. */
  openWindow(): Promise<WorkbenchWindow>;
  readonly workspace: string;
  readonly userData: string;
  /** Where the extension keeps what all windows share. */
  readonly storage: string;
  setSettings(settings: Record<string, unknown>): void;
  /** All that our output channel has been told, of all windows so far. */
  ourLog(): string;
  /** The compute server that is running now. */
  server(): { pid: number; port: number } | null;
  end(): Promise<void>;
}

export const extensionId = 'espalier.espalier';

/** `auto` is the CPU without a measurement. */
const devices = join(repoRoot, 'test/fixtures/devices/software.json');

const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.quickOpen.closeOnFocusLost': false,
  'workbench.tips.enabled': false,
  'workbench.reduceMotion': 'on',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.colorTheme': 'Dark Modern',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
};

/** Nothing asks by itself, so that a window comes up as it stays. */
const trustSettings = { 'security.workspace.trust.enabled': true, 'security.workspace.trust.startupPrompt': 'never' };

export async function startWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-workbench-'));
  const at = (path: string) => join(folder, path);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const trust = options.trust ? trustSettings : {};
  const setSettings = (settings: Record<string, unknown>) =>
    write(
      'data/User/settings.json',
      JSON.stringify({ ...quietSettings, ...trust, ...options.settings, ...settings }, null, 2),
    );

  for (const name of ['workspace', 'home', 'temporary']) mkdirSync(at(name));
  write('config.yaml', '');
  write('data/Machine/settings.json', JSON.stringify(options.machineSettings ?? {}));
  setSettings({});
  options.fill?.(at('workspace'));

  const environment = environmentOf(at('home'), at('temporary'), options.environment);
  const places = ['--config', at('config.yaml'), '--user-data-dir', at('data'), '--extensions-dir', at('extensions')];
  let codeServer: ChildProcess | null = null;
  let browser: BrowserContext | null = null;

  const dataFolder = at(`data/User/globalStorage/${extensionId}`);
  const serverNow = () => serverIn(dataFolder);
  const endServer = () => {
    const server = serverNow();
    if (server) process.kill(server.pid, 'SIGKILL');
  };
  const end = async () => {
    await browser?.close().catch(() => {});
    // It is detached from the extension host, so that a run outlives a window, and would live on for its idle time. Once
    // more afterwards, since the extension starts another one while it lives.
    endServer();
    if (codeServer) await endProcess(codeServer);
    endServer();
    if (process.env.ESPALIER_KEEP_LOGS && existsSync(at('data/logs')))
      cpSync(at('data/logs'), join(process.env.ESPALIER_KEEP_LOGS, `${Date.now()}`), { recursive: true });
    await removeFolder(folder);
  };

  try {
    if (options.vsix)
      execFileSync(tools.node, [tools.codeServer, ...places, '--install-extension', options.vsix, '--force'], {
        env: environment,
        stdio: 'pipe',
      });
    const started = await startCodeServer(places, environment, options);
    codeServer = started.process;
    browser = await startChromium(at('chromium'), environment);
    const openedBrowser = browser;
    if (options.inHost) await listenInHost(browser, options.inHost);

    const address = `${started.url}/?folder=${encodeURIComponent(at('workspace'))}${payloadOf(options, started.url)}`;
    return {
      async openWindow() {
        const blank = openedBrowser.pages().find((page) => page.url() === 'about:blank');
        const page = blank ?? (await openedBrowser.newPage());
        await page.goto(address);
        await page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: 60_000 });
        return new WorkbenchWindow(page);
      },
      workspace: at('workspace'),
      userData: at('data'),
      storage: dataFolder,
      setSettings,
      ourLog: () => ourLogIn(at('data/logs')),
      server: serverNow,
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Processes of the workbench that are on their way out may still write into it. */
async function removeFolder(folder: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (attempt === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** What this process was told must reach neither the workbench nor the browser; nothing is looked up in the gallery. */
function environmentOf(home: string, temporary: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const ours = /^(VSCODE_|ELECTRON_|NODE_OPTIONS$|XDG_|VITEST|ESPALIER_)/;
  const inherited = Object.entries(process.env).filter(([name]) => !ours.test(name));
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    TMPDIR: temporary,
    EXTENSIONS_GALLERY: '{}',
    ESPALIER_DEVICES: devices,
    ...more,
  };
}

async function startCodeServer(places: string[], env: NodeJS.ProcessEnv, { inHost, trust }: WorkbenchOptions) {
  const plain = ['--auth', 'none', '--disable-telemetry', '--disable-update-check'];
  if (!trust) plain.push('--disable-workspace-trust');
  const quiet = ['--disable-getting-started-override', '--disable-proxy', '--ignore-last-opened'];
  // A built workbench runs a test module in its extension host only under this option.
  const more = inHost ? ['--vscode-option', 'enable-smoke-test-driver'] : [];
  const args = [tools.codeServer, ...places, '--bind-addr', '127.0.0.1:0', ...plain, ...quiet, ...more];
  const child = spawn(tools.node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    const listen = (part: Buffer) => {
      said += part;
      const found = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(said);
      if (found) resolve(found[1]!);
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    child.once('exit', (code) => reject(new Error(`code-server ended with ${code}\n${said}`)));
  });
  return { process: child, url };
}

function startChromium(profile: string, env: NodeJS.ProcessEnv): Promise<BrowserContext> {
  return chromium.launchPersistentContext(profile, {
    executablePath: tools.chromium,
    headless: true,
    env: env as Record<string, string>,
    viewport: { width: 1288, height: 900 },
    args: [
      ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
      // Webviews load their files from an address outside this machine, which VS Code's service worker answers.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}

async function listenInHost(browser: BrowserContext, { onLog, onExit }: NonNullable<WorkbenchOptions['inHost']>) {
  await browser.exposeFunction('codeAutomationLog', (type: string, parts: unknown[]) =>
    onLog(`[${type}] ${parts.join(' ')}`),
  );
  await browser.exposeFunction('codeAutomationExit', (code: number) => onExit(code));
}

function payloadOf({ inHost }: WorkbenchOptions, url: string): string {
  if (!inHost) return '';
  const remote = (path: string) => `vscode-remote://${new URL(url).host}${path}`;
  const payload = [
    ['extensionDevelopmentPath', remote(inHost.extension)],
    ['extensionTestsPath', remote(inHost.tests)],
  ];
  return `&payload=${encodeURIComponent(JSON.stringify(payload))}`;
}

function serverIn(dataFolder: string): { pid: number; port: number } | null {
  try {
    const { pid, port } = JSON.parse(readFileSync(lockPath(dataFolder), 'utf8'));
    return processIsAlive(pid) ? { pid, port } : null;
  } catch {
    return null;
  }
}

function ourLogIn(logs: string): string {
  if (!existsSync(logs)) return '';
  return readdirSync(logs, { recursive: true, encoding: 'utf8' })
    .filter((path) => /espalier[^/]*\.log$/i.test(path))
    .sort()
    .map((path) => readFileSync(join(logs, path), 'utf8'))
    .join('');
}
