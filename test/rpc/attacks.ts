// What keeps a server busy, at two sizes: folders and files as others may leave them, a run whose log is long, and the requests
// that lead to them.
import { randomUUID } from 'node:crypto';
import { closeSync, cpSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sealed } from '../../server/checkpoint/sealed';
import type { Recipe } from '../../server/recipes/kinds';
import { analyzeRecipe, type Client, stories } from './client';

export interface Sizes {
  readonly nLinks: number;
  readonly headerBytes: number;
  readonly nAliases: number;
  readonly nMethods: number;
  readonly nCounts: number;
  readonly idBytes: number;
  readonly nSteps: number;
  readonly nNames: number;
  readonly depth: number;
}

export const sizes = {
  small: {
    nLinks: 2000,
    headerBytes: 12e6,
    nAliases: 20_000,
    nMethods: 100,
    nCounts: 1000,
    idBytes: 20e6,
    nSteps: 20_000,
    nNames: 20_000,
    depth: 5000,
  },
  full: {
    nLinks: 8000,
    headerBytes: 95e6,
    nAliases: 200_000,
    nMethods: 3000,
    nCounts: 1000,
    idBytes: 450e6,
    nSteps: 100_000,
    nNames: 200_000,
    depth: 1_000_000,
  },
} satisfies Record<string, Sizes>;

/** Head, the piece so often that there are so many bytes, tail. */
function writeRepeated(path: string, head: string, piece: string, nBytes: number, tail: string): void {
  const file = openSync(path, 'w');
  writeSync(file, head);
  const many = piece.repeat(Math.ceil(1e6 / piece.length));
  for (let nLeft = nBytes; nLeft > 0; nLeft -= many.length) writeSync(file, many);
  writeSync(file, tail);
  closeSync(file);
}

/** Below `workspace`, a good model among them. */
export function makeHostileWorkspace(workspace: string, { nLinks, headerBytes, idBytes, depth }: Sizes): void {
  mkdirSync(join(workspace, 'links'), { recursive: true });
  for (let i = 0; i < nLinks; i++) symlinkSync('/nothing', join(workspace, 'links', `${i}`));
  const copy = (name: string) => {
    cpSync(stories, join(workspace, name), { recursive: true });
    return join(workspace, name);
  };
  copy('good');
  const entry = (i: number) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`;
  const perEntry = entry(100_000).length + 1;
  const entries = Array.from({ length: Math.ceil(headerBytes / perEntry) }, (_, i) => entry(i)).join(',');
  const header = Buffer.from(`{${entries}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(join(copy('header'), 'model.safetensors'), Buffer.concat([length, header]));
  writeFileSync(join(copy('deep'), 'config.json'), '['.repeat(depth) + ']'.repeat(depth));
  writeRepeated(join(copy('tokens'), 'tokenizer.json'), '{"a":"', 'x', idBytes, '"}');
  writeRepeated(join(workspace, 'ids.json'), '[[1,2,3,4,5,6,7,8]', ',[1,2,3,4,5,6,7,8]', idBytes, ']');
}

/** The log of a healing that is done, as a server keeps it. */
export function makeLongRun(dataFolder: string, workspace: string, { nSteps }: Sizes): string {
  const runId = randomUUID();
  const folder = join(dataFolder, 'runs', runId);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const recipe = { ...analyzeRecipe({ model: join(workspace, 'good') }) };
  const state = {
    title: 'Analyze good',
    model: recipe.model,
    roots: [workspace],
    createdAtEpochMs: 1,
    startedAtEpochMs: 1,
    endedAtEpochMs: 2,
    lastSeq: nSteps,
    state: { state: 'done' },
  };
  writeFileSync(join(folder, 'recipe.json'), JSON.stringify(recipe));
  writeFileSync(join(folder, 'state.json'), JSON.stringify(state));
  writeFileSync(join(folder, 'report.json'), '{"kind":"analyze"}');
  const step = { lossNats: 2.345678, gradNorm: 0.123456, learningRate: 0.0001, tokensPerSecond: 1234.5 };
  const event = (seq: number) => ({
    seq,
    atEpochMs: 1_700_000_000_000 + seq,
    event: { kind: 'step', step: { step: seq - 1, ...step }, remainingSeconds: 10, memoryBytes: 1e9 },
  });
  const lines = Array.from({ length: nSteps }, (_, i) => sealed(JSON.stringify(event(i + 1))));
  writeFileSync(join(folder, 'events.jsonl'), `${lines.join('\n')}\n`);
  return runId;
}

export interface Attack {
  readonly what: string;
  /** Comes to an end, whether it is refused or not. */
  carryOut(client: Client): Promise<unknown>;
}

export function attacksOn(
  workspace: string,
  longRun: string,
  { nAliases, nMethods, nCounts, nNames }: Sizes,
): Attack[] {
  const file = join(workspace, 'r.yaml');
  const good = join(workspace, 'good');
  const parse = (yaml: string) => (client: Client) =>
    client.request('recipes/parse', { yaml: yaml.slice(0, 2 ** 20), file });
  const { source, compute } = analyzeRecipe();
  const study = {
    kind: 'study',
    model: good,
    source,
    methods: Array.from({ length: nMethods }, (_, i) => `method${i}`),
    counts: Array.from({ length: nCounts }, (_, i) => i + 1),
    perplexity: source,
    out: join(workspace, 'out'),
    compute,
  } as unknown as Recipe;
  const planned = (recipe: Recipe) => (client: Client) => client.request('plan/make', { recipe });
  const ids = { kind: 'ids', file: join(workspace, 'ids.json') } as const;
  const bomb = [
    'a: &a0 [x,x,x,x,x,x,x,x,x]',
    ...Array.from({ length: 20 }, (_, i) => `b${i}: &a${i + 1} [${Array(9).fill(`*a${i}`)}]`),
  ];
  return [
    { what: 'models are looked for', carryOut: (client) => client.request('models/find', { folders: [] }) },
    {
      what: 'a large header',
      carryOut: (client) => client.request('models/inspect', { folder: join(workspace, 'header') }),
    },
    {
      what: 'a deep config',
      carryOut: (client) => client.request('models/inspect', { folder: join(workspace, 'deep') }),
    },
    { what: 'aliases in aliases', carryOut: parse(bomb.join('\n')) },
    { what: 'many aliases', carryOut: parse(`kind: &k analyze\nmethods: [${Array(nAliases).fill('*k').join(',')}]`) },
    { what: 'a deep recipe', carryOut: parse('['.repeat(250_000)) },
    { what: 'a study of many methods and counts', carryOut: planned(study) },
    { what: 'a plan for many ids', carryOut: planned(analyzeRecipe({ model: good, source: ids })) },
    {
      what: 'a recipe of very many names',
      carryOut: (client) =>
        client.request('recipes/format', {
          recipe: { ...study, methods: Array(nNames).fill('a'.repeat(10)) } as unknown as Recipe,
        }),
    },
    {
      what: 'the replay of a long run',
      async carryOut(client) {
        const { lastSeq } = await client.request('runs/subscribe', { runId: longRun, since: 0 });
        while ((client.events(longRun).at(-1)?.seq ?? 0) < lastSeq)
          await new Promise((resolve) => setTimeout(resolve, 50));
        const seqs = client.events(longRun).map(({ seq }) => seq);
        if (!seqs.every((seq, i) => seq === i + 1)) throw new Error('events came twice, or not at all');
      },
    },
    { what: 'the details of a long run', carryOut: (client) => client.request('runs/get', { runId: longRun }) },
  ];
}
