// prove: a folder opened anew and held against its original and its reports. Publishing asks for the same before it sends anything.
import { basename, join } from 'node:path';
import { parseAdapterConfig, adapterConfigFile } from '../../checkpoint/adapterConfig';
import { namedBase } from '../../checkpoint/adapterBase';
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import { isFile, isFolder } from '../../checkpoint/folder';
import { sublayersInOriginal } from '../../checkpoint/provenance';
import { isUserError, UserError } from '../../errors';
import { readTextInside } from '../../files/contained';
import type { TokenSourceReport } from '../../protocol/recipes';
import type { Computing } from '../../publishing/computing';
import { changesIn } from '../../publishing/changes';
import { type LossSubject, promisedLosses } from '../../publishing/promisedLosses';
import { firstFailure, guarded } from '../../publishing/proof';
import { proveFolder } from '../../publishing/prove';
import { proveAdapter } from '../../publishing/proveAdapter';
import { type FoundReport, tokenSourceReport } from '../../publishing/reports';
import type { Device } from '../../runtime/device';
import { findOriginal } from '../heal/findOriginal';
import { noTime, nothingHeld, type Run, runFacts, withDevice, withModel } from '../recipeContext';
import { readReports } from '../reportFiles';
import { adapterLossCheck } from './adapterLoss';
import type { ProofCheck, ProveRecipe, ProveReport } from './recipe';

export async function runProve(recipe: ProveRecipe, run: Run): Promise<ProveReport> {
  const began = performance.now();
  if (!(await isFolder(recipe.model)))
    throw new UserError('notFound', `There is no folder ${recipe.model}; give the folder of a model or an adapter.`);
  const reports = await readReports(recipe.reports);
  const isAdapter = await isFile(join(recipe.model, adapterConfigFile));
  return withDevice(recipe.compute, async (device) => {
    const computing = computingOn(device, recipe, run);
    const checks = isAdapter ? await ofAdapter(recipe, reports, computing) : await ofModel(recipe, reports, computing);
    const timing = { ...noTime, elapsedMs: performance.now() - began };
    return {
      kind: 'prove',
      folder: recipe.model,
      of: isAdapter ? 'adapter' : 'model',
      passed: firstFailure(checks) === null,
      checks,
      ...runFacts(recipe.compute, device, nothingHeld, timing),
    };
  });
}

const computingOn = (device: Device, { compute }: ProveRecipe, run: Run): Computing => ({
  signal: run.signal,
  async withModel(checkpoint, work, body) {
    const shape = { ...work, keepStates: false };
    const result = await withModel(checkpoint, device, compute, shape, run, (model) => body(model));
    // Programs are compiled for one model's shapes.
    await device.forgetPrograms();
    return result;
  },
});

async function ofAdapter(
  { model: folder, original, texts }: ProveRecipe,
  reports: readonly FoundReport[],
  computing: Computing,
): Promise<ProofCheck[]> {
  const base = original ?? (await namedIn(folder));
  const checks = await proveAdapter(folder, base);
  if (base === null || firstFailure(checks) !== null) return checks;
  const healings = reports
    .filter((each) => each.kind === 'heal')
    .filter(({ out }) => basename(out) === basename(folder));
  const asked = { folder, base, reports: healings, texts };
  return [...checks, await guarded('loss', () => adapterLossCheck(asked, computing))];
}

async function namedIn(folder: string): Promise<string | null> {
  const text = await readTextInside(folder, adapterConfigFile);
  const { baseModelNameOrPath: named } = parseAdapterConfig(text, join(folder, adapterConfigFile));
  return namedBase(named, folder);
}

async function ofModel(recipe: ProveRecipe, reports: readonly FoundReport[], computing: Computing) {
  const about = await knownOf(recipe);
  const ofLosses = reports.filter(
    (each) => each.kind === 'perplexity' || each.kind === 'prune' || each.kind === 'study',
  );
  const inputs = {
    original: about?.original ?? null,
    losses: about ? promisedLosses(ofLosses, about.subject) : [],
    texts: recipe.texts,
    tokenizerSha256: tokenizerIn(reports),
  };
  return proveFolder(recipe.model, inputs, computing);
}

/** null: the folder cannot be opened, and the proof will say so. */
async function knownOf({
  model,
  original,
}: ProveRecipe): Promise<{ subject: LossSubject; original: string | null } | null> {
  try {
    return await withCheckpoint(model, async (checkpoint) => ({
      subject: subjectOf(checkpoint),
      original: await findOriginal(checkpoint, original),
    }));
  } catch (error) {
    if (!isUserError(error) || error.code === 'badChoice') throw error;
    return null;
  }
}

function subjectOf(checkpoint: Checkpoint): LossSubject {
  const { folder, name, provenance } = checkpoint;
  const isCut = provenance !== null && changesIn(provenance.steps).length === 0;
  const cut = isCut && {
    original: provenance.baseModel.name,
    removedBlocks: provenance.removedBlocks,
    droppedSublayers: sublayersInOriginal(provenance),
  };
  return { folder, name, cut: cut || null, calibration: calibrationIn(checkpoint) };
}

function calibrationIn({ provenance }: Checkpoint): TokenSourceReport | null {
  const last = provenance?.steps.at(-1)?.calibration;
  const read = tokenSourceReport.safeParse(last);
  return read.success ? read.data : null;
}

/** Of the original, in an evaluation. */
const tokenizerIn = (reports: readonly FoundReport[]): string | null =>
  reports.flatMap((each) => (each.kind === 'evaluate' ? each.models : []))[0]?.tokenizerSha256 ?? null;
