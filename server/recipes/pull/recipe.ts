// pull: a model from the hub into Hugging Face's cache.
import * as z from 'zod';
import { defaultRevision, isRepository, isRevision } from '../../protocol/repositoryNames';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('pull'),
  /** OWNER/NAME. */
  repository: z.string().max(200).refine(isRepository, 'a repository is named OWNER/NAME'),
  /** A branch, a tag or a commit. */
  revision: z.string().refine(isRevision, 'a revision is a branch, a tag or a commit').default(defaultRevision),
});
export type PullRecipe = z.output<typeof schema>;

export interface PullReport {
  kind: 'pull';
  repository: string;
  revision: string;
  /** What the revision was when it was pulled. */
  commit: string;
  /** The hub's address. */
  endpoint: string;
  /** The snapshot in the cache: a model folder. */
  out: string;
  files: { name: string; sizeBytes: number }[];
  sizeBytes: number;
  /** Of them, what was not there yet. */
  fetchedBytes: number;
  elapsedMs: number;
  versions: { espalier: string; node: string };
}

const command = {
  summary: "fetch a model from the hub into Hugging Face's cache",
  arguments: [
    {
      name: '<model>',
      field: 'repository',
      help: 'OWNER/NAME or OWNER/NAME@REVISION, such as HuggingFaceTB/SmolLM2-135M',
    },
  ],
  options: [],
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
