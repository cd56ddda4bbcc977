// A file of several by the hash that a report has of it.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { openToRead } from '../files/contained';

/** One of that name first, since large ones take long to hash. null: it is not among them. */
export async function fileWithHash(files: readonly string[], name: string, sha256: string): Promise<string | null> {
  const ofName = (file: string) => (basename(file) === basename(name) ? 0 : 1);
  for (const file of [...files].sort((one, other) => ofName(one) - ofName(other))) {
    const hash = createHash('sha256');
    for await (const chunk of (await openToRead(file)).createReadStream()) hash.update(chunk as Buffer);
    if (hash.digest('hex') === sha256) return file;
  }
  return null;
}
