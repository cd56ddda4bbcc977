// What a hub answers to who publishes. Strangers write it, so that it is checked here; the library that sends commits gets it after that.
import * as z from 'zod';
import { isCommit } from '../protocol/repositoryNames';
import { understood } from './answers';

const commit = z.string().refine(isCommit);
const text = z.string().max(1000);

export interface Refs {
  readonly branches: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
}

/** Whether a repository is open to everybody. @throws UserError `network` for what is no answer of a hub, as all of these */
export const isPrivateIn = (answer: string, endpoint: URL): boolean =>
  understood(z.object({ private: z.boolean() }), answer, endpoint).private;

/** Names of branches and tags, and the commits that they are. */
export function refsIn(answer: string, endpoint: URL): Refs {
  const named = z.array(z.object({ name: text, targetCommit: commit })).max(100_000);
  const { branches, tags } = understood(z.object({ branches: named, tags: named }), answer, endpoint);
  const byName = (refs: typeof branches) => new Map(refs.map(({ name, targetCommit }) => [name, targetCommit]));
  return { branches: byName(branches), tags: byName(tags) };
}

/** Whose a token is, and whether it may only read; where the hub does not say, as of tokens with rights of their own, it may write. */
export function roleIn(answer: string, endpoint: URL): { readonly name: string; readonly onlyReads: boolean } {
  const auth = z.object({ accessToken: z.object({ role: text.optional() }).optional() }).optional();
  const { name, auth: found } = understood(z.object({ name: text, auth }), answer, endpoint);
  return { name, onlyReads: found?.accessToken?.role === 'read' };
}

export const slugIn = (answer: string, endpoint: URL): string =>
  understood(z.object({ slug: text.regex(/^[\w.-]+\/[\w.-]+$/) }), answer, endpoint).slug;

/** How each file is to be sent. */
export const preuploadIn = (answer: string, endpoint: URL): void =>
  void understood(
    z.object({ files: z.array(z.object({ path: text, uploadMode: z.enum(['lfs', 'regular']) })) }),
    answer,
    endpoint,
  );

const address = z
  .string()
  .max(10_000)
  .refine((href) => URL.canParse(href));
const action = z.object({ href: address, header: z.record(z.string(), z.string().max(10_000)).optional() });
const batchObject = z.object({
  oid: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.int().nonnegative().optional(),
  actions: z.object({ upload: action.optional(), verify: action.optional() }).optional(),
  error: z.object({ code: z.int(), message: text }).optional(),
});

/** Where each large file goes; without actions: the hub has it. */
export const batchIn = (answer: string, endpoint: URL): readonly z.output<typeof batchObject>[] =>
  understood(z.object({ objects: z.array(batchObject) }), answer, endpoint).objects;

export const newCommitIn = (answer: string, endpoint: URL): string =>
  understood(z.object({ commitOid: commit, commitUrl: z.string() }), answer, endpoint).commitOid;
