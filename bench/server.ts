// What the compute server costs while it is used: 200 runs on disk, 500 clients, 50 who follow one run, and the replay of a
// healing of 100,000 steps, in seconds and bytes. Beside it another build (--before), and the parsing of the same bytes.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import type { RunEvent } from '../server/protocol/server';
import { type BenchClient, type BenchServer, startBenchServer } from './serverClient';
import type { Setting } from './setting';

const nRuns = 200;
const nClients = 500;
const nFollowers = 50;
/** A server has at most 32 clients at a time. */
const nAtOnce = 25;
const nSteps = { followed: 10_000, replayed: 100_000 };

/** The least of a few rounds; bytes and the longest silence, the most. */
interface Figures {
  readonly startMs: number;
  /** An answer to `runs/list`. */
  readonly listMs: number;
  readonly clientsMs: number;
  /** Of the server's process alone. */
  readonly clientsCpuMs: number;
  readonly followersMs: number;
  readonly followersCpuMs: number;
  readonly replayMs: number;
  readonly replayCpuMs: number;
  /** The longest that another client waited for an answer during the replay. */
  readonly silenceMs: number;
  readonly rssMB: number;
  readonly rssReplayedMB: number;
}

export async function benchServer({ rounds, before }: Setting): Promise<void> {
  const roots = { now: dirname(__dirname), ...(before === null ? {} : { before }) };
  const places = Object.entries(roots).map(([name, root]) => ({ name, root, ...writtenStore(root) }));
  try {
    const found = new Map<string, Figures>();
    let parseMs = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      for (const { name, root, data, followed, replayed } of places)
        found.set(
          name,
          better(found.get(name), await measured(await startBenchServer(root, data), followed, replayed)),
        );
      parseMs = Math.min(parseMs, parsing(places[0]!.log));
    }
    report(found, parseMs);
  } finally {
    for (const { data } of places) rmSync(data, { recursive: true });
  }
}

function better(one: Figures | undefined, other: Figures): Figures {
  if (!one) return other;
  const names = Object.keys(one) as (keyof Figures)[];
  const pick = (name: keyof Figures) => (/MB$|^silence/.test(name) ? Math.max : Math.min);
  return Object.fromEntries(names.map((name) => [name, pick(name)(one[name], other[name])])) as unknown as Figures;
}

function report(found: ReadonlyMap<string, Figures>, parseMs: number): void {
  const [now, before] = [found.get('now')!, found.get('before')];
  for (const name of Object.keys(now) as (keyof Figures)[]) {
    const unit = name.endsWith('MB') ? 'MB' : 'ms';
    const beside = before
      ? `, before ${before[name].toFixed(1)} ${unit}, ratio ${(now[name] / before[name]).toFixed(2)}`
      : '';
    console.log(`server ${name}: ${now[name].toFixed(1)} ${unit}${beside}`);
  }
  console.log(
    `server: a replay takes ${(now.replayMs / parseMs).toFixed(1)} times JSON.parse of its lines (${parseMs.toFixed(0)} ms)`,
  );
}

/** A data folder as that build writes it. */
function writtenStore(root: string): { data: string; followed: string; replayed: string; log: string } {
  const data = mkdtempSync(join(tmpdir(), 'bench-server-'));
  const bundle = join(data, 'store.cjs');
  buildSync({
    stdin: {
      contents: "export * from './server/runs/store'; export { recipeSchema } from './server/recipes/kinds';",
      resolveDir: root,
    },
    outfile: bundle,
    bundle: true,
    platform: 'node',
    external: ['onnxruntime-node', 'tokenizers'],
    logLevel: 'error',
  });
  const build = createRequire(bundle)(bundle) as Pick<typeof import('../server/runs/store'), 'openRunStore'> &
    Pick<typeof import('../server/recipes/kinds'), 'recipeSchema'>;
  const store = build.openRunStore(data);
  const write = (nEvents: number): string => {
    const runId = randomUUID();
    const recipe = build.recipeSchema.parse({
      kind: 'heal',
      model: '/models/some',
      data: { files: ['/data/some.txt'] },
      out: `/out/${runId}`,
    });
    const at = Date.now();
    const record = {
      title: 'Heal some',
      model: '/models/some',
      roots: [],
      createdAtEpochMs: at,
      startedAtEpochMs: at,
      endedAtEpochMs: at,
      lastSeq: nEvents,
      state: { state: 'cancelled' as const },
    };
    store.create({ runId, recipe, record } as Parameters<typeof store.create>[0]);
    for (let seq = 1; seq <= nEvents; seq++) store.append(runId, stepEvent(seq, at));
    return runId;
  };
  for (let i = 2; i < nRuns; i++) write(20);
  const [followed, replayed] = [write(nSteps.followed), write(nSteps.replayed)];
  return { data, followed, replayed, log: join(data, 'runs', replayed, 'events.jsonl') };
}

