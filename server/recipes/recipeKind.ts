// What is declared of a kind of recipe: its form, its name for people, and how the rest of the program treats it. Each kind
// has one such declaration, in recipes/<kind>/recipe.ts; recipes/kinds.ts lists them all.
import * as z from 'zod';
import type { CommandLine } from './commandLine';

export interface RecipeKind {
  /** How the recipe looks from outside, with its defaults. Fields that it does not name are refused. */
  readonly schema: z.ZodObject<{ kind: z.ZodLiteral<string> }>;
  /** How a run is called, before the name of its model. */
  readonly title: string;
  /** A run that ended early may be started again from where it was, or from the beginning. */
  readonly resumable: boolean;
  /** A recipe file may hold it. */
  readonly inFiles: boolean;
  readonly planned: Planned;
  /** What stays of a run. */
  readonly report: TypeOf<{ readonly kind: string }>;
  /** The command that asks for it; null: there is none, and it comes from files or the editor. */
  readonly command: CommandLine | null;
}

/** Carries a type along where only values stand; there is no value of it. */
export interface TypeOf<T> {
  readonly type?: T;
}
export const typeOf = <T>(): TypeOf<T> => ({});

/**
 * How the cost of a run is known before it starts. `nothing`: it computes nothing. `writing`: it reads and writes weight by
 * weight. `sequences`: one forward pass over the sequences of its `source`, or only writing where that is null. `own`: by a
 * planner of its own in plan/planners.ts.
 */
export type Planned = 'nothing' | 'writing' | 'sequences' | 'own';

/** What a value in a recipe stands for, beyond its form. */
export type Meaning =
  | { readonly is: 'path'; readonly to: PathTarget }
  | { readonly is: 'name'; readonly of: NamedThing }
  | { readonly is: 'tokenSource' };

/** Model folders may hold links, which are checked too; outputs need not exist. */
export type PathTarget = 'modelFolder' | 'adapterFolder' | 'inputFile' | 'inputFolder' | 'outputFile' | 'outputFolder';

/** Names that are looked up in a table. `scoringMethod`: what an analysis computes; `choosingMethod`: all that can choose blocks. */
export type NamedThing = 'scoringMethod' | 'choosingMethod' | 'task';

/** The meaning of a schema; recipes/meanings.ts finds all values of a recipe that have one. */
export const meanings = z.registry<Meaning>();
