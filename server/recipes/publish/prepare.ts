// What comes before anything is sent: the folder is proven, and its card is made.
import { basename, join } from 'node:path';
import { isFile } from '../../checkpoint/folder';
import { UserError } from '../../errors';
import { readTextInside } from '../../files/contained';
import { hasOwnPart } from '../../publishing/card/ownProse';
import { firstFailure } from '../../publishing/proof';
import { makeCard } from '../card/card';
import { cardKind } from '../card/recipe';
import { runProve } from '../prove/prove';
import { proofChecks } from '../../protocol/proofChecks';
import { proveKind } from '../prove/recipe';
import { progress, type Run } from '../recipeContext';
import type { PublishedFolder, PublishRecipe } from './recipe';
import type { PublishTarget } from './targets';

export type Prepared = Pick<PublishedFolder, 'checks' | 'card' | 'warnings'>;

/** @throws UserError `damagedCheckpoint` for a folder that fails its proof, unless it is a dry run; what makeCard throws */
export async function prepare(
  recipe: PublishRecipe,
  { folder, repository, reports }: PublishTarget,
  run: Run,
): Promise<Prepared> {
  const { original, texts } = recipe;
  const given = { model: folder, original, reports: [...recipe.reports, ...reports] };
  // It waits for no device, which a healing may hold for hours.
  const proof = proveKind.schema.parse({ kind: 'prove', ...given, texts, compute: { device: 'cpu' } });
  progress(run, 'prove')(0);
  const { checks } = await runProve(proof, {
    ...run,
    emit: (event) => event.kind !== 'plan' && event.kind !== 'progress' && run.emit(event),
  });
  const failure = firstFailure(checks);
  if (failure && !recipe.dryRun)
    throw new UserError(
      'damagedCheckpoint',
      `${basename(folder)} is not published, since it fails the check that ${proofChecks[failure.check]}: ${failure.sentence}`,
    );
  if (recipe.card === 'folder') return { checks, card: [], warnings: [] };
  const about = cardKind.schema.parse({ kind: 'card', ...cardFieldsOf(recipe), ...given, repo: repository });
  const { files, warnings } = await makeCard(about, recipe.words);
  const isTheirs = recipe.words === null && recipe.prose === null && (await hasCardOfOthers(folder));
  return { checks, card: files, warnings: isTheirs ? [...warnings, cardStays(folder)] : warnings };
}

const cardFieldsOf = ({ prose, base, license, languages, datasets, newVersion, registered }: PublishRecipe) => ({
  prose,
  base,
  license,
  languages,
  datasets,
  newVersion,
  registered,
});

const hasCardOfOthers = async (folder: string): Promise<boolean> =>
  (await isFile(join(folder, 'README.md'))) && !hasOwnPart(await readTextInside(folder, 'README.md'));

const cardStays = (folder: string): string =>
  `README.md of ${basename(folder)} was not made here and stays where it is; add --card folder to publish it in place of the card, or put your words into the card by --prose.`;