const stepEvent = (seq: number, atEpochMs: number): RunEvent => ({
  seq,
  atEpochMs,
  event: {
    kind: 'step',
    step: {
      step: seq - 1,
      lossNats: 2 + 1 / seq,
      gradNorm: Math.sqrt(seq),
      learningRate: 1e-4 / seq,
      tokensPerSecond: 1234.5,
    },
    remainingSeconds: 1e6 / seq,
    memoryBytes: 2 ** 30,
  },
});

async function measured(server: BenchServer, followed: string, replayed: string): Promise<Figures> {
  try {
    const client = await server.connect();
    const listMs = await least(20, () => client.request('runs/list', {}));
    const clients = await spent(server, () => eachOf(nClients, () => visit(server)));
    const followers = await spent(server, () => eachOf(nFollowers, () => follow(server, followed, nSteps.followed)));
    const rssMB = server.rssBytes().now / 1e6;
    const asking = askAllTheTime(client);
    const replay = await spent(server, () => follow(server, replayed, nSteps.replayed));
    const silenceMs = await asking.longestMs();
    await client.close();
    return {
      startMs: server.startMs,
      listMs,
      clientsMs: clients.ms,
      clientsCpuMs: clients.cpuMs,
      followersMs: followers.ms,
      followersCpuMs: followers.cpuMs,
      replayMs: replay.ms,
      replayCpuMs: replay.cpuMs,
      silenceMs,
      rssMB,
      rssReplayedMB: server.rssBytes().peak / 1e6,
    };
  } finally {
    await server.end();
  }
}

async function visit(server: BenchServer): Promise<void> {
  const client = await server.connect();
  await client.request('runs/list', {});
  await client.close();
}

async function follow(server: BenchServer, runId: string, nEvents: number): Promise<void> {
  const client = await server.connect();
  let nHeard = 0;
  const all = new Promise<void>((resolve, reject) =>
    client.onEvents((_, events) => {
      if (events[0]!.seq !== nHeard + 1) reject(new Error(`event ${events[0]!.seq} after ${nHeard}`));
      nHeard += events.length;
      if (nHeard === nEvents) resolve();
    }),
  );
  await client.request('runs/subscribe', { runId, since: 0 });
  await all;
  await client.close();
}

/** So many at a time, until so many are done. */
async function eachOf(n: number, act: () => Promise<void>): Promise<void> {
  let nBegun = 0;
  const worker = async () => {
    while (nBegun++ < n) await act();
  };
  await Promise.all(Array.from({ length: nAtOnce }, worker));
}

const askEveryMs = 10;

function askAllTheTime(client: BenchClient): { longestMs(): Promise<number> } {
  let longest = 0;
  let goesOn = true;
  const over = (async () => {
    while (goesOn) {
      longest = Math.max(longest, await timed(() => client.request('server/status', {})));
      await new Promise((resolve) => setTimeout(resolve, askEveryMs));
    }
  })();
  return {
    async longestMs() {
      goesOn = false;
      await over;
      return longest;
    },
  };
}

function parsing(log: string): number {
  const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
  const began = performance.now();
  for (const line of lines) JSON.parse(line);
  return performance.now() - began;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

async function spent(server: BenchServer, act: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const cpuBefore = server.cpuMs();
  const ms = await timed(act);
  return { ms, cpuMs: server.cpuMs() - cpuBefore };
}

async function least(n: number, act: () => Promise<unknown>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < n; i++) best = Math.min(best, await timed(act));
  return best;
}
