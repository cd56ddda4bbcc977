// Every command of the extension, but for those that open a page for a model: they are in the rows of the pages. The name and
// what it does are here, the title is in package.json; a test compares both.
import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { commands, type Disposable, Uri, window, workspace } from 'vscode';
import { UserError } from '../server/errors';
import type { RunControl } from '../server/protocol/engine';
import type { RunSummary } from '../server/protocol/server';
import { isResumable } from '../server/recipes/kinds';
import { chooseDevice } from './deviceChoice';
import type { DeviceList } from './deviceList';
import { askFirst, pick, showError } from './editorText';
import { openDemo } from './demo';
import { exportModel } from './exportModel';
import { resumeRun, setHubToken, startRun } from './hubToken';
import { baseFirst, evaluatedWith } from './lineage';
import { analyzeRecipe, fullMeasure } from './panels/analyzeRecipe';
import { evaluatePage, placeToEvaluate } from './panels/evaluate/panel';
import { pickCompared } from './panels/evaluate/variants';
import { definedPages, type PanelHost } from './panels/pages';
import { addModelFolder } from './modelFolders';
import { pullModel } from './pull';
import { serverLogFile } from './serverProcess';
import { saveWholeWay } from './saveWholeWay';
import { requireTrust } from './settings';
import { openTexts } from './texts';
import { modelName, type ModelNode } from './trees/modelNodes';
import { isActive } from './trees/runRows';

export type CommandHost = Omit<PanelHost, 'dist'> & { readonly dataFolder: string; readonly devices: DeviceList };

/** What a command is called on: a row of a tree, a file or folder of the Explorer, or nothing. */
type Target = ModelNode | RunSummary | Uri | undefined;
/** `selected`: all rows or files that are selected, where a command is called on one of several. */
type Handler = (host: CommandHost, target: Target, selected: readonly Target[]) => unknown;

const commandTable = {
  'espalier.compareModels': compareModels,
  'espalier.exportModel': (host, target) => withModel(host, target, (folder) => exportModel(host, folder)),
  'espalier.saveWholeWay': (host, target) => withModel(host, target, (folder) => saveWholeWay(host, folder)),
  'espalier.revealModel': (host, target) =>
    withModel(host, target, (folder) => commands.executeCommand('revealInExplorer', Uri.file(folder))),
  'espalier.openRun': (host, target) =>
    withRun(
      host,
      target,
      () => true,
      (run) => host.panels.openRun(run),
    ),
  'espalier.pauseRun': (host, target) => control(host, target, canControl('running'), 'pause'),
  'espalier.continueRun': (host, target) => control(host, target, canControl('paused'), 'continue'),
  'espalier.stopAndSaveRun': (host, target) => control(host, target, canControl('running', 'paused'), 'stopAndSave'),
  'espalier.cancelRun': (host, target) =>
    withRun(host, target, isActive, ({ runId }) => host.connection.request('runs/cancel', { runId })),
  'espalier.resumeRun': (host, target) => withRun(host, target, canResume, (run) => resumeRun(host, run)),
  'espalier.deleteRun': (host, target) =>
    withRun(
      host,
      target,
      (run) => !isActive(run),
      (run) => deleteRun(host, run),
    ),
  'espalier.pullModel': (host) => pullModel(host),
  'espalier.setHubToken': setHubToken,
  'espalier.addModelFolder': ({ settings }) => addModelFolder(settings),
  'espalier.newRecipe': newRecipe,
  'espalier.runRecipe': runRecipe,
  'espalier.openDemo': openDemo,
  'espalier.chooseDevice': ({ devices }) => chooseDevice(devices),
  'espalier.refresh': ({ library }) => library.refresh(),
  'espalier.restartServer': ({ connection }) =>
    connection.state.state === 'stopped' ? connection.start() : connection.restart(),
  'espalier.stopServer': async ({ connection }) => {
    await connection.request('server/stop', {}).catch(() => {});
    await connection.stop();
  },
  'espalier.showLog': ({ log }) => log.show(),
  'espalier.showServerLog': async ({ dataFolder }) => {
    await window.showTextDocument(Uri.file(serverLogFile(dataFolder)), { preview: true });
  },
} satisfies Record<string, Handler>;

/** Commands of this table and of the pages that are defined. */
export function allCommands(): Record<string, Handler> {
  const ofPages = definedPages().flatMap((row) =>
    (row.ofModel?.commands ?? []).map((name): [string, Handler] => [
      name,
      (host, target) =>
        withModel(host, target, (folder) => host.panels.open(row, row.ofModel!.place(folder, host.library))),
    ]),
  );
  return { ...commandTable, ...Object.fromEntries(ofPages) };
}

/** These start nothing, so they work in Restricted Mode, too. */
const inRestrictedMode: readonly string[] = ['espalier.showLog', 'espalier.showServerLog'];

/** Shows an error in one sentence, with a button for the log. */
export function registerCommands(host: CommandHost): Disposable[] {
  return Object.entries(allCommands()).map(([name, handler]) =>
    commands.registerCommand(name, async (target: Target, selected: unknown) => {
      try {
        if (!inRestrictedMode.includes(name)) requireTrust();
        return await handler(host, target, Array.isArray(selected) ? selected : []);
      } catch (error) {
        await showFailure(host, name, error);
        return undefined;
      }
    }),
  );
}

