// card: the model card of a folder, from the reports of the runs that made and measured it.
import * as z from 'zod';
import { path } from '../../protocol/recipes';
import { isOwnedRepository } from '../../protocol/repositoryNames';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

/** OWNER/NAME; publishing has it too. */
export const onHub = z.string().max(200).refine(isOwnedRepository, 'a repository is named OWNER/NAME');

/** What a card is made of; publishing has it too. */
export const cardFields = {
  /** The folder of a model, or of an adapter. */
  model: path('modelFolder'),
  /** What it was made of, or what an adapter is for; null: what the folder names, if that is there. */
  original: path('modelFolder').nullable().default(null),
  /** Reports of the runs that made and measured it, as --json writes them. */
  reports: z.array(path('inputFile')).max(100).default([]),
  /** A card whose part for the person's own words is taken over; null: that at `file`, or README.md of the folder. */
  prose: path('inputFile').nullable().default(null),
  /** On the hub; null: as espalier.json or the original's folder says. */
  base: onHub.nullable().default(null),
  /** The hub's identifier; null: as the original's. */
  license: z.string().min(1).max(100).nullable().default(null),
  languages: z.array(z.string().min(1).max(40)).max(200).default([]),
  /** Data sets of the hub that healing or calibration used. */
  datasets: z.array(onHub).max(100).default([]),
  newVersion: onHub.nullable().default(null),
  /** Tasks that the hub lists as benchmarks, as `task` or `task=name in the benchmark`. */
  registered: z
    .array(z.string().regex(/^\w+(=[\w.-]+)?$/, 'a benchmark is TASK or TASK=NAME'))
    .max(100)
    .default([]),
};

const schema = z.strictObject({
  kind: z.literal('card'),
  ...cardFields,
  /** OWNER/NAME that it will have; null: the folder's name. */
  repo: onHub.nullable().default(null),
  /** null: the card is in the report alone. */
  file: path('outputFile').nullable().default(null),
});
export type CardRecipe = z.output<typeof schema>;

export interface CardReport {
  kind: 'card';
  folder: string;
  of: 'model' | 'adapter';
  /** README.md first; the others go beside the folder's own files, or in the place of those of the same name. */
  files: { name: string; text: string }[];
  /** What a person should know before it is published, in sentences. */
  warnings: string[];
  /** Where the card was written; null: nowhere. */
  file: string | null;
}

/** Of all commands that make a card. */
export const cardOptions = [
  {
    flags: '--original <folder>',
    field: 'original',
    help: 'what it was made of, or what the adapter is for (default: as the folder says)',
  },
  { flags: '--report <file...>', field: 'reports', help: 'what --json of its runs wrote' },
  {
    flags: '--prose <file>',
    field: 'prose',
    help: 'a card whose part of your own is kept (default: the one at --out)',
  },
  { flags: '--base <name>', field: 'base', help: 'OWNER/NAME of the original on the hub' },
  { flags: '--license <id>', field: 'license', help: "the hub's identifier (default: the original's)" },
  { flags: '--language <codes>', field: 'languages', read: 'names', help: "such as en,de (default: the original's)" },
  { flags: '--dataset <names>', field: 'datasets', read: 'names', help: 'data sets of the hub that it was made with' },
  { flags: '--new-version <name>', field: 'newVersion', help: 'OWNER/NAME of what replaces it' },
  {
    flags: '--registered <tasks>',
    field: 'registered',
    read: 'names',
    help: 'tasks that the hub lists as benchmarks, as TASK or TASK=NAME, for files in .eval_results',
  },
] as const satisfies CommandLine['options'];

const command = {
  summary: 'the model card of a folder, from the reports of its runs',
  arguments: [{ name: '<folder>', field: 'model', help: 'what is to be published' }],
  options: [
    { flags: '--repo <name>', field: 'repo', help: 'OWNER/NAME that it will have on the hub' },
    ...cardOptions,
    { flags: '--out <file>', field: 'file', help: 'write the card there; it may be one that was made before' },
  ],
} as const satisfies CommandLine;

export const cardKind = {
  schema,
  title: 'Describe',
  resumable: false,
  inFiles: false,
  planned: 'nothing',
  report: typeOf<CardReport>(),
  command,
} as const satisfies RecipeKind;
