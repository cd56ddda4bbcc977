// What reads files and messages of others, each with seeds from the project's own fixtures.
import { EventEmitter } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { WebSocket } from 'ws';
import * as z from 'zod';
import { parseAdapterConfig } from '../../server/checkpoint/adapterConfig';
import { configWithoutBlocks } from '../../server/checkpoint/configWithoutBlocks';
import { type Provenance, parseProvenance } from '../../server/checkpoint/provenance';
import { readSafetensorsHeader } from '../../server/checkpoint/safetensors';
import { sealed } from '../../server/checkpoint/sealed';
import { readReport } from '../../server/cli/report';
import { rowFormOf } from '../../server/data/conversations';
import { openRows } from '../../server/data/rows';
import { readDocuments } from '../../server/data/textSource';
import { ggufHeader } from '../../server/gguf/header';
import { type Keys, setList } from '../../server/gguf/keys';
import { mergesOf, setSpecialTokens } from '../../server/gguf/specialTokens';
import { readPieces } from '../../server/gguf/sentencePiece';
import { commitIn, filesIn } from '../../server/hub/answers';
import { neededFiles } from '../../server/hub/neededFiles';
import { batchIn, newCommitIn, preuploadIn, refsIn } from '../../server/hub/publishAnswers';
import { readModelConfig } from '../../server/model/readConfig';
import { cardText } from '../../server/publishing/card/card';
import { originOf } from '../../server/publishing/card/originFrontMatter';
import { ownProseIn } from '../../server/publishing/card/ownProse';
import { parseRecipe } from '../../server/recipes/recipeFile';
import { readReports } from '../../server/recipes/reportFiles';
import { SocketReader } from '../../server/rpc/socket';
import { readEvents } from '../../server/runs/eventLog';
import { chatTemplateOf } from '../../server/tokenizer/chatTemplate';
import { readTokenizerFiles } from '../../server/tokenizer/folderFiles';
import { specialTokensOf } from '../../server/tokenizer/specialTokens';
import { rebuiltJson, tokenizerClassOf } from '../../server/tokenizer/tokenizerClass';
import { madeReport } from '../evaluation/madeReport';
import { repoRoot } from '../fixtures';
import { madeFacts, reports as madeReports } from '../publishing/madeFacts';
import { mutatedBytes, mutatedText, type Random } from './mutate';

export interface Target {
  readonly name: string;
  /** How many of 20,000 inputs are its. */
  readonly share: number;
  input(random: Random): Uint8Array;
  /** A value, or a UserError. */
  read(input: Uint8Array): unknown;
}

const fixture = (...path: string[]) => readFileSync(join(repoRoot, 'test/fixtures', ...path));
const utf8 = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const json = (value: unknown) => JSON.stringify(value);
const pickOf = <T>(random: Random, list: readonly T[]): T => list[random(list.length)]!;

/** `json`: the share of changes that know JSON, in percent. */
const ofText =
  (seeds: readonly (string | Uint8Array)[], share = 60) =>
  (random: Random) =>
    Buffer.from(mutatedText(String(pickOf(random, seeds)), random, share));
const ofBytes = (seeds: readonly Uint8Array[]) => (random: Random) => mutatedBytes(pickOf(random, seeds), random);

/** Of what reads files: a folder that lives as long as the tests of this process. */
const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
function written(name: string, input: Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, input);
  return file;
}

const families = ['gemma3', 'granite', 'llama3.2', 'phi3', 'qwen3', 'smollm3', 'mistral-window', 'olmo2'];

/** As checkpoint.ts parses it; null: it is no JSON, which is refused there. */
function parsed(input: Uint8Array): unknown {
  try {
    return JSON.parse(utf8(input));
  } catch {
    return null;
  }
}

const config: Target = {
  name: 'config.json',
  share: 3000,
  input: ofText(
    families.map((name) => fixture('families', name, 'config.json')),
    85,
  ),
  read(input) {
    const value = parsed(input);
    const { nBlocks } = readModelConfig(value);
    if (nBlocks <= 1000) configWithoutBlocks(value as Record<string, unknown>, [0]);
  },
};

