// What a hub answers, as far as a pull needs it. Strangers write it, so that it is checked here.
import * as z from 'zod';
import { UserError } from '../errors';
import { isCommit } from '../protocol/repositoryNames';
import { inWords } from './hubSettings';

export interface HubFile {
  /** In the repository, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Of what it holds: large files have a sha256, the others the hash that git gives them. The cache calls them by it. */
  readonly hash: FileHash;
}

export type FileHash =
  | { readonly of: 'content'; readonly sha256: string }
  | { readonly of: 'gitBlob'; readonly sha1: string };

export const hexOf = (hash: FileHash): string => (hash.of === 'content' ? hash.sha256 : hash.sha1);

/** The commit that a revision is now. @throws UserError `network` for what is no answer of a hub */
export const commitIn = (text: string, endpoint: URL): string => understood(infoSchema, text, endpoint).sha;

/** The files of a page of the listing; what has a name that is not taken is left out. @throws as above */
export const filesIn = (text: string, endpoint: URL): HubFile[] =>
  understood(treeSchema, text, endpoint).flatMap((entry) => (entry ? [fileOf(entry)] : []));

const infoSchema = z.object({ sha: z.string().refine(isCommit) });

/** A path that stays in its folder, of names that every system takes. */
const filePath = z
  .string()
  .max(500)
  .refine((path) => path.split('/').every((name) => name !== '' && name !== '.' && name !== '..'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: names of strangers may hold them.
  .refine((path) => !/[\\:\x00-\x1f\x7f]/.test(path));
const sizeBytes = z.int().nonnegative();
const treeSchema = z.array(
  z.union([
    z.object({
      type: z.literal('file'),
      path: filePath,
      size: sizeBytes,
      oid: z.string().regex(/^[0-9a-f]{40}$/),
      lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: sizeBytes }).optional(),
    }),
    // Folders, what has a name that is not taken, and kinds to come.
    z.object({ type: z.string() }).transform(() => null),
  ]),
);

const fileOf = ({ path, size, oid, lfs }: Exclude<z.output<typeof treeSchema>[number], null>): HubFile =>
  lfs
    ? { path, sizeBytes: lfs.size, hash: { of: 'content', sha256: lfs.oid } }
    : { path, sizeBytes: size, hash: { of: 'gitBlob', sha1: oid } };

export function understood<T>(schema: z.ZodType<T>, text: string, endpoint: URL): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw notAHub(endpoint);
  }
  const result = schema.safeParse(json);
  if (!result.success) throw notAHub(endpoint);
  return result.data;
}

export const notAHub = (endpoint: URL): UserError =>
  new UserError(
    'network',
    `${inWords(endpoint)} does not answer as a hub does; see whether HF_ENDPOINT is right, or whether a network asks you to log in first.`,
  );
