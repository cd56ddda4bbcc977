// The panel of any run: its state, its recipe and its report.
import type { Disposable, WebviewPanel } from 'vscode';
import { setTitle } from '../../editorText';
import { UserError } from '../../../server/errors';
import type { RunPage, RunPageState } from '../../../server/protocol/pages/run';
import { kinds, type Recipe } from '../../../server/recipes/kinds';
import type { Connection } from '../../connection';
import { openRun, openShownRun, type RunReducer } from '../../followRun';
import { resumeRun } from '../../hubToken';
import { openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { placeToTry, tryPage } from '../try/panel';

type Place = RunPage['memory'];

export const runPage = definePage<RunPage>({
  name: 'run',
  title: 'Run',
  key: ({ runId }) => `run ${runId}`,
  fill: fillRun,
});

/** What the run's details and events say. */
type Shown = Pick<RunPageState, 'run' | 'plan' | 'download' | 'warnings' | 'report'> & { readonly recipe: Recipe };

export const runReducer: RunReducer<Shown> = {
  fetched: (details, before) => ({ ...details, download: before?.download ?? null }),
  applied(state, event) {
    if (event.kind === 'plan') return { ...state, plan: event.plan };
    return event.kind === 'download' ? { ...state, download: event.download } : state;
  },
};

function fillRun(panel: WebviewPanel, { runId }: Place, _: unknown, host: PanelHost): Disposable {
  const { connection, panels } = host;
  const shown = openShownRun((id) => openRun(id, connection, runReducer, { changed: notify }));
  let recipeYaml = '';
  const state = ({ run, plan, download, warnings, report }: Shown): RunPageState => ({
    run,
    recipeYaml,
    plan,
    download,
    warnings,
    report,
    connection: connection.state,
  });
  const notify = () => {
    if (shown.run) page.notifyState('run/state', () => state(shown.run!.state));
  };
  const page = openPage<RunPage>(panel, 'run', host, {
    async 'page/open'() {
      await connection.ready();
      await shown.show(runId);
      const opened = shown.run;
      if (!opened) throw new UserError('superseded', 'The panel was closed before its run was there.');
      setTitle(panel, opened.state.run.title);
      recipeYaml = await textOf(opened.state.recipe, connection);
      return state(opened.state);
    },
    async 'run/cancel'() {
      await connection.request('runs/cancel', { runId });
      return null;
    },
    async 'run/resume'() {
      const run = shown.run?.state.run;
      if (run) await resumeRun(host, run);
      return null;
    },
    'model/try'({ folder }) {
      const run = shown.run?.state.run;
      // What a pull is about is no folder.
      panels.open(tryPage, placeToTry(run && run.kind !== 'pull' ? [run.model, folder] : [folder]));
      return null;
    },
  });
  const listening = connection.onState(notify);
  return {
    dispose() {
      shown.dispose();
      listening.dispose();
      page.dispose();
    },
  };
}

/** Kinds that have no recipe file are shown as JSON. */
async function textOf(recipe: Recipe, connection: Connection): Promise<string> {
  if (!kinds[recipe.kind].inFiles) return JSON.stringify(recipe, null, 2);
  return (await connection.request('recipes/format', { recipe })).yaml;
}
