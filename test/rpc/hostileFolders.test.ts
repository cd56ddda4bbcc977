// Each hostile folder beside a good model: the good one is in the list, and the bad one with a sentence.
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connect, newFolder, serverOfFile, stories } from './client';
import { hostileFolders } from './hostileFolders';

const root = newFolder();
const opened = serverOfFile(root);
let nWorkspaces = 0;

it.each(hostileFolders)('$what hides no neighbour', async ({ make, says }) => {
  const workspace = join(root, `w${nWorkspaces++}`);
  mkdirSync(workspace);
  make(workspace);
  // Behind the bad one by its name.
  cpSync(stories, join(workspace, 'zgood'), { recursive: true });
  const client = await connect(opened.server.lock, [workspace]);
  const began = performance.now();
  const { models, broken } = await client.request('models/find', { folders: [] });
  expect(performance.now() - began).toBeLessThan(10_000);
  expect(models.map(({ summary }) => summary.folder)).toContain(join(workspace, 'zgood'));
  if (says === null) expect(broken).toEqual([]);
  else expect(broken).toEqual([{ folder: expect.any(String), message: expect.stringMatching(says) }]);
  for (const { message } of broken) expect(message.length).toBeLessThan(1000);
  await client.close();
});