const safetensors = families.map((name) => fixture('families', name, 'model.safetensors'));
const withHeader = (header: string, rest: Uint8Array): Uint8Array => {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, rest]);
};

const header: Target = {
  name: 'header of safetensors',
  share: 2800,
  input(random) {
    const bytes = pickOf(random, safetensors);
    const end = 8 + Number(bytes.readBigUInt64LE(0));
    const head = bytes.subarray(0, end);
    if (random(3) === 0) return Buffer.concat([mutatedBytes(head, random), bytes.subarray(end)]);
    return withHeader(mutatedText(head.subarray(8).toString(), random, 80), bytes.subarray(end));
  },
  async read(input) {
    const readSync = (target: Uint8Array, position: number) => {
      if (!(position >= 0 && position + target.length <= input.length)) throw new Error('it reads outside of the file');
      target.set(input.subarray(position, position + target.length));
    };
    const read = async (target: Uint8Array, position: number) => readSync(target, position);
    await readSafetensorsHeader({
      name: 'a.safetensors',
      sizeBytes: input.length,
      read,
      readSync,
      close: async () => {},
    });
  },
};

const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json', 'config.json'] as const;
/** A vocabulary of a few words: most of a real one is more of the same. */
const smallTokenizer = () => {
  const whole = JSON.parse(fixture('stories260k', 'tokenizer.json').toString());
  const vocab = Object.fromEntries(Object.entries(whole.model.vocab).slice(0, 60));
  return json({ ...whole, model: { ...whole.model, vocab, merges: whole.model.merges.slice(0, 20) } });
};
const tokenizerSeeds = [
  smallTokenizer(),
  fixture('stories260k', 'tokenizer_config.json'),
  fixture('stories260k', 'config.json'),
];

const tokenizer: Target = {
  name: 'files of a tokenizer',
  share: 1600,
  input(random) {
    const at = random(3);
    const text = mutatedText(String(tokenizerSeeds[at]), random, 80);
    return Buffer.concat([Buffer.from([at]), Buffer.from(text)]);
  },
  async read(input) {
    for (const [i, name] of tokenizerFiles.entries())
      written(name, input[0] === i ? input.subarray(1) : Buffer.from(String(tokenizerSeeds[i])));
    const files = await readTokenizerFiles(folder);
    const { tokenizer_class } = files.config as { tokenizer_class?: unknown };
    const named = typeof tokenizer_class === 'string' ? tokenizer_class : (files.model.tokenizer_class ?? null);
    const question = { named, modelType: files.model.model_type ?? null, isByteLevel: false, hasCode: false };
    const by = tokenizerClassOf(question);
    specialTokensOf(files, by);
    if (by) rebuiltJson(files.json, by, { addPrefixSpace: null, legacy: null, unkToken: '<unk>' });
  },
};

const recipe: Target = {
  name: 'recipes',
  share: 1200,
  input: ofText([fixture('recipes/analyze.espalier.yaml'), fixture('recipes/study.espalier.yaml')], 20),
  read: (input) => parseRecipe(utf8(input), 'a.espalier.yaml'),
};

const events = Array.from({ length: 5 }, (_, i) =>
  sealed(
    json({
      seq: i + 1,
      atEpochMs: 1e12,
      event: { kind: 'progress', step: 'a', fraction: i / 5, remainingSeconds: 1 },
    }),
  ),
);
const log: Target = {
  name: 'log of a run',
  share: 800,
  input: ofText(
    [`${events.join('\n')}\n`, `${json({ seq: 1, atEpochMs: 1, event: { kind: 'warning', text: 'a' } })}\n`],
    40,
  ),
  read: (input) => readEvents(written('events.jsonl', input), { last: 3, perhaps: 3 }),
};

const requests = [
  json({ jsonrpc: '2.0', id: 1, method: 'models/list', params: { folders: ['/a'] } }),
  json({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 1 } }),
  json({
    jsonrpc: '2.0',
    id: 'a',
    method: 'runs/start',
    params: { runId: 'a', recipe: { kind: 'analyze', model: 'a' } },
  }),
  json({ jsonrpc: '2.0', id: 2, result: null }),
];
const frames: Target = {
  name: 'frames',
  share: 2600,
  input: ofText(requests, 70),
  read(input) {
    const socket = Object.assign(new EventEmitter(), { readyState: 1, send() {}, close() {} });
    new SocketReader(socket as unknown as WebSocket).listen(() => {});
    socket.emit('message', Buffer.from(input), false);
  },
};

