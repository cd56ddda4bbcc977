// How far a publishing is: the share of all bytes that the hub has. Large files are hashed before they are sent.
import type { CommitWatch, FileToSend } from '../../hub/commitFiles';
import { progress, type Run } from '../recipeContext';
import type { PlannedUpload } from './recipe';

export interface UploadProgress {
  /** What is to be told of the files of a folder. */
  of(files: readonly FileToSend[]): Pick<CommitWatch, 'onHashed' | 'onBytes' | 'onThere'>;
  isDone(upload: PlannedUpload): void;
  sentBytes(): number;
}

export function uploadProgress(totalBytes: number, run: Run): UploadProgress {
  const said = { hash: -1, upload: -1 };
  /** Bytes come in thousands of pieces a second. */
  const say = (step: keyof typeof said, bytes: number) => {
    const thousandths = Math.floor((1000 * Math.min(bytes, totalBytes)) / Math.max(1, totalBytes));
    if (thousandths !== said[step]) progress(run, step)(thousandths / 1000);
    said[step] = thousandths;
  };
  let doneBytes = 0;
  let sentBytes = 0;
  return {
    of(files) {
      const sizes = new Map(files.map(({ path, content }) => [path, content.size]));
      const hashed = new Map<string, number>();
      const there = new Map<string, number>();
      const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((total, n) => total + n, 0);
      return {
        onHashed(path, fraction) {
          hashed.set(path, fraction * sizes.get(path)!);
          say('hash', doneBytes + sum(hashed));
        },
        onBytes(path, n) {
          sentBytes += n;
          there.set(path, (there.get(path) ?? 0) + n);
          say('upload', doneBytes + sum(there));
        },
        onThere(path) {
          there.set(path, sizes.get(path) ?? 0);
          say('upload', doneBytes + sum(there));
        },
      };
    },
    isDone({ sizeBytes }) {
      doneBytes += sizeBytes;
      say('upload', doneBytes);
    },
    sentBytes: () => sentBytes,
  };
}
