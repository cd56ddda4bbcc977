// publish: a model or an adapter, or the variants of a study, to the Hugging Face hub.
import * as z from 'zod';
import { path } from '../../protocol/recipes';
import { defaultRevision, isRevision } from '../../protocol/repositoryNames';
import { cardFields, cardOptions, type CardReport, onHub } from '../card/recipe';
import type { CommandLine } from '../commandLine';
import type { ProofCheck } from '../prove/recipe';
import { type RecipeKind, typeOf } from '../recipeKind';

const revision = z.string().refine(isRevision, 'a branch or a tag has letters, digits, -, _, . and / in its name');

const schema = z.strictObject({
  kind: z.literal('publish'),
  /** `model`: a model, an adapter, or a study with models and adapters in it. */
  ...cardFields,
  /** Text that the reports name by its hash, for the proof. */
  texts: z.array(path('inputFile')).max(1000).default([]),
  /** `made`: from reports and the folder's own facts; `folder`: README.md as it lies there. */
  card: z.enum(['made', 'folder']).default('made'),
  /** The person's own part of a made card, as Markdown; null: as `prose` or the folder's card says. */
  words: z.string().max(20_000).nullable().default(null),
  /** OWNER/NAME; of a study's variants OWNER/NAME-VARIANT. */
  repository: onHub,
  branch: revision.default(defaultRevision),
  visibility: z.enum(['private', 'public']).default('private'),
  /** A tag for the commit; null: none. */
  tag: revision.nullable().default(null),
  /** Title of a collection, which is made where there is none, or its slug; null: none. */
  collection: z.string().trim().min(1).max(60).nullable().default(null),
  /** Says what would be published, and publishes nothing. */
  dryRun: z.boolean().default(false),
});
export type PublishRecipe = z.output<typeof schema>;

export interface PublishReport {
  kind: 'publish';
  /** The hub's address. */
  endpoint: string;
  dryRun: boolean;
  published: PublishedFolder[];
  /** Slug of the collection; null: there is none. */
  collection: string | null;
  sizeBytes: number;
  /** Of large files, what the hub did not have. */
  sentBytes: number;
  elapsedMs: number;
  versions: { espalier: string; node: string };
}

/** A folder as a repository. */
export interface PlannedUpload {
  folder: string;
  repository: string;
  branch: string;
  visibility: 'private' | 'public';
  /** What has to be made before the commit; null: it is not known. */
  creates: 'repository' | 'branch' | 'nothing' | null;
  tag: string | null;
  files: { name: string; sizeBytes: number }[];
  /** What lies in the folder and is no part of a model. */
  leftOut: string[];
  sizeBytes: number;
}

export interface PublishedFolder extends PlannedUpload {
  /** The page of the repository. */
  url: string;
  /** Of its proof. One that failed ends the publication; a dry run says all of them. */
  checks: ProofCheck[];
  /** Files that stand in the place of the folder's own, README.md first; none where that goes as it is. */
  card: CardReport['files'];
  /** What a person should know of the card before it is published, in sentences. */
  warnings: string[];
  /** null: nothing was published. */
  commit: string | null;
  /** The branch had all of it before. */
  wasThere: boolean;
  /** What the branch had of another model. */
  removed: string[];
}

const command = {
  summary: "publish a model, an adapter or a study's variants on the hub",
  arguments: [
    {
      name: '<folder>',
      field: 'model',
      help: 'folder of a model or an adapter, or of a study with such folders in it',
    },
  ],
  options: [
    {
      flags: '--repo <name>',
      field: 'repository',
      required: true,
      help: 'OWNER/NAME; variants of a study become OWNER/NAME-VARIANT',
    },
    ...cardOptions,
    { flags: '--text <file...>', field: 'texts', help: 'the text that the reports measured on, for the proof' },
    { flags: '--card <which>', field: 'card', help: 'the card that is made of facts, or README.md of the folder' },
    { flags: '--dry-run', field: 'dryRun', help: 'say what would be published, and publish nothing' },
    { flags: '--public', help: 'open to everybody (default: private)' },
    { flags: '--tag <name>', field: 'tag', help: 'a tag for what is published' },
    { flags: '--branch <name>', field: 'branch', help: 'the branch to publish in' },
    {
      flags: '--collection <title>',
      field: 'collection',
      help: 'put it into the collection of this title or slug, which is made where there is none',
    },
  ],
} as const satisfies CommandLine;

export const publishKind = {
  schema,
  title: 'Publish',
  resumable: true,
  inFiles: true,
  planned: 'nothing',
  report: typeOf<PublishReport>(),
  command,
} as const satisfies RecipeKind;
