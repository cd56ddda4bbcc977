// A server that plans, heals and carries out a study, of which the n-th process cannot be started, a reader dies or an engine does: what
// needed it is refused in a sentence, and what is asked again is done as if nothing had been.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Recipe, recipeSchema } from '../../server/recipes/kinds';
import { long, modelFolder } from '../fixtures';
import { storyText } from '../recipes/healing';
import { type Client, connect, reaches, startServer, stopServer } from '../rpc/client';
import { death, type Fault, failures } from './kinds';
import { openPreload, type Preload } from './processes';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'faults-server-')));
let preload: Preload;
beforeAll(() => {
  preload = openPreload();
});
afterAll(() => {
  preload[Symbol.dispose]();
  rmSync(root, { recursive: true, force: true });
});

let nFolders = 0;
function newPlace(): string {
  const folder = join(root, String(nFolders++));
  mkdirSync(folder);
  cpSync(modelFolder('stories260k'), join(folder, 'model'), { recursive: true });
  writeFileSync(join(folder, 'text.txt'), storyText(60));
  return folder;
}

const how = { adapter: { rank: 1, targets: ['q_proj'] }, loop: { steps: 2, saveEverySteps: 1, evaluateEverySteps: 2 } };
const recipesIn = (folder: string): Record<'heal' | 'study', Recipe> => {
  const [model, text] = [join(folder, 'model'), join(folder, 'text.txt')];
  const data = { files: [text], tokens: 16, heldOutFraction: 0.02 };
  const source = { kind: 'text', files: [text], sequences: 1, tokens: 16 };
  const compute = { threads: 1, device: 'cpu' };
  return {
    heal: recipeSchema.parse({ kind: 'heal', model, data, ...how, out: join(folder, 'healed'), compute }),
    study: recipeSchema.parse({
      ...{ kind: 'study', model, source, methods: ['deepest'], counts: [1], perplexity: source },
      ...{ out: join(folder, 'study'), compute },
    }),
  };
};

/** @param of what goes wrong; of a reader and an engine at a call, in the folder with models and outputs */
async function lived(of: { program: string; fault: Fault | null }) {
  const folder = newPlace();
  const before = { ...process.env };
  Object.assign(process.env, preload.environment({ ...of, folder }));
  const server = await startServer(join(root, `data-${nFolders}`)).finally(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });
  const client = await connect(server.lock, [folder]);
  const said: string[] = [];
  try {
    const recipes = recipesIn(folder);
    await twice(said, () => client.request('plan/make', { recipe: recipes.heal }));
    for (const recipe of Object.values(recipes)) await done(client, recipe, said);
  } finally {
    await client.close();
    await stopServer(server);
  }
  const losses = JSON.parse(readFileSync(join(folder, 'study/report.json'), 'utf8')).variants.map(
    ({ loss }: { loss: unknown }) => loss,
  );
  return { said, adapter: readFileSync(join(folder, 'healed/adapter_model.safetensors'), 'hex'), losses };
}

/** What is refused is asked once more. */
async function twice<T>(said: string[], ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    said.push((error as Error).message);
    return ask();
  }
}

async function done(client: Client, recipe: Recipe, said: string[]): Promise<void> {
  const runId = randomUUID();
  await twice(said, () => client.request('runs/start', { runId, recipe }));
  const run = await reaches(client, runId, ['done', 'failed'], 60_000);
  if (run.state === 'done') return;
  said.push(run.state === 'failed' ? run.message : run.state);
  await client.request('runs/resume', { runId });
  await reaches(client, runId, ['done'], 60_000);
}

/** In their order: a reader, the engine of the healing, that of the study. */
const rows = [
  { program: 'reader', fault: { kind: 'read', n: 3, how: death } },
  ...[0, 1, 2].map((n) => ({ program: 'server', fault: { kind: 'start', n, how: failures.start[n]! } as const })),
  { program: 'engine', fault: { kind: 'rename', n: 2, how: death } },
] satisfies { program: string; fault: Fault }[];
/** The start of a healing's engine, and the death of a reader; how engines die is seen without a server, too. */
const chosen = long ? rows : [rows[0]!, rows[2]!];

it('ends nothing but what needed the process', async () => {
  const { said, ...whole } = await lived({ program: 'server', fault: null });
  expect(said).toEqual([]);
  expect(preload.counts()).toMatchObject({ start: 3 });
  for (const row of chosen) {
    const { said, ...found } = await lived(row);
    expect(said, JSON.stringify(row)).toEqual([expect.stringMatching(/^[^\n]+\.$/)]);
    expect(found, JSON.stringify(row)).toEqual(whole);
  }
});
