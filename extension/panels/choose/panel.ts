// The panel in which blocks are chosen: it follows the newest analysis of its model, asks what a choice costs, and writes.
import type { Disposable, WebviewPanel } from 'vscode';
import type { ChooseBlocksPage } from '../../../server/protocol/pages/chooseBlocks';
import { modelName } from '../../trees/modelNodes';
import { type Answers, openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { runPage } from '../run/panel';
import { placeToTry, tryPage } from '../try/panel';
import { type Choosing, openChoosing } from './choosing';
import { openQuestions } from './questions';

type Place = ChooseBlocksPage['memory'];

export const chooseBlocksPage = definePage<ChooseBlocksPage>({
  name: 'chooseBlocks',
  type: 'espalier.chooseBlocks',
  title: 'Choose Blocks',
  key: ({ folder }) => `chooseBlocks ${folder}`,
  fill: fillChooseBlocks,
});

/** With what was chosen there last. */
export const placeToChoose = (folder: string): Place => ({ folder, choice: null });

function fillChooseBlocks(panel: WebviewPanel, place: Place, _: unknown, host: PanelHost): Disposable {
  const { connection, log } = host;
  const { folder } = place;
  panel.title = `Choose Blocks: ${modelName(folder)}`;
  const notify = () => {
    if (choosing.state()) page.notifyState('choose/state', () => choosing.state()!);
  };
  const choosing = openChoosing(place, host, {
    changed: notify,
    pruning: (state) => page.notify('choose/pruning', state),
  });
  const questions = openQuestions(connection, () => choosing.analysis.state?.run.runId ?? null);
  const page = openPage<ChooseBlocksPage>(panel, 'chooseBlocks', host, {
    'page/open': () => choosing.load(),
    'choose/ask': ({ question, drop }) =>
      questions.loss(question, drop, (estimate) => page.notify('choose/estimate', { question, estimate })),
    'choose/speed': ({ drop }) => questions.speed(drop),
    ...choiceAnswers(choosing),
    ...runAnswers(folder, host),
  });
  const listening = connection.onState((now) => {
    if (now.state === 'connected' && choosing.state() && !choosing.analysis.state)
      void choosing.load().catch((error) => log.warn(String(error)));
    notify();
  });
  return {
    dispose() {
      for (const each of [choosing, listening, page]) each.dispose();
    },
  };
}

const choiceAnswers = (choosing: Choosing) =>
  ({
    async 'choose/keep'({ choice }) {
      await choosing.keep(choice);
      return null;
    },
    'choose/analyze': ({ measure }) => choosing.analyze(measure),
    async 'choose/text'() {
      await choosing.chooseText();
      return null;
    },
    'choose/prune': ({ drop, repair }) => choosing.pruning.prune(drop, repair),
    'choose/saveRecipe': ({ drop, repair }) => choosing.pruning.saveRecipe(drop, repair),
  }) satisfies Partial<Answers<ChooseBlocksPage>>;

const runAnswers = (folder: string, { connection, panels }: PanelHost) =>
  ({
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
    'model/try'(variant) {
      panels.open(tryPage, placeToTry([folder, variant.folder]));
      return null;
    },
  }) satisfies Partial<Answers<ChooseBlocksPage>>;
