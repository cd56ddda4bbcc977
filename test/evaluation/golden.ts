// What lm-evaluation-harness itself found, item by item: from the checkout, where hashes have eight digits, or from the
// reference data with all of them.
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MetricName } from '../../server/shared/metrics';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { modelFolder, repoRoot } from '../fixtures';

export const fixtures = join(repoRoot, 'test/fixtures/evaluation');

export interface Golden {
  readonly settings: { readonly max_length: number };
  readonly tasks: readonly GoldenTask[];
}

export interface GoldenTask {
  readonly task: string;
  readonly nFewShot: number;
  readonly results: Readonly<Record<string, number | string>>;
  readonly items: readonly GoldenItem[];
}

export interface GoldenItem {
  readonly docId: number;
  readonly target: string | number | null;
  readonly requests: readonly GoldenRequest[];
  readonly values: Readonly<Partial<Record<MetricName, number>>>;
}

/** Of a rolling text the continuation is the whole text, and there is no context. */
export interface GoldenRequest {
  readonly logLikelihood: number;
  readonly isGreedy: boolean;
  readonly nContextTokens: number;
  readonly nContinuationTokens: number;
  readonly contextSha256: string;
  readonly continuationSha256: string;
}

export function readGolden(file: string): Golden {
  const json = JSON.parse(readFileSync(file, 'utf8')) as {
    settings: Golden['settings'];
    tasks: Record<string, RawTask>;
  };
  return {
    settings: json.settings,
    tasks: Object.entries(json.tasks).map(([key, { num_fewshot, results, items }]) => ({
      task: key.split(':')[0]!,
      nFewShot: num_fewshot,
      results,
      items: items.map((item) => ({
        docId: item.doc,
        target: item.target,
        requests: item.choices.map((choice) => (Array.isArray(choice) ? fromTuple(choice) : fromObject(choice, item))),
        values: Object.fromEntries(
          (['acc', 'acc_norm'] as const).flatMap((key) => (key in item ? [[key, item[key]]] : [])),
        ),
      })),
    })),
  };
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The bundled model with a tokenizer that puts the beginning of a text before every text, as that of the reference does. */
export function storiesFolderWithBos(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bos-'));
  cpSync(modelFolder('stories260k'), folder, { recursive: true });
  const file = join(folder, 'tokenizer.json');
  const json = JSON.parse(readFileSync(file, 'utf8')) as object;
  const bos = { SpecialToken: { id: '<s>', type_id: 0 } };
  const sequence = (id: string) => ({ Sequence: { id, type_id: 0 } });
  const post_processor = {
    type: 'TemplateProcessing',
    single: [bos, sequence('A')],
    pair: [bos, sequence('A'), sequence('B')],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  };
  writeFileSync(file, JSON.stringify({ ...json, post_processor }));
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

export async function storiesTokenizerWithBos(): Promise<Tokenizer> {
  const { folder, remove } = storiesFolderWithBos();
  try {
    return await openTokenizer(folder);
  } finally {
    remove();
  }
}

interface RawTask {
  num_fewshot: number;
  results: Record<string, number | string>;
  items: RawItem[];
}

type RawTuple = [number, number, number, number, string, string];

interface RawItem {
  doc: number;
  target: string | number | null;
  context_sha256?: string;
  context_tokens?: number;
  acc?: number;
  acc_norm?: number;
  choices: (RawTuple | RawChoice)[];
}

interface RawChoice {
  loglikelihood: number;
  is_greedy?: boolean;
  context_tokens?: number;
  continuation_tokens?: number;
  context_sha256?: string;
  continuation_sha256?: string;
  string_sha256?: string;
  tokens?: number;
}

const fromTuple = ([logLikelihood, greedy, context, continuation, contextSha, continuationSha]: RawTuple) => ({
  logLikelihood,
  isGreedy: greedy === 1,
  nContextTokens: context,
  nContinuationTokens: continuation,
  contextSha256: contextSha,
  continuationSha256: continuationSha,
});

const fromObject = (choice: RawChoice, item: RawItem): GoldenRequest => ({
  logLikelihood: choice.loglikelihood,
  isGreedy: choice.is_greedy ?? false,
  nContextTokens: choice.context_tokens ?? item.context_tokens ?? 0,
  nContinuationTokens: choice.continuation_tokens ?? choice.tokens ?? 0,
  contextSha256: choice.context_sha256 ?? item.context_sha256 ?? '',
  continuationSha256: choice.continuation_sha256 ?? choice.string_sha256 ?? '',
});
