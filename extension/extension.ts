// Entry of the extension host: wires the connection, trees, panels and commands. Activation waits for nothing: the server
// is reached in the background, and the status bar shows how far that is. In Restricted Mode nothing is started.
import { existsSync, realpathSync } from 'node:fs';
import { type Disposable, type ExtensionContext, Uri, window, workspace } from 'vscode';
import { type CommandHost, registerCommands, showFailure } from './commands';
import { type Connection, openConnection } from './connection';
import { setContextKeys } from './contextKeys';
import { goOnWithDemo } from './demo';
import { openDeviceList } from './deviceList';
import { openLog } from './editorText';
import { type Library, openLibrary } from './library';
import { openPanels } from './panels/panels';
import { reportsFolder } from './panels/publish/reports';
import { openPullLinks } from './pull';
import { readSettings, type Settings } from './settings';
import { showStatus } from './statusBar';
import { holds } from './trees/labels';
import { modelsTree } from './trees/modelsTree';
import { showRuns } from './trees/runsTree';

let connection: Connection | null = null;

export function activate(context: ExtensionContext): void {
  const began = performance.now();
  const log = openLog('Espalier');
  const settings = readSettings();
  const dataFolder = context.globalStorageUri.fsPath;
  const demo = Uri.joinPath(context.extensionUri, 'dist/demo').fsPath;
  const place = () => ({
    extensionFolder: context.extensionUri.fsPath,
    dataFolder,
    idleSeconds: settings.idleSeconds(),
    nodePath: settings.nodePath(),
  });

  const opened = openConnection(place, () => [...readableFolders(settings, demo), reportsFolder(context)], log);
  connection = opened;
  const library = openLibrary(opened, settings.roots, hiddenBy(settings, demo), log);
  const devices = openDeviceList(opened, settings, log);
  const parts = { context, connection: opened, library, settings, log };
  const panels = openPanels(parts);
  const host: CommandHost = { ...parts, panels, devices, dataFolder };
  context.subscriptions.push(
    log,
    opened,
    library,
    devices,
    panels,
    ...registerCommands(host),
    openPullLinks(host, (error) => void showFailure(host, 'pull by a link', error)),
    window.createTreeView('espalier.models', {
      treeDataProvider: modelsTree(library, settings.roots, Uri.joinPath(context.extensionUri, 'media')),
      showCollapseAll: true,
      canSelectMany: true,
    }),
    showRuns(library),
    showStatus(opened, library, devices),
    setContextKeys(opened, library),
    ...watchWorkspace(opened),
    ...watchModelFiles(library),
  );
  opened.start();
  void goOnWithDemo(host);
  log.info(`activated in ${(performance.now() - began).toFixed(1)} ms`);
}

/** Folders that the server may read. The demo's text is read in place; its model is copied before it is used. */
const readableFolders = (settings: Settings, demo: string): string[] => [
  ...settings.roots().map(({ folder }) => folder),
  demo,
  ...[settings.benchmarkData()].filter((folder) => folder !== null),
];

/** The demo's own model is hidden, and so are models in the folder of the benchmark data. */
function hiddenBy(settings: Settings, demo: string): (folder: string) => boolean {
  const ownDemo = existsSync(demo) ? realpathSync(demo) : demo;
  return (folder) => holds(ownDemo, folder) || !settings.roots().some((root) => holds(root.folder, folder));
}

function watchWorkspace(opened: Connection): Disposable[] {
  /** The server learns the readable folders when a connection is initialized. */
  const reconnect = async () => {
    if (opened.state.state === 'stopped') return;
    await opened.stop();
    opened.start();
  };
  return [
    workspace.onDidGrantWorkspaceTrust(() => opened.start()),
    workspace.onDidChangeWorkspaceFolders(() => void reconnect()),
    workspace.onDidChangeConfiguration((change) => {
      if (restarting.some((name) => change.affectsConfiguration(`espalier.${name}`))) void reconnect();
    }),
  ];
}

function watchModelFiles({ refreshSoon }: Library): Disposable[] {
  const files = workspace.createFileSystemWatcher('**/{config.json,*.safetensors}');
  return [files, files.onDidCreate(refreshSoon), files.onDidChange(refreshSoon), files.onDidDelete(refreshSoon)];
}

/** Settings that are sent when a connection is initialized, or decide how the server is started. */
const restarting = ['modelFolders', 'huggingFaceCache', 'nodePath', 'benchmarkData'];

/** The host awaits this, unlike disposables, so that `shutdown` and `exit` reach the server. */
export const deactivate = (): Promise<void> | undefined => connection?.stop();
