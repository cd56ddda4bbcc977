// The model that a pruned one was made from, where it still is.
import { homeFolder } from '../../files/homeFolder';
import { basename, dirname, join } from 'node:path';
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import { UserError } from '../../errors';
import { resolveInside } from '../../files/contained';
import { cacheFolderOf, hubPlaces } from '../../shared/hubCache';

/**
 * The folder of the original model: the one that was named, else one of the name in espalier.json that lies beside the pruned
 * model or in Hugging Face's cache, and has its blocks. null where there is none. Who wrote that file wrote the name: it leads
 * nowhere else.
 * @throws UserError `badChoice` for one that was named and does not fit.
 */
export async function findOriginal(pruned: Checkpoint, named: string | null): Promise<string | null> {
  if (named !== null) {
    await refuseOther(pruned, named);
    return named;
  }
  const base = pruned.provenance?.baseModel;
  if (!base) return null;
  const { hub } = hubPlaces(process.env, homeFolder());
  if (!isPlain(base.name)) return null;
  const places = [
    { around: dirname(pruned.folder), name: basename(base.name) },
    { around: hub, name: cacheFolderOf('models', base.name) },
  ];
  for (const { around, name } of places) {
    const nBlocks = await blocksOf(around, name);
    if (nBlocks === base.nBlocks) return join(around, name);
  }
  return null;
}

/** The name of a folder, or `owner/name`. */
const isPlain = (name: string): boolean =>
  /^[^/\\\0]+(\/[^/\\\0]+)?$/.test(name) && !name.split('/').some((part) => /^\.+$/.test(part));

async function refuseOther({ config, name }: Checkpoint, folder: string): Promise<void> {
  const { vocabularySize, nBlocks } = await withCheckpoint(folder, async (original) => original.config);
  if (vocabularySize !== config.vocabularySize)
    throw new UserError(
      'badChoice',
      `${folder} has ${vocabularySize} tokens in its vocabulary, but ${name} has ${config.vocabularySize}; give the model that it was pruned from as --dense.`,
    );
  if (nBlocks < config.nBlocks)
    throw new UserError(
      'badChoice',
      `${folder} has ${nBlocks} blocks, fewer than the ${config.nBlocks} of ${name}; give the model that it was pruned from as --dense.`,
    );
}

async function blocksOf(around: string, name: string): Promise<number | null> {
  try {
    return await withCheckpoint(await resolveInside(around, name), async ({ config }) => config.nBlocks);
  } catch {
    return null; // nothing there, or nothing that we read
  }
}
