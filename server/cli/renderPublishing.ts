// What is published, on a terminal: before it goes, and what became of it.
import type { UploadPlan } from '../protocol/engine';
import type { ProofCheck } from '../recipes/prove/recipe';
import type { PlannedUpload, PublishedFolder, PublishReport } from '../recipes/publish/recipe';
import { size } from '../shared/numbers';
import { proofChecks } from '../protocol/proofChecks';
import { firstFailure } from '../publishing/proof';
import { someNames } from '../shared/someNames';
import { seconds } from './render';
import { table } from './table';

export const renderUploadPlan = ({ endpoint, account, folders, sizeBytes, collection }: UploadPlan): string =>
  [
    `${endpoint}${account === null ? ', asked nothing since there is no token' : `, as ${account}`}: ${size(sizeBytes)}${collection === null ? '' : `, into the collection ${collection}`}`,
    ...folders.flatMap(folderInWords),
  ].join('\n');

function folderInWords({ repository, branch, visibility, creates, tag, files, leftOut, sizeBytes }: PlannedUpload) {
  const made = { repository: 'new, ', branch: 'new branch, ', nothing: '' }[creates ?? 'nothing'];
  const tagged = tag === null ? '' : `, tag ${tag}`;
  return [
    `${repository}@${branch} (${made}${visibility}${tagged}): ${files.length} files, ${size(sizeBytes)}`,
    ...(files.some(({ name }) => name === 'README.md')
      ? []
      : ['  without a README.md, so that nobody is told what it is']),
    ...(leftOut.length > 0 ? [`  stays here: ${someNames(leftOut)}`] : []),
  ];
}

export function renderPublishing({
  published,
  collection,
  dryRun,
  sentBytes,
  elapsedMs,
  endpoint,
}: PublishReport): string {
  const rows = published.flatMap((folder): [string, string][] => [
    [dryRun ? 'not published' : 'published', `${folder.url}, ${folder.visibility}`],
    ...(folder.commit === null ? [] : [commitRow(folder)]),
    ['proof', proofInWords(folder.checks)],
    ...(folder.removed.length > 0 ? ([['removed', someNames(folder.removed)]] as [string, string][]) : []),
  ]);
  if (collection !== null) rows.push(['collection', `${endpoint}/collections/${collection}`]);
  if (!dryRun) rows.push(['sent', `${size(sentBytes)} of large files in ${seconds(elapsedMs / 1000)}`]);
  return table(rows);
}

function proofInWords(checks: readonly ProofCheck[]): string {
  const failed = firstFailure(checks);
  if (failed) return `failed, so that it cannot be published: ${proofChecks[failed.check]}: ${failed.sentence}`;
  const open = checks.filter(({ outcome }) => outcome === 'notChecked').length;
  return `${checks.length - open} of ${checks.length} checks passed${open > 0 ? ', the others had nothing to be held against' : ''}`;
}

const commitRow = ({ branch, commit, wasThere, tag }: PublishedFolder): [string, string] => [
  'commit',
  `${commit} of ${branch}${wasThere ? ', which had all of it' : ''}${tag === null ? '' : `, tag ${tag}`}`,
];
