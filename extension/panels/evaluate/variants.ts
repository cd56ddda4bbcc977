// The list in which variants to compare with an original are picked: models, and earlier evaluations of the same original.
import type { QuickPickItem } from 'vscode';
import { UserError } from '../../../server/errors';
import type { EvaluateReport } from '../../../server/recipes/evaluate/recipe';
import type { FoundModel, RunSummary } from '../../../server/protocol/server';
import type { Connection } from '../../connection';
import { pickSeveral } from '../../editorText';
import type { Library } from '../../library';
import { rowFacts } from '../../trees/modelNodes';
import { candidatesFor } from '../../lineage';

export type PickedVariant = { kind: 'model'; folder: string } | { kind: 'evaluation'; runId: string };

const title = 'Variants to Compare With the Original';
const mostEarlier = 10;

/** `shown`: runs whose variants are there already; null: earlier evaluations are not offered. */
export async function pickVariants(
  folders: readonly string[],
  shown: readonly string[] | null,
  library: Library,
  connection: Connection,
): Promise<PickedVariant[]> {
  const models = candidatesFor(folders, library.models).map((model) => modelItem(model, library.models));
  const earlier = shown === null ? [] : await earlierItems(folders[0] ?? '', shown, library.runs, connection);
  if (models.length + earlier.length === 0)
    throw new UserError(
      'notFound',
      'No other model here reads the same tokens; prune this one first, or add the folder of its variants to the setting espalier.modelFolders.',
    );
  const picked = await pickSeveral([...models, ...earlier], title);
  return (picked ?? []).map(({ variant }) => variant);
}

/** Which of the models found under an original to compare with it; null: cancelled by the user. */
export async function pickCompared(base: string, library: Library): Promise<string[] | null> {
  const items = candidatesFor([base], library.models).map((model) => ({
    ...modelItem(model, library.models),
    picked: model.parentFolder === base,
  }));
  if (items.length === 0)
    throw new UserError('notFound', 'There is no variant of this model here to compare it with; prune it first.');
  const picked = await pickSeveral(items, title);
  return picked && picked.length > 0 ? [base, ...picked.map(({ variant }) => variant.folder)] : null;
}

function modelItem(model: FoundModel, models: readonly FoundModel[]) {
  const { label, description } = rowFacts({ kind: 'model', model }, models);
  const { folder } = model.summary;
  return { label, description, detail: folder, variant: { kind: 'model' as const, folder } };
}

async function earlierItems(
  base: string,
  shown: readonly string[],
  runs: readonly RunSummary[],
  connection: Connection,
): Promise<(QuickPickItem & { variant: PickedVariant })[]> {
  const others = runs
    .filter(
      (run) => run.kind === 'evaluate' && run.state === 'done' && run.model === base && !shown.includes(run.runId),
    )
    .slice(0, mostEarlier);
  const items: (QuickPickItem & { variant: PickedVariant })[] = [];
  for (const { runId, createdAtEpochMs } of others) {
    const got = await connection.request('runs/get', { runId }).catch(() => null);
    if (got?.report?.kind !== 'evaluate' || got.report.models.length < 2) continue;
    items.push({
      label: variantsIn(got.report),
      description: `evaluated ${new Date(createdAtEpochMs).toLocaleString()}`,
      detail: got.report.tasks.map(({ title }) => title).join(', '),
      variant: { kind: 'evaluation', runId },
    });
  }
  return items;
}

const variantsIn = ({ models }: EvaluateReport): string =>
  models
    .slice(1)
    .map(({ label }) => label)
    .join(', ');
