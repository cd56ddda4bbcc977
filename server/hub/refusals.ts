// What the hub refuses, in words: one row an answer, the first that fits. The codes are those that huggingface_hub knows
// (utils/_http.py, hf_raise_for_status).
import { UserError } from '../errors';
import { HubFailure } from './failures';
import type { RepositoryKind } from '../protocol/repositoryNames';
import { type HubSettings, inWords } from './hubSettings';
import { publishRows } from './publishRefusals';
import { type Answer, pageOf, type Row, type Subject, tokensPage, whatIsKept } from './refusalRow';

/** An answer that is none of the 200s. */
interface Refused {
  readonly status: number;
  header(name: string): string | null;
}

const nouns: Record<RepositoryKind, string> = { models: 'model', datasets: 'data set' };

const rows: readonly Row[] = [
  ...publishRows,
  {
    fits: ({ code }) => code === 'GatedRepo',
    is: 'noAccess',
    says: (subject, settings) =>
      settings.token
        ? `${subject.repository} is gated, and the account of the token in ${settings.token.from} has no access yet: ask for it on ${pageOf(subject, settings)}, and pull again once it is granted.`
        : `${subject.repository} is gated: accept its licence on ${pageOf(subject, settings)}, make a token that may read on ${tokensPage(settings)}, and set HF_TOKEN to it or save it with \`hf auth login\`.`,
  },
  {
    fits: ({ status, message }) => status === 401 && /credentials|token/i.test(message),
    is: 'noAccess',
    says: (_, settings) =>
      `${inWords(settings.endpoint)} does not accept the token in ${settings.token?.from ?? 'HF_TOKEN'}; make a new one on ${tokensPage(settings)}, or remove it.`,
  },
  {
    fits: ({ code }) => code === 'RevisionNotFound',
    is: 'notFound',
    says: ({ repository, revision }) =>
      `${repository} has no revision ${revision}; give one of its branches, tags or commits behind the @.`,
  },
  {
    fits: ({ code }) => code === 'EntryNotFound',
    is: 'notFound',
    says: ({ repository, revision, file }) =>
      `${repository} has no ${file ?? 'such file'} at ${revision} any more; pull it again.`,
  },
  {
    fits: ({ status, code, message }) =>
      code === 'RepoNotFound' || ((status === 401 || status === 404) && !/disabled/.test(message)),
    is: 'notFound',
    says: ({ kind, repository }, settings) =>
      settings.token
        ? `${inWords(settings.endpoint)} has no ${nouns[kind]} ${repository} that the token in ${settings.token.from} may see; correct the name, or take a token that may.`
        : `${inWords(settings.endpoint)} has no ${nouns[kind]} ${repository} that is open to everybody; correct the name, or set HF_TOKEN if it is private.`,
  },
  {
    fits: ({ message }) => /disabled/.test(message),
    is: 'noAccess',
    says: ({ kind, repository }) => `The hub has disabled ${repository}; choose another ${nouns[kind]}.`,
  },
  {
    fits: ({ status }) => status === 403,
    is: 'noAccess',
    says: ({ repository }, settings) =>
      `The hub does not let ${settings.token ? `the token in ${settings.token.from}` : 'anonymous visitors'} read ${repository}; take a token that may read it, from ${tokensPage(settings)}.`,
  },
  {
    // What the hub's stores answer where a file is asked for as it is that is too large for them.
    fits: ({ status }, { file }) => status === 400 && file !== undefined,
    is: 'overLimit',
    says: ({ kind, repository, file }) =>
      `The hub does not give ${file} of ${repository} over plain HTTPS (400), as is so with files of more than 50 GB; fetch it with \`hf download ${repository}${kind === 'models' ? '' : ' --repo-type dataset'}\`, which fills the same cache.`,
  },
  {
    fits: ({ status }) => status === 429,
    is: 'network',
    says: (subject, settings, { waitSeconds }) =>
      `${inWords(settings.endpoint)} takes no more requests for now (429): wait ${waitSeconds > 0 ? `${waitSeconds} s` : 'some minutes'}${settings.token ? '' : ' or set HF_TOKEN, since who is logged in may ask more often'}, and run it again; ${whatIsKept(subject)}.`,
  },
  {
    fits: ({ status }) => status >= 500 || status === 408,
    is: 'network',
    says: (subject, settings, { status }) =>
      `${inWords(settings.endpoint)} is out of order (${status}); run it again later: ${whatIsKept(subject)}.`,
  },
  {
    fits: () => true,
    is: 'network',
    says: ({ repository }, settings, { status }) =>
      `${inWords(settings.endpoint)} refuses ${repository} with status ${status}; see whether HF_ENDPOINT names a hub.`,
  },
];

/** 409: the hub makes one change of a repository after the other. */
const mayHelp = [408, 409, 429, 500, 502, 503, 504];

export function refusalOfAnswer({ status, header }: Refused, subject: Subject, settings: HubSettings): HubFailure {
  const answer: Answer = {
    status,
    code: header('x-error-code') ?? '',
    message: header('x-error-message') ?? '',
    waitSeconds: waitSeconds(header),
  };
  const row = rows.find(({ fits }) => fits(answer, subject))!;
  const sentence = new UserError(row.is, row.says(subject, settings, answer));
  return new HubFailure(
    sentence,
    mayHelp.includes(status) ? { of: 'answer', afterMs: 1000 * answer.waitSeconds } : null,
  );
}

/** `RateLimit: "api";r=0;t=55` of the IETF's draft, and Retry-After in seconds. */
function waitSeconds(header: Refused['header']): number {
  const limit = /"\w+"\s*;\s*r\s*=\s*0+\s*;\s*t\s*=\s*(\d+)/.exec(header('ratelimit') ?? '');
  const after = /^\s*(\d+)\s*$/.exec(header('retry-after') ?? '');
  return Number(limit?.[1] ?? after?.[1] ?? 0);
}
