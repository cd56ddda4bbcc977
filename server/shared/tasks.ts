// The tasks that models are scored on, a row each, as lm-evaluation-harness defines them: what they are called, what they
// ask, how much there is to score and where their documents come from. How documents become questions is written in
// evaluation/tasks/. Pure.
import type { EvaluatedTask } from '../recipes/evaluate/recipe';
import type { MetricName } from './metrics';

/** As the data sets name them. */
export type Split = 'train' | 'validation' | 'test' | 'dev';

/** Where the Hugging Face hub has the documents. */
export interface HubCoordinates {
  readonly dataset: string;
  /** null: the data set has a single one. */
  readonly config: string | null;
}

/**
 * Where examples come from. `drawn`: by Python's generator, anew for every question; `oneMore`: one too many is drawn,
 * so that the question itself can be taken out. `first`: the first ones of their split. `none`: nothing comes before.
 */
export type FewShotRule =
  | { readonly kind: 'drawn'; readonly split: Split; readonly oneMore: boolean }
  | { readonly kind: 'first'; readonly split: Split }
  | { readonly kind: 'none' };

export interface TaskFacts {
  readonly title: string;
  /** What it asks, in a few words; null for a task that is offered with its group alone. */
  readonly asks: string | null;
  /** Of the whole task. */
  readonly nItems: number;
  /** Of a question with all its answers, which share the question; by English text at about four characters a token. */
  readonly tokensPerItem: number;
  /** The harness' version of the task. */
  readonly version: number;
  /** The group that its score is counted in. */
  readonly group: string | null;
  readonly output: EvaluatedTask['output'];
  readonly metrics: readonly MetricName[];
  /** What comes before all examples. */
  readonly description: string;
  readonly hub: HubCoordinates;
  /** The split that is scored. */
  readonly split: Split;
  readonly fewShot: FewShotRule;
}

export interface TaskGroup {
  readonly name: string;
  readonly title: string;
  readonly version: number;
  readonly parent: string | null;
}

const choices = { group: null, output: 'multipleChoice', description: '' } as const;
const drawn = (oneMore: boolean): FewShotRule => ({ kind: 'drawn', split: 'train', oneMore });

export const tasks = {
  hellaswag: {
    ...choices,
    title: 'HellaSwag',
    asks: 'how a scene goes on',
    nItems: 10_042,
    tokensPerItem: 183,
    version: 1,
    metrics: ['acc', 'acc_norm'],
    hub: { dataset: 'Rowan/hellaswag', config: null },
    split: 'validation',
    fewShot: drawn(true),
  },
  arc_easy: {
    ...choices,
    title: 'ARC, easy',
    asks: 'school science',
    nItems: 2376,
    tokensPerItem: 50,
    version: 1,
    metrics: ['acc', 'acc_norm'],
    hub: { dataset: 'allenai/ai2_arc', config: 'ARC-Easy' },
    split: 'test',
    fewShot: drawn(false),
  },
  arc_challenge: {
    ...choices,
    title: 'ARC, challenge',
    asks: 'harder school science',
    nItems: 1172,
    tokensPerItem: 60,
    version: 1,
    metrics: ['acc', 'acc_norm'],
    hub: { dataset: 'allenai/ai2_arc', config: 'ARC-Challenge' },
    split: 'test',
    fewShot: drawn(false),
  },
  boolq: {
    ...choices,
    title: 'BoolQ',
    asks: 'yes or no about a passage',
    nItems: 3270,
    tokensPerItem: 146,
    version: 2,
    metrics: ['acc'],
    hub: { dataset: 'aps/super_glue', config: 'boolq' },
    split: 'validation',
    fewShot: drawn(true),
  },
  piqa: {
    ...choices,
    title: 'PIQA',
    asks: 'how things are done',
    nItems: 1838,
    tokensPerItem: 57,
    version: 1,
    metrics: ['acc', 'acc_norm'],
    hub: { dataset: 'baber/piqa', config: null },
    split: 'validation',
    fewShot: drawn(true),
  },
  winogrande: {
    ...choices,
    title: 'WinoGrande',
    asks: 'who or what is meant',
    nItems: 1267,
    tokensPerItem: 45,
    version: 1,
    metrics: ['acc'],
    hub: { dataset: 'allenai/winogrande', config: 'winogrande_xl' },
    split: 'validation',
    fewShot: drawn(true),
  },
  openbookqa: {
    ...choices,
    title: 'OpenBookQA',
    asks: 'facts put together',
    nItems: 500,
    tokensPerItem: 28,
    version: 1,
    metrics: ['acc', 'acc_norm'],
    hub: { dataset: 'allenai/openbookqa', config: 'main' },
    split: 'test',
    fewShot: drawn(false),
  },
  lambada_openai: {
    title: 'LAMBADA, OpenAI',
    asks: 'the last word of a passage',
    nItems: 5153,
    tokensPerItem: 75,
    version: 1,
    group: null,
    output: 'logLikelihood',
    metrics: ['perplexity', 'acc'],
    description: '',
    hub: { dataset: 'EleutherAI/lambada_openai', config: 'default' },
    split: 'test',
    // There is no other split, so examples are drawn from the questions themselves, and nothing is taken out.
    fewShot: { kind: 'drawn', split: 'test', oneMore: false },
  },
  wikitext: {
    title: 'WikiText-2',
    asks: 'perplexity of whole pages',
    nItems: 62,
    tokensPerItem: 4830,
    version: 2,
    group: null,
    output: 'rolling',
    metrics: ['word_perplexity', 'byte_perplexity', 'bits_per_byte'],
    description: '',
    hub: { dataset: 'EleutherAI/wikitext_document_level', config: 'wikitext-2-raw-v1' },
    split: 'test',
    fewShot: { kind: 'none' },
  },
} satisfies Record<string, TaskFacts>;

export type TaskName = keyof typeof tasks;
export const singleTaskNames = Object.keys(tasks) as TaskName[];

/** Names for several tasks that have no score together. */
export const taskTags: Readonly<Record<string, readonly string[]>> = { ai2_arc: ['arc_easy', 'arc_challenge'] };