const adapterConfig = json({
  ...{
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    r: 8,
    lora_alpha: 16,
    lora_dropout: 0,
    bias: 'none',
    use_rslora: false,
  },
  ...{
    target_modules: ['q_proj', 'v_proj'],
    rank_pattern: { 'layers.3.mlp.up_proj': 4 },
    alpha_pattern: {},
    layers_to_transform: [0, 1],
  },
  ...{ base_model_name_or_path: 'a', modules_to_save: null, use_dora: false, init_lora_weights: true },
});
const adapter: Target = {
  name: 'adapter_config.json',
  share: 2300,
  input: ofText([adapterConfig], 85),
  read: (input) => parseAdapterConfig(utf8(input), 'adapter_config.json'),
};

const named = { name: 'a', nBlocks: 5 };
const provenance: Target = {
  name: 'espalier.json',
  share: 1300,
  input: ofText(
    [
      json({
        format: 1,
        baseModel: named,
        sourceModel: named,
        removedBlocks: [],
        keptBlocks: [0, 1, 2, 3, 4],
        steps: [{ kind: 'prune' }],
      }),
    ],
    85,
  ),
  read: (input) => parseProvenance(utf8(input), 'espalier.json', 5),
};

const report: Target = {
  name: 'reports',
  share: 200,
  input: ofText([json(madeReport({ nItems: 4 }))], 85),
  read: (input) => readReport(written('report.json', input), folder),
};

/** Reports and espalier.json as a card shows them. */
const cards: Target = {
  name: 'reports for a card',
  share: 400,
  input: ofText([json(madeFacts().steps), ...madeReports.map(json)], 90),
  async read(input) {
    const steps = parsed(input);
    if (Array.isArray(steps)) return cardText(madeFacts({ steps: steps as Provenance['steps'], reports: [] }));
    return cardText(madeFacts({ reports: await readReports([written('run.json', input)]) }));
  },
};

/** The card of an original: its front matter, and what a person may have written into it. */
const readme: Target = {
  name: 'cards',
  share: 200,
  input: ofText([cardText(madeFacts({ reports: [], prose: 'own words' }))]),
  read: (input) => [originOf(utf8(input)), ownProseIn(utf8(input))],
};

/** Rows, the conversations in them, and their text. */
async function readRows(file: string): Promise<void> {
  const rows = await openRows(file);
  const form = rows && rowFormOf(rows.columns, 'auto');
  if (rows && form) for (const row of await rows.read(form.columns)) form.conversation(row);
  await readDocuments(file, null);
}
const messages = json({
  messages: [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b', tool_calls: [] },
  ],
  tools: null,
});
const chats = [
  '{"instruction":"a","input":"","output":"b"}',
  messages,
  '{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}',
];
const manyRows = chats.map((row) => `${row}\n`.repeat(4));

const jsonLines: Target = {
  name: 'rows as JSON',
  share: 1200,
  input: ofText([fixture('text/rows.jsonl'), fixture('text/rows.json'), ...manyRows], 70),
  read: (input) => readRows(written(input.length % 2 === 0 ? 'rows.jsonl' : 'rows.json', input)),
};
const csv: Target = {
  name: 'rows as CSV',
  share: 700,
  input: ofText([fixture('text/rows.csv'), 'instruction,output\na,b\n"c ""d""",e\n'], 10),
  read: (input) => readRows(written('rows.csv', input)),
};
const parquets = [
  'text/rows.parquet',
  'text/rows.snappy.parquet',
  'chats/alpaca.parquet',
  'chats/messages.parquet',
  'chats/sharegpt.parquet',
];
const parquet: Target = {
  name: 'rows as Parquet',
  share: 600,
  input: ofBytes(parquets.map((path) => fixture(path))),
  read: (input) => readRows(written('rows.parquet', input)),
};
const compressed: Target = {
  name: 'compressed text',
  share: 150,
  input: ofBytes([gzipSync(fixture('text/rows.jsonl'))]),
  read: (input) => readRows(written('rows.jsonl.gz', input)),
};

