// What a task is: a row of shared/tasks.ts, and the forms in which its documents may lie on disk. Every form is read into
// questions, from which prompts are made.
import type { EvaluatedTask } from '../../recipes/evaluate/recipe';
import type { FileReport } from '../../data/textSource';
import type { ScoredItem } from '../../shared/metrics';
import type { HubCoordinates, Split, TaskFacts } from '../../shared/tasks';

export interface Task extends TaskFacts {
  readonly name: string;
  /** The first whose files are there is read. */
  readonly forms: (split: Split) => readonly Form[];
}

/** The forms of a task's documents. */
export type DocumentForms = (split: Split, hub: HubCoordinates) => readonly Form[];

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
export interface Item extends ScoredItem {
  /** Place in the whole task. */
  docId: number;
  requests: TextRequest[];
}

/** What was read, and what of it is scored. */
export interface LoadedTask {
  facts: EvaluatedTask;
  items: Item[];
}
