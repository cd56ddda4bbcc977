// The panel of a run: how it stands, what it was asked, and what came of it.
import type { Disposable, WebviewPanel } from 'vscode';
import type { RunPage, RunPageState } from '../../server/protocol/pages/run';
import type { Recipe } from '../../server/recipes/kinds';
import type { Report } from '../../server/protocol/reports';
import type { RunEvent } from '../../server/protocol/server';
import { openPage } from './page';
import type { PanelHost } from './panelHost';
import { grown } from './grown';

const fileKinds: readonly Recipe['kind'][] = ['analyze', 'prune', 'heal', 'merge', 'evaluate', 'study'];

export function fillRun(panel: WebviewPanel, runId: string, { connection, log, dist, panels }: PanelHost): Disposable {
  let state: RunPageState | null = null;
  const page = openPage<RunPage>(
    panel,
    'run',
    { dist, log, connection },
    {
      async 'page/open'() {
        await connection.ready();
        await loaded();
        return { page: 'run', state: state! };
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
        panels.try(state ? [state.run.model, folder] : [folder]);
        return null;
      },
    },
  );

  async function loaded(): Promise<void> {
    const { run, recipe, plan, report } = await connection.request('runs/get', { runId });
    panel.title = run.title;
    state = {
      run,
      recipeYaml: await textOf(recipe),
      plan,
      report: report ?? known(report),
      connection: connection.state,
    };
  }
  const known = (report: Report | null) => report ?? state?.report ?? null;

  /** Kinds that files do not hold are shown as they are sent. */
  async function textOf(recipe: Recipe): Promise<string> {
    if (!fileKinds.includes(recipe.kind)) return JSON.stringify(recipe, null, 2);
    return (await connection.request('recipes/format', { recipe })).yaml;
  }

  function heard(events: readonly RunEvent[]): void {
    if (!state) return;
    for (const told of events) {
      state = { ...state, run: grown(state.run, told) };
      if (told.event.kind === 'plan') state = { ...state, plan: told.event.plan };
    }
    page.notifyState('run/state', () => state!);
    // Times and the report are the server's to say.
    if (events.some(({ event }) => event.kind === 'reported' || event.kind === 'state')) void refreshed();
  }
  async function refreshed(): Promise<void> {
    const got = await connection.request('runs/get', { runId }).catch(() => null);
    if (!got || !state) return;
    state = { ...state, run: got.run, plan: got.plan, report: got.report };
    page.notifyState('run/state', () => state!);
  }

  const listening = [
    connection.follow(runId, heard),
    connection.onState((now) => {
      if (!state) return;
      state = { ...state, connection: now };
      page.notifyState('run/state', () => state!);
      if (now.state === 'connected') void refreshed();
    }),
  ];
  return {
    dispose() {
      for (const each of [...listening, page]) each.dispose();
    },
  };
}
