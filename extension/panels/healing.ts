// The panel of a healing: a form, then the run that it starts, or a run that was. What the page shows is kept true here;
// the points of the curve are handed on as they come, and all of them again when the page opens anew.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Disposable, WebviewPanel } from 'vscode';
import { UserError } from '../../server/errors';
import type { HealPage, HealForm, HealSettings, HealState, HealView } from '../../server/protocol/pages/heal';
import type { ModelSummary } from '../../server/protocol/reports';
import { openTexts } from '../texts';
import { modelName } from '../trees/modelNodes';
import { askAndWrite, askOut, saveRecipe } from './asking';
import { openEarlier } from './earlierHealings';
import { healRecipe, usualSettings, usualView } from './healRecipe';
import { type FollowedHealing, followHealing } from './healingRun';
import { outPlace } from './outFolder';
import { openPage } from './page';
import type { PanelHost } from './panelHost';

const viewKey = 'healing view';
const pointsEveryMs = 100;

/** `becomes` hears which run the panel shows; null: the form. */
export function fillHealing(
  panel: WebviewPanel,
  folder: string,
  runId: string | null,
  becomes: (runId: string | null) => void,
  host: PanelHost,
): Disposable {
  const { context, connection, library, settings, log, dist, panels } = host;
  const texts = openTexts(context, settings, 'train');
  const settingsKey = `healing ${folder}`;
  const earlier = openEarlier(connection);
  let model: ModelSummary | null = null;
  let view: HealView = { ...usualView, ...context.workspaceState.get<HealView>(viewKey) };
  let form: HealForm = {
    settings: { ...usualSettings, ...context.workspaceState.get<HealSettings>(settingsKey) },
    textName: null,
    plan: null,
    refusal: null,
  };
  let run: FollowedHealing | null = null;
  let timer: NodeJS.Timeout | null = null;
  panel.title = `Healing: ${modelName(folder)}`;

  const page = openPage<HealPage>(
    panel,
    'heal',
    { dist, log, connection },
    {
      async 'page/open'() {
        await connection.ready();
        await loaded();
        run?.points.rewind();
        setTimeout(pump, 0);
        return { page: 'heal', state: state() };
      },
      async 'heal/keep'(params) {
        view = params.view;
        await context.workspaceState.update(viewKey, view);
        return null;
      },
      async 'heal/settings'(params) {
        form = { ...form, settings: params.settings, plan: null, refusal: null };
        await context.workspaceState.update(settingsKey, params.settings);
        await plan();
        return null;
      },
      async 'heal/text'() {
        if (await texts.choose(folder)) await plan();
        return null;
      },
      async 'heal/start'(params) {
        const out = await askOut(`Heal ${modelName(folder)}`, folder, settings, 'adapter');
        if (out === null) return null;
        const started = randomUUID();
        await connection.request('runs/start', { runId: started, recipe: recipeOf(params.settings, out) });
        await show(started);
        return { runId: started };
      },
      async 'heal/again'(params) {
        form = { ...form, settings: params.settings, plan: null, refusal: null };
        await context.workspaceState.update(settingsKey, params.settings);
        await show(null);
        return null;
      },
      async 'heal/control'({ action }) {
        await run?.control(action);
        return null;
      },
      'heal/merge': async () => (await run?.merge(folder, settings)) ?? null,
      async 'heal/saveRecipe'(params) {
        const known = run?.state.recipe;
        const { parent, name } = outPlace(folder, settings.roots(), existsSync, 'adapter');
        const recipe = params.settings ? recipeOf(params.settings, join(parent, name)) : known;
        return recipe ? saveRecipe(recipe, connection) : null;
      },
      async 'heal/export'({ kind, content }) {
        const bytes = kind === 'png' ? Buffer.from(content, 'base64') : new TextEncoder().encode(content);
        const name = `${modelName(folder).split('/').at(-1)}-healing.${kind}`;
        const target = await askAndWrite(
          `Save as ${kind.toUpperCase()}`,
          name,
          { [kind.toUpperCase()]: [kind] },
          bytes,
          folder,
        );
        return target && { file: target.fsPath };
      },
      async 'run/cancel'() {
        if (run) await connection.request('runs/cancel', { runId: run.state.run.runId });
        return null;
      },
      async 'run/resume'() {
        if (run) await connection.request('runs/resume', { runId: run.state.run.runId });
        return null;
      },
      'run/open'(params) {
        panels.run({ runId: params.runId, kind: 'merge' });
        return null;
      },
    },
  );

  async function loaded(): Promise<void> {
    if (!library.known) await library.refresh();
    if (runId && run?.state.run.runId !== runId) await follow(runId);
    // A run may outlive its model; its report still knows what it was.
    model ??= await connection.request('models/inspect', { folder }).catch((error) => {
      if (run?.state.report) return run.state.report.model;
      throw error;
    });
    await earlier.load(model, runId);
    if (!runId) void plan();
  }

  function state(): HealState {
    const dense = denseOf(run ? run.state.recipe.dense : denseFolder());
    const file = texts.known(folder);
    const shown: HealState['shown'] = run
      ? { kind: 'run', healing: run.state }
      : { kind: 'form', form: { ...form, textName: file && texts.nameOf(file) } };
    return { model: model!, dense, view, connection: connection.state, earlier: earlier.list, shown };
  }
  const tellState = () => {
    if (model) page.notifyState('heal/state', state);
  };

  async function follow(next: string): Promise<void> {
    run?.dispose();
    run = await followHealing(next, host, {
      changed: tellState,
      grew: () => {
        timer ??= setTimeout(pump, pointsEveryMs);
      },
    });
  }
  /** The rest comes with the next beat, so that a long curve does not hold up the page. */
  function pump(): void {
    timer = null;
    const points = run?.points.next();
    if (!points) return;
    page.notify('heal/points', points);
    timer = setTimeout(pump, pointsEveryMs);
  }

  async function show(next: string | null): Promise<void> {
    run?.dispose();
    run = null;
    runId = next;
    becomes(next);
    await loaded();
    page.notify('heal/state', state());
    pump();
  }

  /** The first model of those that this one was cut from, as far as they are here. */
  function denseFolder(): string | null {
    let found: string | null = null;
    for (let at = library.model(folder)?.parentFolder; at; at = library.model(at)?.parentFolder) {
      if (at === found || at === folder) break;
      found = at;
    }
    return found;
  }
  const denseOf = (at: string | null) =>
    at === null ? null : { name: library.model(at)?.summary.name ?? modelName(at), folder: at };

  function recipeOf(chosen: HealSettings, out: string) {
    const file = texts.known(folder);
    if (!file) throw new UserError('usage', 'A healing needs a text; choose one first.');
    return healRecipe(chosen, { model: folder, file, dense: denseFolder(), out }, settings.compute());
  }

  let planning = 0;
  /** What the run would cost, as far as it can be said; only the newest question counts. */
  async function plan(): Promise<void> {
    tellState();
    if (!texts.known(folder)) return;
    const mine = ++planning;
    const { parent, name } = outPlace(folder, settings.roots(), existsSync, 'adapter');
    const recipe = recipeOf(form.settings, join(parent, name));
    const [made, refusal] = await connection.request('plan/make', { recipe }).then(
      (plan) => [plan, null] as const,
      (error: unknown) => [null, error instanceof Error ? error.message : String(error)] as const,
    );
    if (mine !== planning) return;
    form = { ...form, plan: made, refusal };
    tellState();
  }

  const listening = [
    connection.onState((now) => {
      if (now.state === 'connected' && model) void loaded().then(tellState, (error) => log.warn(String(error)));
      tellState();
    }),
    connection.on('runs/changed', ({ runs, deleted }) => {
      run?.heardOf(runs);
      if (runId && deleted.includes(runId)) panel.dispose();
    }),
  ];
  return {
    dispose() {
      if (timer) clearTimeout(timer);
      run?.dispose();
      for (const each of [...listening, page]) each.dispose();
    },
  };
}
