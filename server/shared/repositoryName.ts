// A repository of the hub as people name it: `OWNER/NAME`, `OWNER/NAME@revision`, or the address of its page. Pure.
import { UserError } from '../errors';
import { defaultRevision, isRepository, isRevision } from '../protocol/repositoryNames';

export interface NamedRepository {
  readonly repository: string;
  readonly revision: string;
}

/** @throws UserError `usage` */
export function parseRepository(text: string): NamedRepository {
  const [, ofPage, tree] =
    /^https?:\/\/[^/]+\/([^/?#]+\/[^/?#]+)(?:\/tree\/([^?#]+?))?\/?(?:[?#].*)?$/.exec(text) ?? [];
  const [named = '', revision, ...more] = ofPage === undefined ? text.trim().split('@') : [ofPage, tree];
  if (!isRepository(named) || more.length > 0)
    throw new UserError(
      'usage',
      `${JSON.stringify(text)} names no repository of the hub; give OWNER/NAME or OWNER/NAME@REVISION, such as HuggingFaceTB/SmolLM2-135M.`,
    );
  if (revision !== undefined && !isRevision(revision))
    throw new UserError(
      'usage',
      `${JSON.stringify(revision)} is no revision; give a branch, a tag or a commit behind the @.`,
    );
  return { repository: named, revision: revision ?? defaultRevision };
}
