// The conversation of a commit: how each file is to be sent, and then all of them at once as lines of JSON.
import { type Answer, type FakeRequest, gitHash, json, refused } from './answer';
import { writable } from './managing';
import { noRevision } from './reading';
import { addCommit, commitOf, type HubState, isLargeSize, type StoredRepository } from './repositories';

/** null: it asks for something else. */
export function answerCommits(state: HubState, request: FakeRequest): Answer | null {
  const path = decodeURIComponent(request.url.pathname);
  const [, name, what, branch] = /^\/api\/models\/([^/]+\/[^/]+)\/(preupload|commit)\/(.+)$/.exec(path) ?? [];
  if (name === undefined || branch === undefined || request.method !== 'POST') return null;
  const repository = writable(state, request, name);
  if ('status' in repository) return repository;
  if (commitOf(repository, branch) === undefined) return noRevision();
  return what === 'preupload' ? modes(repository, branch, request) : committed(state, repository, branch, request);
}

function modes(repository: StoredRepository, branch: string, { body }: FakeRequest): Answer {
  const there = repository.commits.get(commitOf(repository, branch)!)!;
  const { files } = JSON.parse(body.toString('utf8')) as { files: { path: string; size: number }[] };
  return json({
    files: files.map(({ path, size }) => ({
      path,
      uploadMode: isLargeSize(size) ? 'lfs' : 'regular',
      shouldIgnore: false,
      ...(there.has(path) && { oid: gitHash(there.get(path)!) }),
    })),
  });
}

type Line =
  | { key: 'header'; value: { summary: string; parentCommit?: string } }
  | { key: 'file'; value: { path: string; content: string; encoding: 'base64' } }
  | { key: 'lfsFile'; value: { path: string; oid: string; size: number } }
  | { key: 'deletedFile'; value: { path: string } };

function committed(
  state: HubState,
  repository: StoredRepository,
  branch: string,
  { body, front }: FakeRequest,
): Answer {
  const lines = body
    .toString('utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const head = commitOf(repository, branch)!;
  const files = new Map(repository.commits.get(head)!);
  let title = '';
  for (const { key, value } of lines) {
    if (key === 'header') {
      title = value.summary;
      if (value.parentCommit !== undefined && value.parentCommit !== head)
        return refused(412, '', 'A commit has happened since. Please refresh and try again.');
    } else if (key === 'file') files.set(value.path, Buffer.from(value.content, value.encoding));
    else if (key === 'deletedFile') files.delete(value.path);
    else if (!state.verified.has(value.oid))
      return refused(400, '', `Your push was rejected: ${value.path} is not there`);
    else files.set(value.path, state.objects.get(value.oid)!);
  }
  const commitOid = addCommit(repository, branch, files, title);
  return json({
    success: true,
    commitOid,
    commitUrl: `${front}/${repository.name}/commit/${commitOid}`,
    hookOutput: '',
  });
}
