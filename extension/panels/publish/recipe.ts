// What the page's settings mean as a recipe, and what they are at first.
import { basename } from 'node:path';
import type { Memento } from 'vscode';
import type { PublishSettings } from '../../../server/protocol/pages/publish';
import { type PublishRecipe, publishKind } from '../../../server/recipes/publish/recipe';
import { modelName } from '../../trees/modelNodes';

/** The owner is the one that was given last. */
export function firstSettings(folder: string, memory: Pick<Memento, 'get'>): PublishSettings {
  const owner = memory.get<string>('publish owner');
  const name = basename(modelName(folder)).replace(/[^\w.-]+/g, '-');
  const repository = owner ? `${owner}/${name}` : '';
  return { repository, branch: 'main', tag: '', collection: '', base: '', isPublic: false, words: '' };
}

/** @throws where a field is none that the hub takes; the page says so before */
export const recipeOf = (
  folder: string,
  { repository, branch, tag, collection, base, isPublic, words }: PublishSettings,
  reports: readonly string[],
  dryRun: boolean,
): PublishRecipe =>
  publishKind.schema.parse({
    kind: 'publish',
    model: folder,
    repository,
    branch: branch || 'main',
    visibility: isPublic ? 'public' : 'private',
    tag: tag || null,
    collection: collection.trim() || null,
    base: base || null,
    words: words.trim() || null,
    reports,
    dryRun,
  });
