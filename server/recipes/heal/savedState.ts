// The saved state of a healing: state.json says where the run is, with a checksum, and names the file of the optimizer's tensors and
// its sum. The last two states are kept: where the newer one is damaged, the run goes on from the older one.
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileSource } from '../../checkpoint/byteSource';
import { readSafetensorsHeader, safetensorsSha256, writeTensors } from '../../checkpoint/safetensors';
import { readSealed, type SealedFile, sealed } from '../../checkpoint/sealed';
import { writeStaged, writeStagedFile } from '../../checkpoint/stagedFile';
import { isUserError, UserError } from '../../errors';
import { openToRead } from '../../files/contained';
import { removeTree } from '../../files/remove';
import { finiteJson } from '../../shared/finite';
import { cannotRead, isMissing, isNoFile } from '../../shared/systemErrors';
import type { Progress } from '../../training/loop';
import type { Begun } from './identity';

export interface SavedState {
  readonly progress: Progress;
  /** What the run was begun with, should its own file be damaged. Absent in files of earlier versions. */
  readonly begun?: Begun;
  readonly tensors: Map<string, Float32Array>;
}

/** state.json. */
interface StateFile extends Progress {
  readonly tensors: string;
  /** Absent in files of earlier versions, which are taken as they are. */
  readonly sha256?: string;
  readonly begun?: Begun;
}

const newest = 'state.json';
const before = 'state-before.json';

/** @param folder the run's own, `run/` */
export async function saveState(
  folder: string,
  progress: Progress,
  begun: Begun,
  tensors: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  const file = `state-${progress.step}.safetensors`;
  const specs = [...tensors].map(([name, data]) => ({ name, dtype: 'F32' as const, shape: [data.length], data }));
  const sha256 = safetensorsSha256(specs, ({ data }) => bytesUnder(data));
  const last = await readStateFile(join(folder, newest));
  await writeStaged(join(folder, file), (stage) => writeTensors(stage, specs, ({ data }) => [bytesUnder(data)]));
  const lastIsAnother = last.kind === 'read' && last.value.tensors !== file;
  if (lastIsAnother) await writeStagedFile(join(folder, before), last.text);
  await writeStagedFile(join(folder, newest), `${sealed(finiteJson({ ...progress, tensors: file, sha256, begun }))}\n`);
  await removeOlderStates(folder);
}

/** Of what is no state any more; a loss of power may bring one back that was being removed. */
export async function removeOlderStates(folder: string): Promise<void> {
  const states = [await readStateFile(join(folder, newest)), await readStateFile(join(folder, before))];
  const kept = states.map((found) => (found.kind === 'read' ? found.value.tensors : null));
  // Those of a file that is damaged are not known.
  if (states.some(({ kind }) => kind === 'damaged')) return;
  for (const other of await readdir(folder))
    if (/^state-\d+\.safetensors$/.test(other) && !kept.includes(other)) await removeTree(join(folder, other));
}

/**
 * The newest state that is whole; null where none was saved yet. `said` names what is damaged.
 * @throws UserError `badData` where states were saved and none is whole
 */
export async function readSavedState(folder: string): Promise<{ state: SavedState | null; said: string[] }> {
  const faults: string[] = [];
  for (const name of [newest, before]) {
    const found = await readState(folder, name);
    if (found.kind === 'absent') continue;
    if (found.kind === 'damaged') faults.push(found.what);
    else if (faults.length === 0) return { state: found.state, said: [] };
    else {
      const said = `${faults[0]} is damaged; the run goes on from the state before it, after ${found.state.progress.step} steps.`;
      return { state: found.state, said: [said] };
    }
  }
  if (faults.length === 0) return { state: null, said: [] };
  const none = faults.length > 1 ? `and so is ${faults[1]} of the state before it` : 'and there is no state before it';
  throw new UserError(
    'badData',
    `${faults[0]} is damaged, ${none}; begin the run anew in another folder, or with this one's best adapter as --init.`,
  );
}

type FoundState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'damaged'; readonly what: string }
  | { readonly kind: 'whole'; readonly state: SavedState };

async function readState(folder: string, name: string): Promise<FoundState> {
  const path = join(folder, name);
  const found = await readStateFile(path);
  if (found.kind === 'absent') return found;
  if (found.kind === 'damaged') return { kind: 'damaged', what: path };
  const { tensors: file, sha256, begun, ...progress } = found.value;
  const tensors = await readTensors(join(folder, file), sha256);
  if (!tensors) return { kind: 'damaged', what: join(folder, file) };
  return { kind: 'whole', state: { progress, tensors, ...(begun && { begun }) } };
}

/** What the run was begun with, by its states; null where they do not say. */
export async function begunInStates(folder: string): Promise<Begun | null> {
  for (const name of [newest, before]) {
    const found = await readStateFile(join(folder, name));
    if (found.kind === 'read' && found.value.begun) return found.value.begun;
  }
  return null;
}

async function readStateFile(path: string): Promise<SealedFile<StateFile>> {
  const found = await readSealed<StateFile>(path);
  return found.kind === 'read' && !isState(found.value) ? { kind: 'damaged' } : found;
}

const isState = ({ step, evaluatedAtStep, sinceBest, best, tensors }: StateFile): boolean =>
  [step, evaluatedAtStep, sinceBest].every(Number.isInteger) &&
  best !== undefined &&
  /^state-\d+\.safetensors$/.test(tensors);

/** null: the file is damaged or missing, which one that the system does not give now is not. */
async function readTensors(path: string, sha256: string | undefined): Promise<Map<string, Float32Array> | null> {
  try {
    if (sha256 !== undefined && (await fileSha256(path)) !== sha256) return null;
    const source = await openFileSource(path);
    try {
      const tensors = new Map<string, Float32Array>();
      for (const { name, shape, offset } of (await readSafetensorsHeader(source)).tensors) {
        const data = new Float32Array(shape[0]!);
        await source.read(bytesUnder(data), offset);
        tensors.set(name, data);
      }
      return tensors;
    } finally {
      await source.close();
    }
  } catch (error) {
    if (isUserError(error) && ['outsideRoots', 'cannotRead'].includes(error.code)) throw error;
    if (isUserError(error) || isMissing(error) || isNoFile(error)) return null;
    throw cannotRead(error, path);
  }
}

async function fileSha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await openToRead(path);
  for await (const chunk of file.createReadStream({ highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

const bytesUnder = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);
