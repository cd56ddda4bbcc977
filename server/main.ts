// The compute server: `node server.cjs DATAFOLDER IDLESECONDS`. One for each data folder, shared by the windows of its
// user, bound to 127.0.0.1, and gone after a while without clients and active runs. It does no heavy work itself and
// never loads onnxruntime, so that it always answers.
import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ServerFacts, ServerLock } from './protocol';
import { makeGuards, protocolName } from './rpc/guards';
import { holdsLock, releaseLock, takeLock } from './rpc/lock';
import type { Outbox } from './rpc/outbox';
import { openSession } from './rpc/session';
import { type Door, listen } from './rpc/socket';
import type { OpenRunsOptions, Runs } from './runs/types';

declare const __ESPALIER_BUILD__: string;

const log = (text: string) => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);

async function serve(dataFolder: string, idleMs: number): Promise<void> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  // Of a folder that was there before, too.
  await chmod(dataFolder, 0o700);
  const { open, port, nClients } = await listen();
  const token = randomBytes(32).toString('base64url');
  const lock: ServerLock = { pid: process.pid, port, token, protocol: protocolName, build: __ESPALIER_BUILD__ };
  if (!(await takeLock(dataFolder, lock))) {
    log('another server has this data folder');
    process.exit(0);
  }

  const outboxes = new Set<Outbox>();
  const runs = await openRuns({
    dataFolder,
    build: __ESPALIER_BUILD__,
    onChange(changed, deleted) {
      for (const outbox of outboxes) outbox.changed(changed, deleted);
    },
    onIdle: () => endWhenIdle(),
  });
  const facts: ServerFacts = {
    protocol: protocolName,
    build: __ESPALIER_BUILD__,
    pid: process.pid,
    node: process.version,
    dataFolder,
  };

  let ending: Promise<void> | null = null;
  const end = (why: string, code = 0): Promise<void> => {
    ending ??= (async () => {
      log(`ending: ${why}`);
      clearInterval(lockCheck);
      await releaseLock(dataFolder, lock);
      await Promise.all([door.close(), runs.stop()]);
      process.exit(code);
    })();
    return ending;
  };

  let idle: NodeJS.Timeout | undefined;
  function endWhenIdle(): void {
    clearTimeout(idle);
    if (nClients() > 0 || runs.active() > 0) return;
    idle = setTimeout(() => {
      if (nClients() === 0 && runs.active() === 0) void end('no client and no active run');
    }, idleMs);
  }

  const door: Door = open(
    makeGuards({ port, token, nClients }),
    (client) => {
      clearTimeout(idle);
      log(`a client came, ${nClients()} in all`);
      const outbox = openSession(client, {
        runs,
        facts,
        nClients,
        log,
        stop: () => setImmediate(end, 'a client said so'),
      });
      outboxes.add(outbox);
      void client.closed.then(({ code }) => {
        outboxes.delete(outbox);
        log(`a client left (${code}), ${nClients()} in all`);
        endWhenIdle();
      });
    },
    log,
  );

  // Somebody may have removed the data folder or its lock, and then nobody finds this server any more.
  const lockCheck = setInterval(async () => {
    if (!(await holdsLock(dataFolder, lock))) void end('the lock file is gone or names another server');
  }, lockCheckMs);
  process.on('SIGTERM', () => void end('SIGTERM'));
  process.on('SIGINT', () => void end('SIGINT'));
  process.on('uncaughtException', (error) => {
    log(`a defect: ${error.stack}`);
    void end('a defect', 1);
  });
  log(`listening on 127.0.0.1:${port}, build ${__ESPALIER_BUILD__}, node ${process.version}`);
  endWhenIdle();
}

const lockCheckMs = 5_000;

// The terminal or the window that started the server may go; the server does not.
process.on('SIGHUP', () => {});
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('unhandledRejection', (error) => log(`a defect: ${error instanceof Error ? error.stack : String(error)}`));

const [dataFolder, idleSeconds = '60'] = process.argv.slice(2);
if (dataFolder === undefined || !(Number(idleSeconds) > 0)) {
  console.error('usage: node server.cjs DATAFOLDER [IDLESECONDS]');
  process.exit(2);
}
void serve(resolve(dataFolder), Number(idleSeconds) * 1000).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});

/** Answers of a server that holds no runs. */
async function openRuns(_: OpenRunsOptions): Promise<Runs> {
  return { active: () => 0, stop: async () => {} } as unknown as Runs;
}
