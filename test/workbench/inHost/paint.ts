// Opens panels one after the other inside the extension host, and among them a bare one: a webview with one line and no
// work, which is what VS Code itself takes.
import * as vscode from 'vscode';
import { barePainted, paintOrder } from './paintOrder';

/** Longer than any of them takes, so that none hurries the next. */
const betweenMs = 2000;
/** After the last one, which may be the first webview of all. */
const endMs = 6000;
const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function run(): Promise<void> {
  const [folder] = vscode.workspace.workspaceFolders!;
  const model = vscode.Uri.joinPath(folder!.uri, 'stories260k');
  await vscode.extensions.getExtension('espalier.espalier')!.activate();
  await vscode.commands.executeCommand('espalier.refresh');
  const open: Record<string, () => Thenable<unknown>> = {
    bare: openBare,
    chooseBlocks: () => vscode.commands.executeCommand('espalier.pruneModel', model),
    try: () => vscode.commands.executeCommand('espalier.tryModel', model),
    heal: () => vscode.commands.executeCommand('espalier.heal', model),
    evaluate: () => vscode.commands.executeCommand('espalier.evaluateModel', model),
    async run() {
      const recipe = vscode.Uri.joinPath(folder!.uri, 'prune.espalier.yaml');
      const yaml = `kind: prune\nmodel: stories260k\nrule: {kind: chosen, blocks: [1]}\nout: written${Date.now()}\n`;
      await vscode.workspace.fs.writeFile(recipe, new TextEncoder().encode(yaml));
      await vscode.commands.executeCommand('espalier.runRecipe', recipe);
    },
  };
  await windowAtRest();
  const order = paintOrder.read(process.env);
  for (const [at, name] of order.entries()) {
    // A command that has something to say waits for its reader.
    await Promise.race([open[name]!(), rest(betweenMs)]);
    await rest(at === order.length - 1 ? endMs : betweenMs);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  }
}

/** A window that has just opened is busy for some seconds: it has come to rest once it answers at once for a while. */
async function windowAtRest(): Promise<void> {
  const [promptMs, everyMs, whileMs, atMostMs] = [100, 100, 3000, 20_000];
  const beganMs = Date.now();
  let promptSinceMs = beganMs;
  while (Date.now() - promptSinceMs < whileMs && Date.now() - beganMs < atMostMs) {
    const askedMs = Date.now();
    await vscode.commands.executeCommand('setContext', 'espalier.test.asked', askedMs);
    const answeredMs = Date.now();
    await rest(everyMs);
    // The window may have been busy, or this process.
    if (answeredMs - askedMs > promptMs || Date.now() - answeredMs > everyMs + promptMs) promptSinceMs = Date.now();
  }
}

async function openBare(): Promise<void> {
  const beganMs = Date.now();
  const panel = vscode.window.createWebviewPanel('bare', 'Bare', vscode.ViewColumn.Active, { enableScripts: true });
  const painted = new Promise<void>((resolve) => {
    panel.webview.onDidReceiveMessage(({ atEpochMs }: { atEpochMs: number }) => {
      console.log(barePainted.write(atEpochMs - beganMs));
      resolve();
    });
  });
  panel.webview.html = `<!doctype html><html><body><p>bare</p><script>
    const host = acquireVsCodeApi();
    requestAnimationFrame(() => setTimeout(() => host.postMessage({ atEpochMs: Date.now() })));
  </script></body></html>`;
  await painted;
}
