// What a refusal of the hub is made of: what was asked for, what the answer says, and the row that has a sentence for it.
import type { ErrorCode } from '../errors';
import type { RepositoryKind } from '../protocol/repositoryNames';
import { type HubSettings, inWords } from './hubSettings';

/** What was asked for. */
export interface Subject {
  readonly kind: RepositoryKind;
  readonly repository: string;
  readonly revision: string;
  /** A file of it. */
  readonly file?: string;
  /** Where something goes that is published; absent: something is pulled. */
  readonly publishing?: 'hub' | 'store';
}

export interface Answer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  /** How long the hub asks to wait; 0: it does not say. */
  readonly waitSeconds: number;
}

export interface Row {
  readonly fits: (answer: Answer, subject: Subject) => boolean;
  readonly is: ErrorCode;
  readonly says: (subject: Subject, settings: HubSettings, answer: Answer) => string;
}

/** Models have their pages and files at the top. */
export const pagePath = ({ kind, repository }: Pick<Subject, 'kind' | 'repository'>): string =>
  kind === 'models' ? repository : `${kind}/${repository}`;

export const pageOf = (subject: Pick<Subject, 'kind' | 'repository'>, { endpoint }: HubSettings): string =>
  `${inWords(endpoint)}/${pagePath(subject)}`;
export const tokensPage = ({ endpoint }: HubSettings): string => `${inWords(endpoint)}/settings/tokens`;

/** What a later try need not do again. */
export const whatIsKept = ({ publishing }: Subject): string =>
  publishing ? 'files that were sent whole are kept' : 'what was fetched is kept';
