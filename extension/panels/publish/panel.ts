// The panel from which a folder is published: it is looked at first, by a run that sends nothing, and then published by another.
import { commands, type Disposable, env, Uri, type WebviewPanel, workspace } from 'vscode';
import { setTitle } from '../../editorText';
import type { PublishPage, PublishState } from '../../../server/protocol/pages/publish';
import { isKept, resumeRun, setHubToken, startRun } from '../../hubToken';
import { modelName } from '../../trees/modelNodes';
import { type Answers, openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { runPage } from '../run/panel';
import { firstSettings, recipeOf } from './recipe';
import { openRemembered } from '../remembered';
import { reportsOf } from './reports';
import { openShownPublishing, type ShownPublishing } from './shown';

type Place = PublishPage['memory'];

export const publishPage = definePage<PublishPage>({
  name: 'publish',
  title: 'Publish',
  ofModel: { commands: ['espalier.publishModel'], place: (folder) => ({ folder, runId: null }) },
  key: ({ folder }) => `publish ${folder}`,
  placeOfRun: ({ kind, model, runId }) => (kind === 'publish' ? { folder: model, runId } : null),
  fill: fillPublish,
});

function fillPublish(panel: WebviewPanel, place: Place, becomes: (place: Place) => void, host: PanelHost): Disposable {
  const { connection, context } = host;
  const { folder } = place;
  setTitle(panel, `Publish ${modelName(folder)}`);
  const settings = openRemembered(
    context.workspaceState,
    `publish ${folder}`,
    firstSettings(folder, context.globalState),
  );
  const known = { hasToken: false, nReports: 0 };
  const state = (): PublishState => ({
    folder,
    settings: settings.value,
    ...known,
    preview: shown.preview,
    run: shown.run,
    connection: connection.state,
  });
  const notify = () => page.notifyState('publish/state', state);
  const shown = openShownPublishing(host, notify);
  async function start(next: PublishState['settings'], dryRun: boolean): Promise<null> {
    await settings.keep(next);
    await context.globalState.update('publish owner', next.repository.split('/')[0]);
    const reports = await reportsOf(folder, host);
    known.nReports = reports.length;
    const run = await startRun(host, recipeOf(folder, next, reports, dryRun));
    becomes({ folder, runId: run.runId });
    await shown.show(run.runId, next);
    notify();
    return null;
  }
  const page = openPage<PublishPage>(panel, 'publish', host, {
    async 'page/open'() {
      await connection.ready();
      known.hasToken = await isKept(host);
      await shown.show(place.runId, settings.value).catch(() => {});
      return state();
    },
    async 'publish/settings'(params) {
      await settings.keep(params.settings);
      return null;
    },
    'publish/preview': (params) => start(params.settings, true),
    'publish/start': (params) => start(params.settings, false),
    async 'publish/token'() {
      known.hasToken = await setHubToken(host);
      notify();
      return null;
    },
    ...shownAnswers(shown, host),
  });
  const listening = connection.onState(notify);
  return {
    dispose() {
      for (const each of [shown, listening, page]) each.dispose();
    },
  };
}

function shownAnswers(shown: ShownPublishing, host: PanelHost) {
  const { connection, panels } = host;
  return {
    async 'publish/card'() {
      const card = (shown.preview?.report ?? shown.run?.report)?.published[0]?.card[0];
      if (!card) return null;
      await workspace.openTextDocument({ language: 'markdown', content: card.text }).then(async (document) => {
        await commands.executeCommand('vscode.open', document.uri);
        await commands.executeCommand('markdown.showPreviewToSide');
      });
      return null;
    },
    async 'publish/visit'() {
      const [published] = shown.run?.report?.published ?? [];
      if (published?.commit) await env.openExternal(Uri.parse(published.url, true));
      return null;
    },
    async 'run/cancel'({ runId }) {
      await connection.request('runs/cancel', { runId });
      return null;
    },
    async 'run/resume'() {
      if (shown.run) await resumeRun(host, shown.run.run);
      return null;
    },
    'run/open'({ runId }) {
      panels.open(runPage, { runId });
      return null;
    },
  } satisfies Partial<Answers<PublishPage>>;
}
