// The panel in which blocks are chosen: it follows the newest analysis of its model, asks what a choice costs, and writes.
import type { Disposable, WebviewPanel } from 'vscode';
import { setTitle } from '../../editorText';
import { saveWholeWay } from '../../saveWholeWay';
import type { ChooseBlocksPage } from '../../../server/protocol/pages/chooseBlocks';
import { modelName } from '../../trees/modelNodes';
import { type Answers, openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { runPage } from '../run/panel';
import { placeToTry, tryPage } from '../try/panel';
import { type ShownChoice, openShownChoice } from './shown';
import { openQuestions } from './questions';

type Place = ChooseBlocksPage['memory'];

export const chooseBlocksPage = definePage<ChooseBlocksPage>({
  name: 'chooseBlocks',
  title: 'Choose Blocks',
  ofModel: { commands: ['espalier.pruneModel', 'espalier.analyzeModel'], place: (folder) => placeToChoose(folder) },
  key: ({ folder }) => `chooseBlocks ${folder}`,
  fill: fillChooseBlocks,
});

/** With what was chosen there last. */
export const placeToChoose = (folder: string): Place => ({ folder, choice: null });

function fillChooseBlocks(panel: WebviewPanel, place: Place, _: unknown, host: PanelHost): Disposable {
  const { connection, log } = host;
  const { folder } = place;
  setTitle(panel, `Choose Blocks: ${modelName(folder)}`);
  const notify = () => {
    if (shown.state()) page.notifyState('choose/state', () => shown.state()!);
  };
  const shown = openShownChoice(place, host, {
    changed: notify,
    pruning: (state) => page.notify('choose/pruning', state),
  });
  const questions = openQuestions(connection, () => shown.analysis.state?.run.runId ?? null);
  const page = openPage<ChooseBlocksPage>(panel, 'chooseBlocks', host, {
    'page/open': () => shown.load(),
    'choose/ask': ({ question, drop }) =>
      questions.loss(question, drop, (estimate) => page.notify('choose/estimate', { question, estimate })),
    'choose/speed': ({ drop }) => questions.speed(drop),
    ...choiceAnswers(shown),
    ...runAnswers(folder, host),
  });
  const listening = connection.onState((now) => {
    if (now.state === 'connected' && shown.state() && !shown.analysis.state)
      void shown.load().catch((error) => log.warn(String(error)));
    notify();
  });
  return {
    dispose() {
      for (const each of [shown, listening, page]) each.dispose();
    },
  };
}

const choiceAnswers = (shown: ShownChoice) =>
  ({
    async 'choose/keep'({ choice }) {
      await shown.keep(choice);
      return null;
    },
    'choose/analyze': ({ measure }) => shown.analyze(measure),
    async 'choose/text'() {
      await shown.chooseText();
      return null;
    },
    async 'choose/weights'({ weights }) {
      await shown.takeWeights(weights);
      return null;
    },
    'choose/prune': (chosen) => shown.pruning.prune(chosen),
    'choose/saveRecipe': (chosen) => shown.pruning.saveRecipe(chosen),
  }) satisfies Partial<Answers<ChooseBlocksPage>>;

const runAnswers = (folder: string, host: PanelHost) => {
  const { connection, panels } = host;
  return {
    async 'run/cancel'({ runId }) {
      await connection.request('runs/cancel', { runId });
      return null;
    },
    async 'run/resume'({ runId }) {
      await connection.request('runs/resume', { runId });
      return null;
    },
    'run/open'({ runId }) {
      panels.open(runPage, { runId });
      return null;
    },
    'choose/saveWay': ({ folder: written }) => saveWholeWay(host, written),
    'model/try'(variant) {
      panels.open(tryPage, placeToTry([folder, variant.folder]));
      return null;
    },
  } satisfies Partial<Answers<ChooseBlocksPage>>;
};
