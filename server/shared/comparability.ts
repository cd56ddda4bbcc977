// When two scores of one task may not be compared though they carry one name: a rule is a row, with what must be equal and
// how each place says that it is not. Reports warn with sentences, pages leave the difference out and say why. Pure.
import type { EvaluatedModel, EvaluatedTask } from '../recipes/evaluate/recipe';
import { counted } from './numbers';

/** What was scored, and how. */
export interface Scored {
  readonly task: EvaluatedTask;
  readonly model: EvaluatedModel;
  /** The first item, and how many were scored, which may be fewer than the task was to have. */
  readonly firstItem: number;
  readonly nItems: number;
}

interface Rule<Of> {
  /** Equal where scores may be compared. */
  readonly of: (scored: Of) => string | number;
  /** The same for people. */
  readonly inWords: (scored: Of) => string;
  /** In a cell of a table, which has little room. */
  readonly short: string;
  /** Behind `HellaSwag was scored`. */
  readonly scored: string;
}

interface TaskRule extends Rule<Pick<Scored, 'task' | 'firstItem' | 'nItems'>> {
  /** What differs, in the plural. */
  readonly noun: string;
  /** Whether a warning names both values. */
  readonly isNamed: boolean;
}

interface ModelRule extends Rule<Pick<Scored, 'model'>> {
  readonly sentence: (variant: EvaluatedModel, base: EvaluatedModel) => string;
}

export const taskRules = {
  items: {
    of: ({ firstItem, nItems }) => (firstItem === 0 ? nItems : `${nItems} from ${firstItem} on`),
    inWords: ({ firstItem, nItems }) => `on ${nItems}${firstItem === 0 ? '' : ` from ${firstItem} on`}`,
    short: 'n differs',
    scored: 'on different questions',
    noun: 'the numbers of items',
    isNamed: true,
  },
  shots: {
    of: ({ task }) => task.nFewShot,
    inWords: ({ task }) => `${task.nFewShot}`,
    short: 'shots differ',
    scored: 'with different examples before each question',
    noun: 'the examples before each question',
    isNamed: true,
  },
  data: {
    of: ({ task }) => hashesOf(task).sort().join(' '),
    inWords: ({ task }) => task.files.map(({ name, sha256 }) => `${name} (${shortHash(sha256)})`).join(', '),
    short: 'data differ',
    scored: 'from different files',
    noun: 'the data',
    isNamed: false,
  },
  version: {
    of: ({ task }) => task.version,
    inWords: ({ task }) => `${task.version}`,
    short: 'version differs',
    scored: 'by different versions of the task',
    noun: "the task's versions",
    isNamed: true,
  },
} satisfies Record<string, TaskRule>;

export const modelRules = {
  precision: {
    of: ({ model }) => model.dtype,
    inWords: ({ model }) => model.dtype,
    short: 'precision differs',
    scored: 'in different precision',
    sentence: (variant, base) =>
      `${variant.label} is in ${variant.dtype} and ${base.label} in ${base.dtype}: a part of the difference may be rounding.`,
  },
  length: {
    of: ({ model }) => model.maxTokens,
    inWords: ({ model }) => counted(model.maxTokens, 'token'),
    short: 'length differs',
    scored: 'with different longest inputs',
    sentence: (variant, base) =>
      `${variant.label} reads at most ${variant.maxTokens} tokens and ${base.label} ${base.maxTokens}: longer items are cut differently; set --max-tokens to compare them.`,
  },
  tokenizer: {
    of: ({ model }) => model.tokenizerSha256,
    inWords: ({ model }) => shortHash(model.tokenizerSha256),
    short: 'tokenizer differs',
    scored: 'with different tokenizers',
    sentence: (variant, base) =>
      `${variant.label} and ${base.label} have different tokenizers: what counts tokens cannot be compared between them; accuracies and perplexities by word or byte can.`,
  },
} satisfies Record<string, ModelRule>;

/** For two evaluations in one table: their bases are the same model where `of` is equal. */
export const baseRule = {
  of: ({ name, nParameters, nBlocks, removedBlocks, drop, healed }: EvaluatedModel) =>
    JSON.stringify([name, nParameters, nBlocks, removedBlocks, drop, healed]),
  short: 'base differs',
  scored: 'against another base',
};

export const rules = { ...taskRules, ...modelRules, base: baseRule };
export type Mismatched = keyof typeof rules;

export interface Mismatch {
  readonly what: Mismatched;
  /** How it was with the original and with the variant, in words. */
  readonly base: string;
  readonly variant: string;
}

/** In what two scores of a task differ besides their models; empty where they may be compared. */
export function mismatches(base: Scored, variant: Scored): Mismatch[] {
  const all: [Mismatched, Rule<Scored>][] = [
    ...(Object.entries(taskRules) as [keyof typeof taskRules, TaskRule][]),
    ...(Object.entries(modelRules) as [keyof typeof modelRules, ModelRule][]),
  ];
  return all
    .filter(([, { of }]) => of(base) !== of(variant))
    .map(([what, { inWords }]) => ({ what, base: inWords(base), variant: inWords(variant) }));
}

const hashesOf = ({ files }: EvaluatedTask) => files.map(({ sha256 }) => sha256);
const shortHash = (sha256: string) => sha256.slice(0, 8);
