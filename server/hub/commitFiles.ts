// Files as one commit of a branch, by Hugging Face's own library: it asks how each file is to be sent, hashes and sends the large
// ones that the hub does not have, and then commits all of them at once. No other file of ours knows that library. It gets no token
// and no network but ours, and Xet is off: that protocol holds 64 MB for each of five files at a time.
import { type CommitOperation, commitIter } from '@huggingface/hub';
import { isUserError } from '../errors';
import { notAHub } from './answers';
import { inWords } from './hubSettings';
import { libraryFetch, type OnBytes } from './libraryFetch';
import type { PublishCalls } from './publishCalls';

export interface FileToSend {
  readonly path: string;
  readonly content: Blob;
}

export interface NewCommit {
  readonly title: string;
  readonly files: readonly FileToSend[];
  /** Files of the branch that go. */
  readonly removed: readonly string[];
  /** What the branch has to be by then. */
  readonly parent: string;
}

export interface CommitWatch {
  /** Of a large file, before it is sent. */
  onHashed(path: string, fraction: number): void;
  readonly onBytes: OnBytes;
  /** The hub has this large file. */
  onThere(path: string): void;
  /** All large files are there; what it throws keeps the branch as it is. */
  beforeCommit(): Promise<void>;
}

/** @throws UserError for whatever the hub refuses; `badState` where the branch has another head by then */
export async function commitFiles(calls: PublishCalls, commit: NewCommit, watch: CommitWatch): Promise<string> {
  const { settings, subject, patience } = calls;
  const steps = commitIter({
    repo: { type: 'model', name: subject.repository },
    hubUrl: inWords(settings.endpoint),
    branch: subject.revision,
    parentCommit: commit.parent,
    title: commit.title,
    operations: [
      ...commit.files.map(({ path, content }): CommitOperation => ({ operation: 'addOrUpdate', path, content })),
      ...commit.removed.map((path): CommitOperation => ({ operation: 'delete', path })),
    ],
    useXet: false,
    fetch: libraryFetch(calls, watch.onBytes),
    abortSignal: patience.signal,
  });
  try {
    for (;;) {
      const { done, value } = await steps.next();
      if (done) return value!.commit.oid;
      if (value.event === 'phase' && value.phase === 'committing') await watch.beforeCommit();
      if (value.event !== 'fileProgress') continue;
      if (value.state === 'hashing') watch.onHashed(value.path, value.progress);
      else if (value.progress === 1) watch.onThere(value.path);
    }
  } catch (error) {
    // What an answer lacks that the library counts on, as far as we have not looked at it.
    throw isUserError(error) || !isOfLibrary(error) ? error : notAHub(settings.endpoint);
  }
}

const isOfLibrary = (error: unknown): boolean =>
  error instanceof Error && /Invalid server response|Unrequested object|Cannot get ETag/.test(error.message);
