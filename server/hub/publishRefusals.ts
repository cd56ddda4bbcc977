// What the hub refuses of what is published, in words: rows that come before those of all requests.
import { inWords } from './hubSettings';
import { pageOf, type Row, tokensPage } from './refusalRow';

const ofPublishing = (row: Row): Row => ({
  ...row,
  fits: (answer, subject) => subject.publishing !== undefined && row.fits(answer, subject),
});

export const publishRows: readonly Row[] = (
  [
    {
      fits: ({ status }, { publishing }) => publishing === 'store' && status >= 400 && status < 500 && status !== 429,
      is: 'network',
      says: ({ file, repository }, _, { status }) =>
        `The store of large files does not take ${file ?? 'a file'} of ${repository} (${status}): its address may have expired, or something on the way changes what is sent; publish it again.`,
    },
    {
      fits: ({ code }) => code === 'GatedRepo',
      is: 'noAccess',
      says: (subject, settings) =>
        `${subject.repository} is gated, and the account of the token in ${settings.token?.from ?? 'HF_TOKEN'} has no access to it: ask for it on ${pageOf(subject, settings)}, or give a repository of your own.`,
    },
    {
      fits: ({ status }) => status === 401,
      is: 'noAccess',
      says: (_, settings) =>
        `${inWords(settings.endpoint)} does not accept the token in ${settings.token?.from ?? 'HF_TOKEN'}; make one that may write on ${tokensPage(settings)}, and give it in its place.`,
    },
    {
      fits: ({ status }) => status === 403,
      is: 'noAccess',
      says: ({ repository }, settings) =>
        `${inWords(settings.endpoint)} does not let the token in ${settings.token?.from ?? 'HF_TOKEN'} write to ${repository}; take a token with the right to write there, from ${tokensPage(settings)}, or give a repository of your own.`,
    },
    {
      fits: ({ status, code }) => status === 404 && code !== 'RevisionNotFound',
      is: 'notFound',
      says: ({ repository }, settings) =>
        `${inWords(settings.endpoint)} has no ${repository} that the token in ${settings.token?.from ?? 'HF_TOKEN'} may see, though publishing began in it; look whether it was renamed or removed, and publish again.`,
    },
    {
      fits: ({ status }) => status === 409,
      is: 'badState',
      says: (subject, settings) =>
        `${inWords(settings.endpoint)} is busy with another change of ${subject.repository} (409); publish again in a minute: files that were sent whole are kept.`,
    },
    {
      fits: ({ status }) => status === 412,
      is: 'badState',
      says: (subject, settings) =>
        `${subject.revision} of ${subject.repository} was changed by somebody else meanwhile, so that nothing was added to it; look at ${pageOf(subject, settings)}, and publish again to put this in its place.`,
    },
    {
      fits: ({ status }) => status === 400 || status === 413 || status === 422,
      is: 'badData',
      says: ({ repository }, settings, { status, message }) =>
        `${inWords(settings.endpoint)} does not take this for ${repository} (${status}${message ? `: ${inOneSentence(message)}` : ''}); correct that, most often the front matter of README.md, and publish again.`,
    },
  ] satisfies Row[]
).map(ofPublishing);

/** What the hub says may have lines and sentences of its own. */
const inOneSentence = (message: string): string =>
  message
    .replace(/\s+/g, ' ')
    .replace(/[.!?]+ (?=[A-Z])/g, ', ')
    .replace(/[.\s]+$/, '')
    .slice(0, 300);
