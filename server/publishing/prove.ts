// The proof of a model folder: it is opened anew and held against what the run computed and said. Whatever fails is not published.
import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { type Checkpoint, withCheckpoint } from '../checkpoint/checkpoint';
import { firstNotFiniteWeight } from '../checkpoint/notFiniteWeight';
import { isUserError } from '../errors';
import { readInside } from '../files/contained';
import { nullIfMissing } from '../shared/systemErrors';
import { openTokenizer } from '../tokenizer/tokenizer';
import type { ProofCheck } from '../recipes/prove/recipe';
import { misfitIn } from './blockLists';
import type { Computing } from './computing';
import { codeNamedBy, filesCheck } from './foreignFiles';
import { generationCheck } from './generationCheck';
import { logitsCheck } from './logitsCheck';
import { lossCheck } from './lossCheck';
import type { PromisedLoss } from './promisedLosses';
import { failed, guarded, notChecked, passed } from './proof';

/** What a folder is held against. */
export interface ProofInputs {
  /** Folder of the model that it was made of; null: not at hand. */
  readonly original: string | null;
  /** What reports say of its loss. */
  readonly losses: readonly PromisedLoss[];
  /** Files of text that reports name by their hash. */
  readonly texts: readonly string[];
  /** sha256 of the original's tokenizer.json, as a report has it; null: no report does. */
  readonly tokenizerSha256: string | null;
}

/** All checks of a folder, in the order of protocol/proofChecks.ts. Throws UserError `cancelled` and what is no fault of the folder. */
export async function proveFolder(folder: string, inputs: ProofInputs, computing: Computing): Promise<ProofCheck[]> {
  const files = await filesCheck(folder);
  try {
    return await withCheckpoint(folder, async (checkpoint) => {
      const opens = passed('opens', `${checkpoint.name} has ${checkpoint.config.nBlocks} blocks.`);
      const named = codeNamedBy(checkpoint.configJson, 'config.json');
      const still = [
        opens,
        named === null ? files : failed('files', named),
        configCheck(checkpoint),
        await finiteCheck(checkpoint),
      ];
      // What cannot be computed need not be.
      if (still.some(({ outcome }) => outcome === 'failed')) return still;
      return [
        ...still,
        ...(await withOriginal(inputs, (original) => computed(checkpoint, original, inputs, computing))),
      ];
    });
  } catch (error) {
    if (!isUserError(error) || error.code === 'cancelled' || error.code === 'cannotFit') throw error;
    return [failed('opens', error.message), files];
  }
}

async function computed(
  checkpoint: Checkpoint,
  original: Checkpoint | null,
  inputs: ProofInputs,
  computing: Computing,
): Promise<ProofCheck[]> {
  const tokenizer = await openTokenizer(checkpoint.folder);
  return [
    await tokenizerCheck(checkpoint, original, inputs),
    await guarded('logits', () => logitsCheck(checkpoint, original, tokenizer, computing)),
    await guarded('loss', () => lossCheck(checkpoint, tokenizer, inputs, computing)),
    await guarded('generation', () => generationCheck(checkpoint, tokenizer, computing)),
  ];
}

/** null where the original is not at hand. */
async function withOriginal<T>(
  { original }: ProofInputs,
  body: (original: Checkpoint | null) => Promise<T>,
): Promise<T> {
  return original === null ? body(null) : withCheckpoint(original, body);
}

function configCheck({ configJson }: Checkpoint): ProofCheck {
  const misfit = misfitIn(configJson);
  return misfit === null
    ? passed('config', 'Its lists of blocks have as many entries as there are blocks.')
    : failed('config', misfit);
}

async function finiteCheck(checkpoint: Checkpoint): Promise<ProofCheck> {
  const found = await firstNotFiniteWeight(checkpoint, checkpoint.weights.values());
  if (found === null) return passed('finite', `All ${checkpoint.weights.size} weights were read.`);
  const { name, index, file, value } = found;
  return failed('finite', `${name} in ${file} holds ${value} at [${index}]; write the model anew.`);
}

/** As transformers opens it, and byte by byte. */
async function tokenizerCheck(
  checkpoint: Checkpoint,
  original: Checkpoint | null,
  { tokenizerSha256 }: ProofInputs,
): Promise<ProofCheck> {
  const own = await hashOf(checkpoint.folder);
  const isOriginal = original && (await realpath(original.folder)) === (await realpath(checkpoint.folder));
  const expected = original && !isOriginal ? await hashOf(original.folder) : tokenizerSha256;
  if (expected === null)
    return notChecked('tokenizer', 'Neither the original nor an evaluation of it is at hand; give --original FOLDER.');
  return own === expected
    ? passed('tokenizer', 'Its tokenizer.json is that of the original, byte by byte.')
    : failed('tokenizer', `tokenizer.json is not that of ${original?.name ?? 'the report'}; copy it from there.`);
}

async function hashOf(folder: string): Promise<string | null> {
  const bytes = await readInside(folder, 'tokenizer.json').catch(nullIfMissing);
  return bytes && createHash('sha256').update(bytes).digest('hex');
}