const templates = ['chatml', 'headers', 'stories', 'parts', 'marked'].map((name) =>
  fixture('templates', `${name}.jinja`),
);
const template: Target = {
  name: 'chat templates',
  share: 150,
  input: ofText(templates, 5),
  async read(input) {
    const prompt = {
      messages: [{ role: 'user', content: 'a' }],
      tools: null,
      variables: {},
      addGenerationPrompt: true,
    };
    await chatTemplateOf(utf8(input), { bos_token: '<s>', eos_token: '</s>' })!.render([prompt]);
  },
};

const tree = [
  { type: 'file', path: 'model.safetensors', size: 134, oid: 'a'.repeat(40), lfs: { oid: 'b'.repeat(64), size: 9e9 } },
  { type: 'directory', path: 'additional_chat_templates', size: 0, oid: 'a'.repeat(40) },
  { type: 'file', path: 'additional_chat_templates/a.jinja', size: 3, oid: 'c'.repeat(40) },
];
const hubAnswers: Target = {
  name: 'answers of a hub',
  share: 200,
  input: ofText([json(tree), json({ sha: 'a'.repeat(40), siblings: [], gated: false })], 80),
  read(input) {
    const [text, endpoint] = [utf8(input), new URL('https://hub/')];
    if (text.includes('"sha"')) return commitIn(text, endpoint);
    const paths = filesIn(text, endpoint).map(({ path }) => path);
    return neededFiles('o/n', paths);
  },
};

const batch = {
  objects: [
    {
      oid: 'a'.repeat(64),
      size: 3,
      actions: { upload: { href: 'https://store/a', header: { chunk_size: '5', '1': 'https://store/1' } } },
    },
    { oid: 'b'.repeat(64), error: { code: 422, message: 'no' } },
  ],
};
const publishAnswers: Target = {
  name: 'answers of a hub to who publishes',
  share: 200,
  input: ofText(
    [
      json(batch),
      json({ branches: [{ name: 'main', targetCommit: 'a'.repeat(40) }], tags: [] }),
      json({ files: [{ path: 'a', uploadMode: 'lfs' }] }),
      json({ commitOid: 'a'.repeat(40), commitUrl: 'https://hub/c' }),
    ],
    80,
  ),
  read(input) {
    const [text, endpoint] = [utf8(input), new URL('https://hub/')];
    if (text.includes('"objects"')) return batchIn(text, endpoint);
    if (text.includes('"branches"')) return refsIn(text, endpoint);
    return text.includes('"files"') ? preuploadIn(text, endpoint) : newCommitIn(text, endpoint);
  },
};

const pieces: Target = {
  name: 'vocabularies of SentencePiece',
  share: 200,
  input: ofBytes([readFileSync(join(repoRoot, 'test/gguf/pieces/tokenizer.model'))]),
  read: (input) => readPieces(input, 'tokenizer.model'),
};

const ggufTokenizer = ['tokenizer.json', 'tokenizer_config.json'].map((name) =>
  JSON.parse(readFileSync(join(repoRoot, 'test/gguf/pieces', name), 'utf8')),
);
const specialKeys: Target = {
  name: 'special tokens for llama.cpp',
  share: 200,
  input: ofText(
    [json({ tokenizer: ggufTokenizer[0], tokenizerConfig: ggufTokenizer[1], config: { eos_token_id: 2 } })],
    90,
  ),
  read(input) {
    const said = z.record(z.string(), z.record(z.string(), z.unknown())).safeParse(parsed(input)).data ?? {};
    const { tokenizer = null, tokenizerConfig = null, config = {} } = said;
    const keys: Keys = new Map();
    setSpecialTokens(keys, { tokenizer, tokenizerConfig, config, templates: null }, 61);
    setList(keys, 'merges', 'string', mergesOf(tokenizer));
    return ggufHeader(keys, []);
  },
};

export const targets: readonly Target[] = [
  ...[config, header, tokenizer, recipe, log, frames, adapter, provenance, report],
  ...[cards, readme, jsonLines, csv, parquet, compressed, template, hubAnswers, publishAnswers, pieces, specialKeys],
];
