// The server's process: `server.cjs DATAFOLDER [IDLESECONDS]`. Secrets are in the lock file, never in the arguments, the
// environment or the log.
import { serve } from './rpc/serve';
import { endingSignals } from './shared/endingSignals';
import { stderr, stdout } from './terminal';

const usage = 'usage: server.cjs DATAFOLDER [IDLESECONDS]';
const log = (text: string) => stdout.message(`${new Date().toISOString()} ${text}`);

// The process that reads the log may end; that is no reason to end.
stdout.onLost(() => {});
stderr.onLost(() => {});

async function main(): Promise<void> {
  const [dataFolder, idleText = '60'] = process.argv.slice(2);
  const idleSeconds = Number(idleText);
  if (!dataFolder || !(idleSeconds > 0)) throw new Error(usage);
  const asked = new AbortController();
  // The terminal that it was started from may close.
  for (const signal of endingSignals) process.on(signal, () => signal !== 'SIGHUP' && asked.abort());
  const serving = await serve({ dataFolder, idleSeconds, log, signal: asked.signal });
  if (serving.kind === 'other') log('another server holds this folder: ending');
  else await serving.ended;
}

main().then(
  () => process.exit(0),
  (error) => {
    log(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
