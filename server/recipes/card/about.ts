// What a card has to know of the folder itself: what it was made of, what was done to it, and what of it names a place of this machine.
import { basename, join } from 'node:path';
import { namedBase } from '../../checkpoint/adapterBase';
import { adapterConfigFile, parseAdapterConfig } from '../../checkpoint/adapterConfig';
import { parseRecord } from '../../checkpoint/baseRecord';
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import { isFile } from '../../checkpoint/folder';
import { provenanceFile, sublayersInOriginal } from '../../checkpoint/provenance';
import { isUserError } from '../../errors';
import { readTextInside } from '../../files/contained';
import { architectureFor } from '../../gguf/refusals';
import { isOwnedRepository } from '../../protocol/repositoryNames';
import type { CardFile } from '../../publishing/card/card';
import type { CardFacts, Cut } from '../../publishing/card/facts';
import { findOriginal } from '../heal/findOriginal';
import { summarize } from '../modelSummary';

export interface FolderAbout extends Pick<CardFacts, 'of' | 'cut' | 'steps' | 'model' | 'notInLlamaCpp'> {
  /** Names on the hub, as far as folders say them: what it was made of or is for, and the first model of all. */
  readonly base: string | null;
  readonly origin: string | null;
  /** Folders whose licence and card it keeps, the nearest first. */
  readonly originals: readonly string[];
  /** Its own small files as they may be published, by what it is for on the hub. */
  files(base: string | null): CardFile[];
}

interface Asked {
  readonly original: string | null;
}

export const modelAbout = (folder: string, { original }: Asked): Promise<FolderAbout> =>
  withCheckpoint(folder, async (checkpoint) => {
    const there = await findOriginal(checkpoint, original);
    const place = there === null ? null : await placeOf(there);
    const base = [checkpoint.provenance?.baseModel.name, place?.name].find(isHubName) ?? null;
    return {
      of: 'model',
      base,
      origin: base,
      originals: place === null ? [] : [place.folder],
      cut: cutOf(checkpoint),
      steps: checkpoint.provenance?.steps ?? [],
      model: summarize(checkpoint),
      notInLlamaCpp: refusalOf(checkpoint),
      files: () => [],
    };
  });

export async function adapterAbout(folder: string, { original }: Asked): Promise<FolderAbout> {
  const text = await readTextInside(folder, adapterConfigFile);
  const { baseModelNameOrPath: named } = parseAdapterConfig(text, join(folder, adapterConfigFile));
  const path = join(folder, provenanceFile);
  const record = (await isFile(path)) ? parseRecord(await readTextInside(folder, provenanceFile), path) : null;
  const there = original ?? (await namedBase(named, folder));
  const ofBase = there === null ? null : await modelAbout(there, { original: null });
  const place = there === null ? null : await placeOf(there);
  const lost: Cut = {
    original: record?.original ?? named ?? 'its model',
    nBlocks: null,
    blocks: record?.removedBlocks ?? [],
    attention: [],
    mlp: [],
  };
  return {
    of: 'adapter',
    base: [named, record?.name, place?.name].find(isHubName) ?? null,
    origin: [ofBase?.origin, record?.original].find(isHubName) ?? null,
    originals: place === null ? [] : [place.folder, ...(ofBase?.originals ?? [])],
    cut: ofBase?.cut ?? lost,
    steps: ofBase?.steps ?? [],
    model: null,
    notInLlamaCpp: ofBase?.notInLlamaCpp ?? null,
    files: (base) => [
      { name: adapterConfigFile, text: withBase(text, base ?? record?.name ?? basename(named ?? 'model')) },
    ],
  };
}

/** As an export would say it. */
function refusalOf(checkpoint: Checkpoint): string | null {
  try {
    architectureFor(checkpoint);
    return null;
  } catch (error) {
    if (isUserError(error)) return error.message;
    throw error;
  }
}

const isHubName = (name: string | null | undefined): name is string =>
  typeof name === 'string' && isOwnedRepository(name);

/** In a cache the folder is the snapshot. */
const placeOf = (given: string): Promise<Pick<Checkpoint, 'name' | 'folder'>> =>
  withCheckpoint(given, async ({ name, folder }) => ({ name, folder }));

/** What PEFT loads the adapter on, in place of a folder of this machine. */
const withBase = (text: string, base: string): string =>
  `${JSON.stringify({ ...(JSON.parse(text) as object), base_model_name_or_path: base }, null, 2)}\n`;

/** By the numbers of the first model of all. */
function cutOf({ name, config, provenance }: Checkpoint): Cut {
  if (provenance === null) return { original: name, nBlocks: config.nBlocks, blocks: [], attention: [], mlp: [] };
  const { baseModel, removedBlocks } = provenance;
  return {
    original: baseModel.name,
    nBlocks: baseModel.nBlocks,
    blocks: removedBlocks,
    ...sublayersInOriginal(provenance),
  };
}
