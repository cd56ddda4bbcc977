// Whether a commit on the hub holds what would be published, by the hashes that the hub says.
import { hexOf, type HubFile } from './answers';
import { newHash } from './blob';
import type { FileToSend } from './commitFiles';

/** What else the commit holds makes no difference. Files are read only where all are there in the right size. */
export async function areTheSame(files: readonly FileToSend[], there: readonly HubFile[]): Promise<boolean> {
  const byPath = new Map(there.map((file) => [file.path, file]));
  const pairs = files.map(({ path, content }) => ({ content, file: byPath.get(path) }));
  if (pairs.some(({ content, file }) => file?.sizeBytes !== content.size)) return false;
  for (const { content, file } of pairs) if (!file || (await hashAs(content, file)) !== hexOf(file.hash)) return false;
  return true;
}

async function hashAs(content: Blob, file: HubFile): Promise<string> {
  const hashing = newHash(file);
  for await (const chunk of content.stream()) hashing.update(chunk);
  return hashing.digest('hex');
}
