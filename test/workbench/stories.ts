// The workspace of the tests: the tiny model and a text to measure it on.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { modelFolder, repoRoot } from '../fixtures';

export function copyStories(workspace: string): void {
  cpSync(modelFolder('stories260k'), join(workspace, 'stories260k'), { recursive: true });
  cpSync(join(repoRoot, 'media/demo/tinystories.txt'), join(workspace, 'tinystories.txt'));
}
