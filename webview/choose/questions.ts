// Asks the engine what a drop set costs, one question at a time. The present choice comes first, after a pause in which
// nothing was changed; then come the sets that were asked for all at once. A newer question ends the older one.
import type { ChooseBlocksPage } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../server/protocol/recipes';
import { keyOf } from '../../server/shared/dropSets';
import { type Host, wasSuperseded } from '../host';
import type { PageStore } from '../pageStore';
import { sentenceOf } from '../requests';
import type { Action, PageState } from './state';
import { nextQuestion } from './view';

/** Long enough to move over blocks with a key held down, too short to wait for. */
const pauseMs = 120;

export interface Questions {
  /** After each change of the choice. */
  choiceChanged(): void;
  /** After each message of the host; `renewed` when what was refused may now be answered. */
  hostChanged(renewed: boolean): void;
  measureAll(drops: readonly DropSet[]): void;
  stopMeasuring(): void;
}

export function openQuestions(store: PageStore<PageState, Action>, host: Host<ChooseBlocksPage>): Questions {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let newest = 0;

  host.on('choose/estimate', ({ question, estimate }) => store.dispatch({ type: 'estimate', question, estimate }));

  const askNext = (): void => {
    if (isTiming(store.state)) return;
    const drop = nextQuestion(store.state);
    const { queue, asking } = store.state;
    if (queue && !drop && !asking) store.dispatch({ type: 'queueDone' });
    if (!drop || asking?.key === keyOf(drop)) return;
    void ask(drop);
  };

  const ask = async (drop: DropSet): Promise<void> => {
    const question = ++newest;
    const key = keyOf(drop);
    store.dispatch({ type: 'asked', question, key });
    try {
      store.dispatch({ type: 'answered', key, answer: await host.ask('choose/ask', { question, drop }) });
    } catch (error) {
      if (question === newest && !wasSuperseded(error)) store.dispatch({ type: 'refused', why: sentenceOf(error) });
    }
    if (question !== newest) return;
    store.dispatch({ type: 'settled' });
    askNext();
  };

  const askAfterPause = () => {
    clearTimeout(timer);
    timer = setTimeout(askNext, pauseMs);
  };

  return {
    choiceChanged() {
      const { asking } = store.state;
      store.dispatch({ type: 'choiceChanged' });
      // The answer to an outdated question must not end a newer one.
      if (asking && !store.state.asking) newest++;
      askAfterPause();
    },
    hostChanged(renewed) {
      if (renewed) store.dispatch({ type: 'unrefused' });
      askAfterPause();
    },
    measureAll(queue) {
      store.dispatch({ type: 'queue', queue });
      askNext();
    },
    stopMeasuring: () => store.dispatch({ type: 'queueDone' }),
  };
}

/** A question would end the timing of the present choice. The timing of another choice may be ended. */
const isTiming = ({ speed, history }: PageState): boolean =>
  speed?.state === 'measuring' && speed.key === keyOf(history.present.drop);
