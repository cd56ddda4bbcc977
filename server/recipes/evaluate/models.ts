// The models of an evaluation: which are only shorter paths through the first one, and what each is called.
import { createHash } from 'node:crypto';
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import type { SourceIdentity } from '../../checkpoint/sourceIdentity';
import { pathWithinBase } from '../../checkpoint/withinBase';
import { isUserError, UserError } from '../../errors';
import { readInside } from '../../files/contained';
import { maxTokensOf } from '../../evaluation/encode';
import { type Path, pathWithout } from '../../model/path';
import { blockWeights } from '../../model/weights';
import type { DropSet } from '../../protocol/recipes';
import type { EvaluateRecipe, EvaluatedModel } from './recipe';
import { checkDropSet, formatDropSet, isEmpty, ofBlocks } from '../../shared/dropSets';
import { summarize } from '../modelSummary';

/** Models that are computed together: all are paths through one checkpoint. */
export interface Family {
  readonly folder: string;
  readonly members: readonly { readonly model: number; readonly path: Path }[];
}

/** Models in the order of the report: the original, its variants without having been written, the other folders. */
export async function openModels({
  models: folders,
  drops,
  maxTokens,
}: EvaluateRecipe): Promise<{ models: EvaluatedModel[]; families: Family[]; sources: SourceIdentity[] }> {
  const sources: SourceIdentity[] = [];
  const found: { model: EvaluatedModel; folder: string; path: Path }[] = [];
  await withCheckpoint(folders[0]!, async (base) => {
    sources.push(base);
    for (const drop of [ofBlocks([]), ...drops.map((drop) => checkDropSet(drop, base.config.nBlocks))]) {
      const path = pathWithout(base.config, drop);
      found.push({ model: await factsOf(base, drop, maxTokens), folder: base.folder, path });
    }
    for (const folder of folders.slice(1))
      await withCheckpoint(folder, async (variant) => {
        sources.push(variant);
        const model = await factsOf(variant, ofBlocks([]), maxTokens);
        const isSameText = model.tokenizerSha256 === found[0]!.model.tokenizerSha256;
        const within = isSameText ? await pathWithinBase(base, variant) : null;
        if (within) found.push({ model, folder: base.folder, path: within });
        else found.push({ model, folder: variant.folder, path: pathWithout(variant.config) });
      });
  });
  const models = withUniqueLabels(found.map(({ model }) => model));
  const families = [...new Set(found.map(({ folder }) => folder))].map((folder) => ({
    folder,
    members: found.flatMap((it, model) => (it.folder === folder ? [{ model, path: it.path }] : [])),
  }));
  return { models, families, sources };
}

async function factsOf(checkpoint: Checkpoint, drop: DropSet, maxTokens: number | null): Promise<EvaluatedModel> {
  const { name, folder, config, provenance, weights } = checkpoint;
  const { nParameters, sizeBytes, dtype, healed } = summarize(checkpoint);
  const gone = new Set(drop.blocks);
  const left = [...weights].filter(([weight]) => !gone.has(Number(/^model\.layers\.(\d+)\./.exec(weight)?.[1] ?? -1)));
  const perBlock = blockWeights(config).reduce((n, { shape }) => n + shape.reduce((a, b) => a * b, 1), 0);
  const original = provenance?.keptBlocks ?? config.blocks.map((_, k) => k);
  return {
    label: isEmpty(drop) ? name : `${name} without ${formatDropSet(drop)}`,
    name,
    folder,
    drop,
    removedBlocks: [...(provenance?.removedBlocks ?? []), ...drop.blocks.map((k) => original[k]!)].sort(
      (a, b) => a - b,
    ),
    healed,
    nBlocks: config.nBlocks - drop.blocks.length,
    nParameters: nParameters - perBlock * drop.blocks.length,
    sizeBytes: isEmpty(drop) ? sizeBytes : left.reduce((n, [, { nBytes }]) => n + nBytes, 0),
    dtype,
    maxTokens: maxTokensOf(config, maxTokens),
    tokenizerSha256: await tokenizerSha256(folder),
  };
}

async function tokenizerSha256(folder: string): Promise<string> {
  const text = await readInside(folder, 'tokenizer.json').catch((error) => {
    if (isUserError(error)) throw error;
    throw new UserError(
      'notFound',
      `There is no tokenizer.json in ${folder}; add the one of the original model, since tasks are text.`,
    );
  });
  return createHash('sha256').update(text).digest('hex');
}

/** Folders of one name are distinguished by their whole path. */
function withUniqueLabels(models: readonly EvaluatedModel[]): EvaluatedModel[] {
  const count = (label: string) => models.filter((model) => model.label === label).length;
  const labelled = models.map((model) =>
    count(model.label) === 1 ? model : { ...model, label: `${model.label} (${model.folder})` },
  );
  const twice = labelled.find(({ label }, i) => labelled.findIndex((other) => other.label === label) < i);
  if (twice) throw new UserError('usage', `${twice.label} is named twice; leave one out.`);
  return labelled;
}
