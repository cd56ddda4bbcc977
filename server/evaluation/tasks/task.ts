// What a task is: a row of data about a benchmark, as lm-evaluation-harness defines it, and the forms in which its
// documents may lie on disk. Every form is read into questions, from which prompts are made.
import type { EvaluatedTask } from '../../protocol/reports';
import type { FileReport } from '../../data/textSource';
import type { MetricName } from '../../shared/metrics';

/** As the data sets name them. */
export type Split = 'train' | 'validation' | 'test' | 'dev';

export interface Task {
  readonly name: string;
  readonly title: string;
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
  /** The first whose files are there is read. */
  readonly forms: (split: Split) => readonly Form[];
}

/** Where the Hugging Face hub has the documents. */
export interface HubCoordinates {
  readonly dataset: string;
  /** null: the data set has a single one. */
  readonly config: string | null;
}

/**
 * A form in which documents lie on disk: where its files may be, and how they are read into questions. Which one is there is
 * found by looking. Places are relative to any folder in the data folder.
 */
export interface Form {
  /** The first place where something lies is taken; `*` is any part of a name, and all that it fits are read in order. */
  readonly places: readonly string[];
  /** What a sentence says that the files must have. */
  readonly expects: string;
  /** A second file, beside the first one. */
  readonly beside: string | null;
  /** null: the file is of another form. @throws UserError badData */
  read(file: string, beside: string | null): Promise<{ questions: Question[]; files: FileReport[] } | null>;
}

/**
 * Where examples come from. `drawn`: by Python's generator, anew for every question; `oneMore`: one too many is drawn,
 * so that the question itself can be taken out. `first`: the first ones of their split. `none`: nothing comes before.
 */
export type FewShotRule =
  | { readonly kind: 'drawn'; readonly split: Split; readonly oneMore: boolean }
  | { readonly kind: 'first'; readonly split: Split }
  | { readonly kind: 'none' };

/** A document, as far as prompts and scores need it. `gold` is an index. */
export type Question =
  /** One context, several continuations. */
  | { kind: 'choices'; context: string; choices: string[]; gold: number }
  /** Several contexts, one continuation. */
  | { kind: 'contexts'; contexts: string[]; continuation: string; gold: number }
  /** One continuation, with the white space before it. */
  | { kind: 'target'; context: string; target: string }
  /** Scored from its first token. Words and bytes are those of the page before it was detokenised. */
  | { kind: 'page'; text: string; nWords: number; nBytes: number };

export type TextRequest =
  | { kind: 'continuation'; context: string; continuation: string }
  | { kind: 'rolling'; text: string };

/** A question with everything before it, ready to be scored. */
export interface Item {
  /** Place in the whole task. */
  docId: number;
  requests: TextRequest[];
  /** The request that should be the likeliest; null where there is nothing to choose. */
  gold: number | null;
  /** One a request, of the choice without the space before it; empty where there is nothing to choose. */
  choices: { nCharacters: number; nBytes: number }[];
  /** Of a page. */
  text: { nWords: number; nBytes: number } | null;
}

/** What was read, and what of it is scored. */
export interface LoadedTask {
  facts: EvaluatedTask;
  items: Item[];
}
