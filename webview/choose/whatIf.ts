// Asks the engine what a drop set costs. One question at a time: the present choice comes first, after a pause in which
// nothing was changed, then those that were asked for all at once. A newer question ends the older one.
import type { ChooseBlocksPage } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import { type Host, sentenceOf, wasSuperseded } from '../host';
import { isEmpty, keyOf } from '../../server/shared/dropSets';
import type { Store } from './store';
import { viewOf } from './view';

/** Long enough to walk over blocks with a key held down, too short to wait for. */
const pauseMs = 120;

export interface WhatIf {
  /** After each change of the choice. */
  choiceChanged(): void;
  /** After each word of the host; `renewed` when what was refused may now be answered. */
  hostChanged(renewed: boolean): void;
  measureAll(drops: readonly DropSet[]): void;
  stopMeasuring(): void;
  canAsk(): boolean;
  answerTimesMs(): readonly number[];
}

export function whatIf(store: Store, host: Host<ChooseBlocksPage>): WhatIf {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let question = 0;
  const times: number[] = [];

  host.on('choose/estimate', ({ question: of, estimate }) => {
    const { asking } = store.state;
    if (asking?.question === of && !estimate.final) store.update({ asking: { ...asking, estimate } });
  });

  const canAsk = () => {
    const { connection, run, analysis } = store.state.host;
    const busy = run?.state === 'queued' || run?.state === 'running';
    return connection.state === 'connected' && analysis?.lossNats !== undefined && !busy && !isPruning();
  };
  const isPruning = () => ['queued', 'running'].includes(store.state.host.pruning?.run.state ?? '');

  /** The present choice if it is not known, else the next of those asked for. */
  const next = (): DropSet | null => {
    if (!canAsk()) return null;
    const view = viewOf(store.state);
    const tooMany = view.facts.nBlocksLeft < 1;
    if (view.loss.kind !== 'measured' && !isEmpty(view.choice.drop) && !tooMany && store.state.refusal === null)
      return view.choice.drop;
    return store.state.queue?.find((drop) => !view.sets.has(keyOf(drop))) ?? null;
  };

  /** A question would end the timing of the present choice; that of another one is to end. */
  const isTiming = () => {
    const { speed, history } = store.state;
    return speed?.state === 'measuring' && speed.key === keyOf(history.present.drop);
  };

  const askNext = (): void => {
    if (isTiming()) return;
    const drop = next();
    const { queue, asking } = store.state;
    if (queue && !drop && !asking) store.update({ queue: null });
    if (!drop || asking?.key === keyOf(drop)) return;
    void ask(drop);
  };

  const ask = async (drop: DropSet): Promise<void> => {
    const mine = ++question;
    const key = keyOf(drop);
    store.update({ asking: { question: mine, key, estimate: null } });
    try {
      const answer = await host.ask('choose/ask', { question: mine, drop });
      times.push(answer.elapsedMs);
      learn(key, answer);
    } catch (error) {
      if (mine === question && !wasSuperseded(error)) store.update({ refusal: sentenceOf(error), queue: null });
    }
    if (mine !== question) return;
    store.update({ asking: null });
    askNext();
  };

  /** An answer is true also when nobody waits for it any more. */
  const learn = (key: string, answer: Estimate): void => {
    if (!answer.final) return;
    const queue = store.state.queue?.filter((drop) => keyOf(drop) !== key) ?? null;
    store.update({ answers: new Map(store.state.answers).set(key, answer), queue: queue?.length ? queue : null });
  };

  return {
    canAsk,
    answerTimesMs: () => times,
    choiceChanged() {
      clearTimeout(timer);
      const key = keyOf(store.state.history.present.drop);
      // What is on screen must never be an answer to something else.
      if (store.state.asking && store.state.asking.key !== key) {
        question++;
        store.update({ asking: null });
      }
      store.update({ refusal: null });
      timer = setTimeout(askNext, pauseMs);
    },
    hostChanged(renewed) {
      if (renewed) store.update({ refusal: null });
      clearTimeout(timer);
      timer = setTimeout(askNext, pauseMs);
    },
    measureAll(drops) {
      store.update({ queue: drops, refusal: null });
      askNext();
    },
    stopMeasuring() {
      store.update({ queue: null });
    },
  };
}
