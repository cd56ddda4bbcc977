// best.json of a healing: sums of the weights that may lie at the folder's root. The new one is written down before its weights take
// their place, so that a run that is killed in between has either.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Adapter, adapterSpecs, adapterWeightsFile } from '../../checkpoint/adapter';
import { safetensorsSha256 } from '../../checkpoint/safetensors';
import { sealed, unsealed } from '../../checkpoint/sealed';
import { readBytes, readText } from '../../files/text';
import { writeStagedFile } from '../../checkpoint/stagedFile';
import { isMissing, isNoFile } from '../../shared/systemErrors';

const bestFile = 'best.json';
/** A run that is killed in between and goes on may publish the same adapters again. */
const nKept = 3;

/** To be called before the adapter is written. */
export async function recordAdapter(folder: string, adapter: Adapter): Promise<void> {
  const sha256 = safetensorsSha256(
    adapterSpecs(adapter),
    ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  );
  const before = (await recorded(folder)) ?? [];
  const weightsSha256 = [...new Set([sha256, ...before])].slice(0, nKept);
  await writeStagedFile(join(folder, bestFile), `${sealed(JSON.stringify({ weightsSha256 }))}\n`);
}

/** Whether the weights at the root are what was written there. Nothing speaks against them where the record is missing. */
export async function isRecordedAdapter(out: string, folder: string): Promise<boolean> {
  const sums = await recorded(folder);
  const bytes = await readBytes(join(out, adapterWeightsFile)).catch(insteadOfNone(null));
  if (bytes === null) return false;
  return sums === null || sums.includes(createHash('sha256').update(bytes).digest('hex'));
}

/** What the system does not give now is not taken for lost: another would be written in its place. */
const insteadOfNone =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (isMissing(error) || isNoFile(error)) return instead;
    throw error;
  };

/** The newest first; null: it is missing, as in folders of earlier versions, or damaged. */
async function recorded(folder: string): Promise<string[] | null> {
  const text = await readText(join(folder, bestFile)).catch(insteadOfNone(''));
  const { weightsSha256 } = (unsealed(text) ?? {}) as { weightsSha256?: string[] };
  return Array.isArray(weightsSha256) ? weightsSha256 : null;
}
