// The panel of any run: its state, its recipe and its report.
import type { Disposable, WebviewPanel } from 'vscode';
import type { RunPage, RunPageState } from '../../../server/protocol/pages/run';
import { kinds, type Recipe } from '../../../server/recipes/kinds';
import type { Connection } from '../../connection';
import { type FollowedRun, openRun, type RunReducer } from '../../followRun';
import { openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { placeToTry, tryPage } from '../try/panel';

type Place = RunPage['memory'];

export const runPage = definePage<RunPage>({
  name: 'run',
  type: 'espalier.run',
  title: 'Run',
  key: ({ runId }) => `run ${runId}`,
  fill: fillRun,
});

/** What the run's details and events say. */
type Shown = Pick<RunPageState, 'run' | 'plan' | 'report'> & { readonly recipe: Recipe };

export const runReducer: RunReducer<Shown> = {
  fetched: ({ run, recipe, plan, report }) => ({ run, recipe, plan, report }),
  applied: (state, event) => (event.kind === 'plan' ? { ...state, plan: event.plan } : state),
};

function fillRun(panel: WebviewPanel, { runId }: Place, _: unknown, host: PanelHost): Disposable {
  const { connection, panels } = host;
  let followed: FollowedRun<Shown> | null = null;
  let recipeYaml = '';
  const state = ({ run, plan, report }: Shown): RunPageState => ({
    run,
    recipeYaml,
    plan,
    report,
    connection: connection.state,
  });
  const notify = () => {
    if (followed) page.notifyState('run/state', () => state(followed!.state));
  };
  const page = openPage<RunPage>(panel, 'run', host, {
    async 'page/open'() {
      await connection.ready();
      followed?.dispose();
      followed = await openRun(runId, connection, runReducer, { changed: notify });
      panel.title = followed.state.run.title;
      recipeYaml = await textOf(followed.state.recipe, connection);
      return state(followed.state);
    },
    async 'run/cancel'() {
      await connection.request('runs/cancel', { runId });
      return null;
    },
    async 'run/resume'() {
      await connection.request('runs/resume', { runId });
      return null;
    },
    'model/try'({ folder }) {
      panels.open(tryPage, placeToTry(followed ? [followed.state.run.model, folder] : [folder]));
      return null;
    },
  });
  const listening = connection.onState(notify);
  return {
    dispose() {
      followed?.dispose();
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
