// The panel of a healing: what its page asks is answered here, and what the page shows is sent when it changes; the points
// of the curve are sent as they come, and all of them again when the page opens anew.
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { Disposable, WebviewPanel } from 'vscode';
import { setTitle } from '../../editorText';
import type { HealPage } from '../../../server/protocol/pages/heal';
import type { Library } from '../../library';
import { modelName } from '../../trees/modelNodes';
import { isActive } from '../../trees/runRows';
import { askOutputFolder, exportFile, saveRecipe } from '../dialogs';
import { type Answers, openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { runPage } from '../run/panel';
import { openShownHealing, type ShownHealing } from './shown';
import { openPointSender } from './points';

type Place = HealPage['memory'];

export const healPage = definePage<HealPage>({
  name: 'heal',
  title: 'Healing',
  ofModel: { commands: ['espalier.heal'], place: placeToHeal },
  key: ({ folder, runId }) => (runId ? `run ${runId}` : `heal ${folder}`),
  placeOfRun: ({ kind, model, runId }) => (kind === 'heal' ? { folder: model, runId } : null),
  fill: fillHealing,
});

/** The form for a healing of this model, or the one that goes on. */
export function placeToHeal(folder: string, { runs }: Pick<Library, 'runs'>): Place {
  const active = runs.find((run) => run.kind === 'heal' && run.model === folder && isActive(run));
  return { folder, runId: active?.runId ?? null };
}

function fillHealing(panel: WebviewPanel, place: Place, becomes: (place: Place) => void, host: PanelHost): Disposable {
  const { connection, log } = host;
  const { folder } = place;
  let { runId } = place;
  setTitle(panel, `Healing: ${modelName(folder)}`);
  const notify = () => {
    if (healing.state()) page.notifyState('heal/state', () => healing.state()!);
  };
  const healing = openShownHealing(place, host, { changed: notify, appended: () => points.soon() });
  const points = openPointSender(
    () => healing.run?.points.next() ?? null,
    (part) => page.notify('heal/points', part),
  );

  async function show(next: string | null): Promise<void> {
    runId = next;
    becomes({ folder, runId });
    page.notify('heal/state', await healing.show(next));
    points.now();
  }
  const page = openPage<HealPage>(panel, 'heal', host, {
    async 'page/open'() {
      await connection.ready();
      const state = await healing.load();
      healing.run?.points.rewind();
      setTimeout(points.now, 0);
      return state;
    },
    ...formAnswers(folder, healing, show, host),
    ...runAnswers(folder, healing, host),
  });

  const listening = [
    connection.onState((now) => {
      if (now.state === 'connected' && healing.state())
        void healing.load().then(notify, (error) => log.warn(String(error)));
      notify();
    }),
    connection.on('runs/changed', ({ deleted }) => {
      if (runId && deleted.includes(runId)) panel.dispose();
    }),
  ];
  return {
    dispose() {
      for (const each of [points, healing, ...listening, page]) each.dispose();
    },
  };
}

type Show = (runId: string | null) => Promise<void>;

function formAnswers(folder: string, { form, keepView }: ShownHealing, show: Show, host: PanelHost) {
  const { connection, settings } = host;
  return {
    async 'heal/keep'({ view }) {
      await keepView(view);
      return null;
    },
    async 'heal/settings'(params) {
      await form.take(params.settings);
      await form.plan();
      return null;
    },
    async 'heal/text'() {
      if (await form.chooseText()) await form.plan();
      return null;
    },
    async 'heal/start'(params) {
      const out = await askOutputFolder(`Heal ${modelName(folder)}`, folder, settings, 'adapter');
      if (out === null) return null;
      const runId = randomUUID();
      await connection.request('runs/start', { runId, recipe: form.recipe(params.settings, out) });
      await show(runId);
      return { runId };
    },
    async 'heal/again'(params) {
      await form.take(params.settings);
      await show(null);
      return null;
    },
  } satisfies Partial<Answers<HealPage>>;
}

function runAnswers(folder: string, healing: ShownHealing, { connection, panels }: PanelHost) {
  const shownRun = () => healing.run?.state.run.runId;
  return {
    async 'heal/control'({ action }) {
      await healing.run?.control(action);
      return null;
    },
    'heal/merge': async () => (await healing.run?.merge(folder)) ?? null,
    async 'heal/saveRecipe'(params) {
      const recipe = params.settings ? healing.form.recipe(params.settings, null) : healing.run?.state.recipe;
      return recipe ? saveRecipe(recipe, connection) : null;
    },
    'heal/export': ({ kind, content }) => exportFile(`${basename(modelName(folder))}-healing`, kind, content, folder),
    async 'run/cancel'() {
      const runId = shownRun();
      if (runId) await connection.request('runs/cancel', { runId });
      return null;
    },
    async 'run/resume'() {
      const runId = shownRun();
      if (runId) await connection.request('runs/resume', { runId });
      return null;
    },
    'run/open'({ runId }) {
      panels.open(runPage, { runId });
      return null;
    },
  } satisfies Partial<Answers<HealPage>>;
}
