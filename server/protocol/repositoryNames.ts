// What a repository of the hub and a revision of it may be called. They become names of files, so that they lead nowhere else.

export const defaultRevision = 'main';

/** As the hub calls what a repository holds, in its addresses and in the names of its cache. */
export type RepositoryKind = 'models' | 'datasets';

/** As huggingface_hub's validate_repo_id: letters, digits, `-`, `_` and `.`, an owner at most, no `--` and `..`. */
export const isRepository = (text: string): boolean =>
  /^(?:\b[\w.-]{1,96}\b\/)?\b[\w.-]{1,96}\b$/.test(text) && !/--|\.\.|\.git$/.test(text);

/** One that names its owner, too, as those do that are made today. */
export const isOwnedRepository = (text: string): boolean => isRepository(text) && text.includes('/');

/** A branch, a tag, or a commit. */
export const isRevision = (text: string): boolean =>
  /^[\w.-]+(?:\/[\w.-]+)*$/.test(text) && text.length <= 200 && !/(?:^|\/)\.\.?(?:\/|$)|\.lock$/.test(text);

export const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
