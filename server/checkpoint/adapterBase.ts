// Whether an adapter belongs to a model, by what is known of both: a word of warning, since the shapes say nothing.
import { homeFolder } from '../files/homeFolder';
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { liesIn, openInside, readTextInside } from '../files/contained';
import { adapterWeightsFile } from './adapter';
import { type BaseRecord, baseRecordOf, otherBase, parseRecord, recordText } from './baseRecord';
import { type Checkpoint, withCheckpoint } from './checkpoint';
import { isFile } from './folder';
import { hubPlaces } from '../shared/hubCache';
import { provenanceFile } from './provenance';
import { writeStagedFile } from './stagedFile';
import { cannotRead, nullIfMissing } from '../shared/systemErrors';

/** Writes beside an adapter which model it is trained on. @throws UserError `cannotWrite`. */
export const writeBaseRecord = async (folder: string, base: BaseRecord): Promise<void> =>
  writeStagedFile(join(folder, provenanceFile), recordText(base));

/** Of an adapter's weights, which say that it is the same one. */
export async function adapterSha256(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await openInside(folder, adapterWeightsFile);
  try {
    for await (const chunk of handle.createReadStream()) hash.update(chunk);
  } catch (error) {
    throw cannotRead(error, join(folder, adapterWeightsFile));
  }
  return hash.digest('hex');
}

/**
 * @param named `base_model_name_or_path` of the adapter
 * @returns a sentence where the adapter is merged already, or was trained on another model; null where nothing speaks against it
 * @throws UserError `damagedCheckpoint` for a record that cannot be read.
 */
export async function baseWarning(folder: string, named: string | null, model: Checkpoint): Promise<string | null> {
  const adapter = basename(resolve(folder));
  if (await isMergedInto(folder, model))
    return `${model.name} has the adapter ${adapter} in its weights already, as its ${provenanceFile} says; merged again it counts twice.`;
  const path = join(folder, provenanceFile);
  const written = (await isFile(path)) ? parseRecord(await readTextInside(folder, provenanceFile), path) : null;
  const base = written ?? (await baseAt(named, folder, model));
  if (base) {
    const other = otherBase(base, await baseRecordOf(model));
    return other && trainedOnOther(adapter, other.trained, `${model.name} is ${other.present}`);
  }
  const ancestor = ancestorCalled(named, model);
  return ancestor && trainedOnOther(adapter, ancestor, `${model.name} is a cut of it`);
}

const trainedOnOther = (adapter: string, then: string, now: string) =>
  `The adapter ${adapter} was trained on ${then}, but ${now}: what it learned belongs to other weights. Take its own base, or heal this model.`;

/** By the weights of the adapter; in files of earlier versions nothing says them. */
async function isMergedInto(folder: string, { provenance }: Checkpoint): Promise<boolean> {
  const merged = provenance?.steps.flatMap(({ kind, adapterSha256: sha }) => (kind === 'merge' ? [sha] : [])) ?? [];
  return merged.some((sha) => typeof sha === 'string') && merged.includes(await adapterSha256(folder));
}

/**
 * The folder of the model that an adapter names, where it still is. Others may have written the name, so that it leads nowhere
 * but beside the adapter or one of the `others`, or into Hugging Face's cache.
 */
export async function namedBase(
  named: string | null,
  adapter: string,
  others: readonly string[] = [],
): Promise<string | null> {
  const there = named === null ? null : await realpath(named).catch(nullIfMissing);
  const { hub } = hubPlaces(process.env, homeFolder());
  const cache = await realpath(hub).catch(() => hub);
  const around = [...others.map(dirname), dirname(await realpath(adapter)), cache];
  return there !== null && around.some((folder) => liesIn(there, folder)) ? there : null;
}

/** null where it is not there, or is the model in question. */
async function baseAt(named: string | null, adapter: string, model: Checkpoint): Promise<BaseRecord | null> {
  const own = await realpath(model.folder);
  const there = await namedBase(named, adapter, [own]);
  if (there === null || there === own) return null;
  try {
    return await withCheckpoint(there, baseRecordOf);
  } catch {
    return null; // nothing there, or nothing that we read
  }
}

/** A model that this one was cut from, if that is what the adapter names; a folder that was moved keeps its last name. */
function ancestorCalled(named: string | null, { name, folder, provenance }: Checkpoint): string | null {
  if (named === null || provenance === null) return null;
  const last = (path: string) => basename(path.replaceAll('\\', '/'));
  if ([name, folder].map(last).includes(last(named)) || provenance.removedBlocks.length === 0) return null;
  return (
    [provenance.sourceModel, provenance.baseModel].map((it) => it.name).find((it) => last(it) === last(named)) ?? null
  );
}
