// card: what a folder is, read from itself, its original and the reports of its runs, as a model card. Publishing makes the same.
import { access, readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { adapterConfigFile } from '../../checkpoint/adapterConfig';
import { isFile } from '../../checkpoint/folder';
import { isLicence } from '../../checkpoint/partNames';
import { writeStagedFile } from '../../checkpoint/stagedFile';
import { readTextInside } from '../../files/contained';
import { readText } from '../../files/text';
import { cardFiles, type CardFile, cardWarnings } from '../../publishing/card/card';
import type { CardFacts } from '../../publishing/card/facts';
import { licenceOf, refuseAgainstLicence } from '../../publishing/card/licences';
import { originOf } from '../../publishing/card/originFrontMatter';
import { ownProseIn } from '../../publishing/card/ownProse';
import { nullIfMissing } from '../../shared/systemErrors';
import type { Run } from '../recipeContext';
import { readReports } from '../reportFiles';
import { adapterAbout, type FolderAbout, modelAbout } from './about';
import type { CardRecipe, CardReport } from './recipe';

export async function runCard(recipe: CardRecipe, run: Run): Promise<CardReport> {
  const report = await makeCard(recipe);
  for (const text of report.warnings) run.emit({ kind: 'warning', text });
  if (recipe.file !== null) await writeStagedFile(recipe.file, report.files[0]!.text);
  return report;
}

/**
 * @param words the person's own part; null: as `proseOf` finds it
 * @throws UserError `badChoice` for what the licence of the original does not allow
 */
export async function makeCard(recipe: CardRecipe, words: string | null = null): Promise<CardReport> {
  const folder = resolve(recipe.model);
  const reports = await readReports(recipe.reports);
  const about = (await isFile(join(folder, adapterConfigFile)))
    ? await adapterAbout(folder, recipe)
    : await modelAbout(folder, recipe);
  const sources = [folder, ...about.originals];
  const texts = await licenceFiles(sources);
  const origin = originOf((await firstReadme(about.originals)) ?? '');
  const base = recipe.base ?? about.base;
  const licence = licenceOf({
    asked: recipe.license,
    original: origin.licence,
    texts: texts.map(({ text }) => text),
    base: recipe.base ?? about.origin,
  });
  const name = recipe.repo ?? basename(folder);
  refuseAgainstLicence(
    licence,
    name,
    texts.some(({ name: file }) => /^licen[sc]e/i.test(file)),
  );
  const { of, cut, steps, model, notInLlamaCpp } = about;
  const facts: CardFacts = {
    ...{ of, name, folder, base, cut, steps, model, notInLlamaCpp, reports, licence },
    languages: recipe.languages.length > 0 ? recipe.languages : origin.languages,
    datasets: recipe.datasets,
    newVersion: recipe.newVersion,
    registered: recipe.registered.map((each) => {
      const [task, taskId] = each.split('=') as [string, string?];
      return { task, taskId: taskId ?? task };
    }),
    prose: words ?? (await proseOf(recipe, folder)),
  };
  const notice = texts.find(({ name: file }) => /^notice/i.test(file))?.text ?? null;
  const files = [...cardFiles(facts, notice), ...about.files(base), ...copies(texts, folder)];
  return { kind: 'card', folder, of, files: distinctFiles(files), warnings: cardWarnings(facts), file: recipe.file };
}

interface LicenceFile extends CardFile {
  readonly folder: string;
}

/** Licence, notice and policy of use, of the folder first. */
async function licenceFiles(folders: readonly string[]): Promise<LicenceFile[]> {
  const found: LicenceFile[] = [];
  for (const folder of folders)
    for (const name of (await readdir(folder)).filter(isLicence).sort())
      if (!found.some((file) => file.name === name))
        found.push({ folder, name, text: await readTextInside(folder, name) });
  return found;
}

/** Those that only an original has go along. */
const copies = (files: readonly LicenceFile[], folder: string): CardFile[] =>
  files.filter((file) => file.folder !== folder).map(({ name, text }) => ({ name, text }));

/** The first of each name: a notice that was added to is the newer one. */
const distinctFiles = (files: readonly CardFile[]): CardFile[] =>
  files.filter(({ name }, i) => files.findIndex((file) => file.name === name) === i);

async function firstReadme(folders: FolderAbout['originals']): Promise<string | null> {
  for (const folder of folders) {
    const text = await readTextInside(folder, 'README.md').catch(nullIfMissing);
    if (text !== null) return text;
  }
  return null;
}

/** What was named has to be there; the others need not. */
async function proseOf({ prose, file: own }: CardRecipe, folder: string): Promise<string | null> {
  if (prose !== null) return ownProseIn(await readText(prose));
  for (const file of [...(own === null ? [] : [own]), join(folder, 'README.md')]) {
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    const found = isThere ? ownProseIn(await readText(file)) : null;
    if (found !== null) return found;
  }
  return null;
}
