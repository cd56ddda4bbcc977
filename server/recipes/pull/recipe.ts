// pull: a model, or the data sets of tasks, from the hub into Hugging Face's cache.
import * as z from 'zod';
import { nameOf } from '../../protocol/recipes';
import { defaultRevision, isRepository, isRevision } from '../../protocol/repositoryNames';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z
  .strictObject({
    kind: z.literal('pull'),
    /** A model's: OWNER/NAME. */
    repository: z.string().max(200).refine(isRepository, 'a repository is named OWNER/NAME').optional(),
    /** Of the model: a branch, a tag or a commit. */
    revision: z.string().refine(isRevision, 'a revision is a branch, a tag or a commit').default(defaultRevision),
    /** Names of tasks and groups of tasks, in the place of a model: what scoring on them reads. */
    tasks: z.array(nameOf('task')).min(1, 'it names no task').max(1000).optional(),
  })
  .refine(
    ({ repository, tasks }) => (repository === undefined) !== (tasks === undefined),
    'a pull has a repository or tasks, and not both',
  )
  .refine(
    ({ tasks, revision }) => tasks === undefined || revision === defaultRevision,
    'a revision is that of a repository, and not of tasks',
  );
export type PullRecipe = z.output<typeof schema>;

export type PullReport = PulledModelReport | PulledDataReport;

interface PullFacts {
  kind: 'pull';
  /** The hub's address. */
  endpoint: string;
  /** Of all files. */
  sizeBytes: number;
  /** Of them, what was not there yet. */
  fetchedBytes: number;
  elapsedMs: number;
  versions: { espalier: string; node: string };
}

export interface PulledModelReport extends PullFacts {
  repository: string;
  revision: string;
  /** What the revision was when it was pulled. */
  commit: string;
  /** The snapshot in the cache: a model folder. */
  out: string;
  files: FileOfPull[];
}

export interface PulledDataReport extends PullFacts {
  /** As they were asked for. */
  tasks: string[];
  /** The repositories that they are from. */
  dataSets: { dataset: string; commit: string; folder: string; files: FileOfPull[] }[];
}

export interface FileOfPull {
  name: string;
  sizeBytes: number;
}

const command = {
  summary: "fetch a model, or the data of benchmarks, from the hub into Hugging Face's cache",
  arguments: [
    {
      name: '[model]',
      field: 'repository',
      help: 'OWNER/NAME or OWNER/NAME@REVISION, such as HuggingFaceTB/SmolLM2-135M',
    },
  ],
  options: [
    {
      flags: '--task <names>',
      field: 'tasks',
      read: 'names',
      help: 'in its place the data of benchmarks, comma-separated, such as hellaswag,mmlu',
    },
  ],
} as const satisfies CommandLine;

export const pullKind = {
  schema,
  title: 'Pull',
  resumable: true,
  inFiles: true,
  planned: 'nothing',
  report: typeOf<PullReport>(),
  command,
} as const satisfies RecipeKind;
