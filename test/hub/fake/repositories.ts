// What lies on the fake hub: repositories with their branches, tags and commits, large files, and collections.
import { createHash } from 'node:crypto';

/** What is there when the hub opens. */
export interface FakeRepository {
  readonly files: Readonly<Record<string, Buffer | string>>;
  /** Branches and tags beside main, and their commits; a commit is the same files under another name. */
  readonly revisions?: Readonly<Record<string, string>>;
  /** Only with a token that is among these, once it is not null. */
  readonly gatedTo?: readonly string[];
  readonly isPrivate?: boolean;
  /** What its listing says of the size of a file, where that is not so. */
  readonly saidBytes?: Readonly<Record<string, number>>;
}

export type Files = ReadonlyMap<string, Buffer>;

export interface StoredRepository {
  readonly name: string;
  readonly isPrivate: boolean;
  readonly gatedTo: readonly string[] | null;
  readonly saidBytes: Readonly<Record<string, number>>;
  readonly branches: Map<string, string>;
  readonly tags: Map<string, string>;
  readonly commits: Map<string, Files>;
}

/** Whose a token is. */
export interface Account {
  readonly name: string;
  readonly role: 'write' | 'read';
  /** Owners in whose repositories it may write; absent: all. */
  readonly writesTo?: readonly string[];
}

export interface Collection {
  readonly slug: string;
  readonly title: string;
  readonly isPrivate: boolean;
  readonly items: { id: string; type: string }[];
}

export interface HubState {
  readonly repositories: Map<string, StoredRepository>;
  /** By sha256, as they came. */
  readonly objects: Map<string, Buffer>;
  /** Objects that were found to be what they are called. */
  readonly verified: Set<string>;
  /** By oid and part. */
  readonly parts: Map<string, Buffer>;
  readonly collections: Map<string, Collection>;
  readonly accountOf: (token: string) => Account | null;
  /** Files of this size and above are taken in parts of it; null: none is. */
  readonly partBytes: number | null;
}

export const mainCommit = 'a'.repeat(40);

/** Files of this size and above are kept by Git LFS. */
const lfsBytes = 1000;
export const isLarge = (content: Buffer): boolean => isLargeSize(content.length);
export const isLargeSize = (nBytes: number): boolean => nBytes >= lfsBytes;

export function stored(name: string, given: FakeRepository): StoredRepository {
  const files = new Map(Object.entries(given.files).map(([path, content]) => [path, Buffer.from(content)]));
  const revisions = Object.entries(given.revisions ?? {});
  return {
    name,
    isPrivate: given.isPrivate ?? false,
    gatedTo: given.gatedTo ?? null,
    saidBytes: given.saidBytes ?? {},
    branches: new Map([['main', mainCommit]]),
    tags: new Map(revisions),
    commits: new Map([mainCommit, ...revisions.map(([, commit]) => commit)].map((commit) => [commit, files])),
  };
}

/** As the hub makes one: with a commit that holds what git needs to know of large files. */
export function newRepository(name: string, isPrivate: boolean): StoredRepository {
  const repository = {
    ...stored(name, { files: {}, isPrivate }),
    branches: new Map<string, string>(),
    commits: new Map(),
  };
  addCommit(
    repository,
    'main',
    new Map([['.gitattributes', Buffer.from('*.safetensors filter=lfs\n')]]),
    'initial commit',
  );
  return repository;
}

export function addCommit(repository: StoredRepository, branch: string, files: Files, title: string): string {
  const hash = createHash('sha1').update(`${repository.name} ${branch} ${repository.commits.size} ${title}`);
  const commit = hash.digest('hex');
  repository.commits.set(commit, files);
  repository.branches.set(branch, commit);
  return commit;
}

/** undefined: there is no such revision. */
export const commitOf = ({ branches, tags, commits }: StoredRepository, revision: string): string | undefined =>
  branches.get(revision) ?? tags.get(revision) ?? (commits.has(revision) ? revision : undefined);