/** @param name what failed, for the log */
export async function showFailure({ log }: Pick<CommandHost, 'log'>, name: string, error: unknown): Promise<void> {
  const message = error instanceof Error ? error.message : String(error);
  log.error(`${name}: ${message}`);
  if ((await showError(message, 'Show Log')) === 'Show Log') log.show();
}

const canResume = ({ state, kind }: RunSummary) =>
  ['failed', 'cancelled', 'interrupted'].includes(state) && kind !== 'unknown' && isResumable(kind);
const canControl =
  (...states: RunSummary['state'][]) =>
  ({ state, kind }: RunSummary) =>
    kind === 'heal' && states.includes(state);

async function withModel(host: CommandHost, target: Target, use: (folder: string) => unknown): Promise<void> {
  const folder = folderOf(target) ?? (await pickModel(host));
  if (folder) await use(folder);
}

/** The folder of the model that a row, a folder or one of its files stands for. */
function folderOf(target: Target): string | null {
  if (!target) return null;
  if (target instanceof Uri) {
    const path = target.fsPath;
    if (!existsSync(path)) return null;
    return realpathSync(statSync(path).isDirectory() ? path : dirname(path));
  }
  return 'model' in target && typeof target.model === 'object' ? target.model.summary.folder : null;
}

async function pickModel({ connection, library }: CommandHost): Promise<string | null> {
  await connection.ready();
  if (!library.known) await library.refresh();
  if (library.models.length === 0)
    throw new UserError(
      'notFound',
      'No model was found in this workspace; pull one from the hub, open a folder that holds one, or add its folder (Espalier: Add a Folder of Models…).',
    );
  const items = library.models.map(({ summary }) => ({
    label: modelName(summary.folder),
    description: `${summary.nBlocks} blocks`,
    detail: summary.folder,
    folder: summary.folder,
  }));
  return (await pick(items, { title: 'Model' }))?.folder ?? null;
}

/** The original first. */
const evaluate = ({ panels }: CommandHost, folders: string[]): void =>
  panels.open(evaluatePage, placeToEvaluate(folders));

/** Those that are selected, or one with variants of it that are picked. */
async function compareModels(host: CommandHost, target: Target, selected: readonly Target[]): Promise<void> {
  const { library } = host;
  const several = [...new Set(selected.flatMap((each) => folderOf(each) ?? []))];
  if (several.length > 1) return evaluate(host, baseFirst(several, library.models));
  await withModel(host, target, async (folder) => {
    if (!library.known) await library.refresh();
    const [base = folder] = evaluatedWith(folder, library.models);
    const compared = await pickCompared(base, library);
    if (compared) evaluate(host, compared);
  });
}

async function withRun(
  { connection, library }: CommandHost,
  target: Target,
  fits: (run: RunSummary) => boolean,
  use: (run: RunSummary) => unknown,
): Promise<void> {
  if (target && !(target instanceof Uri) && 'runId' in target) return void (await use(target));
  await connection.ready();
  if (!library.known) await library.refresh();
  const runs = library.runs.filter(fits);
  if (runs.length === 0) throw new UserError('notFound', 'There is no such run.');
  const items = runs.map((run) => ({ label: run.title, description: run.state, run }));
  const picked = await pick(items, { title: 'Run' });
  if (picked) await use(picked.run);
}

const control = (host: CommandHost, target: Target, fits: (run: RunSummary) => boolean, action: RunControl) =>
  withRun(host, target, fits, ({ runId }) => host.connection.request('runs/control', { runId, action }));

async function deleteRun({ connection }: CommandHost, { runId, title }: RunSummary): Promise<void> {
  const answer = await askFirst(
    `Move "${title}" and its report to Espalier's trash? They stay there for 7 days. Folders that the run wrote stay where they are.`,
    'Move to Trash',
  );
  if (answer === 'Move to Trash') await connection.request('runs/delete', { runId });
}

/** Opens the recipe of an analysis, complete and ready to be edited. */
async function newRecipe(host: CommandHost, target: Target): Promise<void> {
  const { connection, context, settings } = host;
  const folder = folderOf(target) ?? (await pickModel(host));
  if (!folder) return;
  const texts = openTexts(context, settings);
  const file = texts.known(folder) ?? (await texts.choose(folder));
  if (!file) return;
  const model = await connection.request('models/inspect', { folder });
  const recipe = analyzeRecipe(model, texts.source(file, model), fullMeasure(model), settings.compute());
  const { yaml } = await connection.request('recipes/format', { recipe });
  const document = await workspace.openTextDocument({ language: 'espalier-recipe', content: yaml });
  await window.showTextDocument(document);
}

async function runRecipe(host: CommandHost, target: Target): Promise<void> {
  const { connection, panels } = host;
  const given = target instanceof Uri ? target : window.activeTextEditor?.document.uri;
  // Paths in a recipe are relative to its folder, so it must have one.
  const uri = given?.scheme === 'untitled' ? await workspace.saveAs(given) : given;
  if (given?.scheme === 'untitled' && !uri) return;
  if (uri?.scheme !== 'file' || !/\.espalier\.ya?ml$/.test(uri.fsPath))
    throw new UserError('usage', 'Open a recipe, a file that ends in .espalier.yaml, and run it again.');
  const document = await workspace.openTextDocument(uri);
  const { recipe } = await connection.request('recipes/parse', { yaml: document.getText(), file: uri.fsPath });
  panels.openRun(await startRun(host, recipe));
}
