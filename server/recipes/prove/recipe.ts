// prove: opens what was written anew and holds it against what the run computed and said; what fails is not published.
import * as z from 'zod';
import { compute, path } from '../../protocol/recipes';
import type { RunFacts } from '../../protocol/reports';
import type { ProofCheckName } from '../../protocol/proofChecks';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('prove'),
  /** The folder of a model, or of an adapter. */
  model: path('modelFolder'),
  /** What it was made of, or what an adapter is for; null: what the folder names, if that is there. */
  original: path('modelFolder').nullable().default(null),
  /** Reports of the runs that made and measured it, as --json writes them. */
  reports: z.array(path('inputFile')).max(100).default([]),
  /** Text that the reports name by its hash. */
  texts: z.array(path('inputFile')).max(1000).default([]),
  compute,
});
export type ProveRecipe = z.output<typeof schema>;

export interface ProofCheck {
  check: ProofCheckName;
  /** `notChecked`: what it takes is not at hand, as the sentence says; that is no failure. */
  outcome: 'passed' | 'failed' | 'notChecked';
  /** What was found, and for a failure what to do. */
  sentence: string;
}

export interface ProveReport extends RunFacts {
  kind: 'prove';
  folder: string;
  of: 'model' | 'adapter';
  /** Nothing failed, though something may not have been checked. */
  passed: boolean;
  checks: ProofCheck[];
}

const command = {
  summary: 'open a model or an adapter anew, and hold it against its original and its reports',
  arguments: [{ name: '<folder>', field: 'model', help: 'what is to be published' }],
  options: [
    {
      flags: '--original <folder>',
      field: 'original',
      help: 'what it was made of, or what the adapter is for (default: as the folder says)',
    },
    { flags: '--report <file...>', field: 'reports', help: 'what --json of its runs wrote' },
    { flags: '--text <file...>', field: 'texts', help: 'the text that the reports measured on' },
  ],
} as const satisfies CommandLine;

export const proveKind = {
  schema,
  title: 'Prove',
  resumable: false,
  inFiles: false,
  planned: 'own',
  report: typeOf<ProveReport>(),
  command,
} as const satisfies RecipeKind;
