// Another program where the compute server was, and the real language client of the editor: without the token it is told
// nothing, with the token it still makes the editor do nothing. When the lock's process is gone, a server of our own starts.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { answerTo, isProof, newNonce, nonceHeader } from '../../server/protocol/proof';
import type { ServerLock } from '../../server/protocol/server';
import { lockFolder, lockPath, serverIdentityOf } from '../../server/protocol/serverLock';
import { eventually } from './eventually';
import { copyStories } from './stories';
import { packagedExtension, workbenchAvailable } from './vsix';
import type { WorkbenchWindow } from './window';
import { startWorkbench, type Workbench } from './workbench';

const token = newNonce();

/** What a language client of before carried out: it made files, opened addresses, and listened to commands. */
const wishes = (file: string) => {
  const uri = `file://${file}`;
  const edit = { documentChanges: [{ kind: 'create', uri, options: { overwrite: true } }] };
  const registration = { id: 'a', method: 'workspace/executeCommand', registerOptions: { commands: ['impostor.run'] } };
  return [
    { method: 'workspace/applyEdit', params: { label: 'x', edit } },
    { method: 'window/showDocument', params: { uri, external: false, takeFocus: true } },
    { method: 'window/showDocument', params: { uri: 'http://127.0.0.1:9/impostor', external: true } },
    { method: 'client/registerCapability', params: { registrations: [registration] } },
    { method: 'window/showMessageRequest', params: { type: 1, message: 'impostor', actions: [{ title: 'Yes' }] } },
    { method: 'workspace/workspaceFolders', params: null },
    { method: 'workspace/configuration', params: { items: [{}] } },
  ];
};

interface Impostor {
  readonly port: number;
  readonly sockets: Set<WebSocket>;
  /** All frames that it was sent. */
  readonly heard: string[];
  end(): void;
}

/** Says what it wishes as soon as there is a socket, and again behind its answer to `initialize`. */
async function startImpostor(itsToken: string, file: string): Promise<Impostor> {
  const heard: string[] = [];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'espalier.v2' });
  let expects = '';
  server.on('headers', (lines, request) => {
    const answer = answerTo(String(request.headers[nonceHeader]), itsToken);
    expects = answer.expects;
    for (const [name, value] of Object.entries(answer.headers)) lines.push(`${name}: ${value}`);
  });
  server.on('connection', (socket) => {
    const say = (message: object) => socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
    const wish = () => {
      wishes(file).forEach((each, i) => say({ id: `wish ${i}`, ...each }));
      say({ method: 'window/showMessage', params: { type: 1, message: 'impostor' } });
    };
    socket.on('error', () => {});
    socket.on('message', (said) => {
      heard.push(isProof(String(said), expects) ? 'proof' : String(said));
      const { id, method } = heard.at(-1) === 'proof' ? {} : JSON.parse(String(said));
      if (method !== 'initialize') return;
      say({ id, result: { capabilities: { executeCommandProvider: { commands: [] } } } });
      wish();
    });
    wish();
  });
  await new Promise((resolve) => server.once('listening', resolve));
  const end = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, sockets: server.clients, heard, end };
}

describe.skipIf(!workbenchAvailable())('another program where the server was', () => {
  let workbench: Workbench;
  let window: WorkbenchWindow;
  /** Whose number the lock has, so that its process lives. */
  let holder: ChildProcess;
  const impostors: Impostor[] = [];

  const lockTo = ({ port }: Impostor) => {
    const lock: ServerLock = {
      ...serverIdentityOf(holder.pid!),
      port,
      token,
      protocol: 'espalier.v2',
      build: '0.1.0+x',
    };
    mkdirSync(lockFolder(workbench.storage), { recursive: true });
    writeFileSync(lockPath(workbench.storage), JSON.stringify(lock), { mode: 0o600 });
  };
  const made = () => join(workbench.workspace, '.made-by-an-impostor');
  const impostor = async (itsToken: string) => {
    impostors.push(await startImpostor(itsToken, made()));
    return impostors.at(-1)!;
  };

  beforeAll(async () => {
    workbench = await startWorkbench({ vsix: packagedExtension(), fill: copyStories });
    holder = spawn('sleep', ['1000']);
  }, 240_000);
  afterAll(async () => {
    for (const each of impostors) each.end();
    holder?.kill('SIGKILL');
    await workbench?.end();
  });

  /** Files, windows and messages are as they were. */
  const nothingHappened = async () => {
    expect(existsSync(made())).toBe(false);
    expect(await window.toasts.count()).toBe(0);
    expect(await window.page.locator('.monaco-dialog-box').count()).toBe(0);
    expect(await window.page.locator('.tabs-container .tab').count()).toBe(0);
  };

  it('without the token is told nothing, and the status bar says so', async () => {
    const its = await impostor(newNonce());
    lockTo(its);
    window = await workbench.openWindow();
    await window.statusItem('Espalier: no server').waitFor({ timeout: 60_000 });
    const said = `Another program than the compute server answers on port ${its.port}`;
    await eventually('the log to say so', () => workbench.ourLog().includes(said));
    expect(its.heard).toEqual([]);
    await nothingHappened();
  });

  it('with the token is answered that a client has no methods, whatever it wishes', async () => {
    const its = await impostor(token);
    lockTo(its);
    const answers = () => its.heard.filter((said) => said.includes('"id":"wish '));
    await eventually('an answer to every wish', () => answers().length >= 2 * wishes('').length);
    expect(its.heard.indexOf('proof')).toBe(0);
    for (const answer of answers()) expect(JSON.parse(answer)).toMatchObject({ error: { code: -32601 } });
    await nothingHappened();
  });

  it('is left behind when the process of the lock is gone: a server of our own starts', async () => {
    holder.kill('SIGKILL');
    for (const socket of impostors.at(-1)!.sockets) socket.terminate();
    await eventually('a server of our own', () => workbench.server() !== null);
    await window.showContainer('Espalier');
    await window.row('Models', 'stories260k').first().waitFor({ timeout: 60_000 });
    await nothingHappened();
  });
});
