// The state of the choose-blocks page and its transitions. `nextState` is a pure function of a state and an action; it asks
// nobody and draws nothing. What has to happen besides (requests to the host, focus) is in actions.ts and questions.ts.
import type { ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import type { WritingRun } from '../../server/protocol/pages/page';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate, MeasuredLoss } from '../../server/protocol/reports';
import { keyOf } from '../../server/shared/dropSets';
import { sublayers } from '../../server/shared/sublayers';
import { type Choice, fitting, isDropped, isRow, protect, type Row, setRange, span, takenSpan, toggle } from './choice';
import { type AskedSize, noSize } from './askedSize';
import { begin, change, type History, redo, undo } from './history';

export interface PageState {
  readonly host: ChooseBlocksState;
  readonly history: History<Choice>;
  readonly method: string;
  /** Blocks whose sublayers are shown. */
  readonly open: ReadonlySet<number>;
  readonly allOpen: boolean;
  /** The row that the keyboard is on, and the block at the other end of a range. */
  readonly current: Row;
  readonly anchor: number;
  /** The first count of the table of suggestions. */
  readonly firstCount: number;
  /** The span that the heat map's cursor is on. */
  readonly cell: { first: number; count: number };
  /** Blocks under the pointer in the map or the table of suggestions. */
  readonly preview: readonly number[];
  readonly repair: boolean;
  readonly size: AskedSize;
  /** Final answers of the engine by drop set. */
  readonly answers: ReadonlyMap<string, MeasuredLoss>;
  /** The question that waits for its answer. */
  readonly asking: Asking | null;
  /** Why the newest question was refused. */
  readonly refusal: string | null;
  /** Drop sets yet to be measured of those that were asked for at once; null when none was asked for. */
  readonly queue: readonly DropSet[] | null;
  readonly speed: { key: string; state: 'measuring' | 'failed' | 'measured'; ratio: number; message: string } | null;
  /** What came of the last press of a button that asks the host. */
  readonly message: { kind: 'failed' | 'done'; text: string } | null;
  readonly busy: 'prune' | 'saveRecipe' | 'saveWay' | 'analyze' | null;
  /** How long the answers to the questions so far took. */
  readonly answerTimesMs: readonly number[];
}

export interface Asking {
  readonly question: number;
  readonly key: string;
  readonly estimate: Estimate | null;
}

export type Action =
  // What a person does.
  | { type: 'choose'; choice: Choice }
  | { type: 'undo' | 'redo' | 'openAll' }
  | { type: 'pick'; row: Row; range: boolean }
  | { type: 'key'; key: string; shift: boolean }
  | { type: 'focus'; row: Row }
  | { type: 'openBlocks'; blocks: readonly number[] }
  | {
      type: 'show';
      changes: Partial<Pick<PageState, 'method' | 'firstCount' | 'cell' | 'preview' | 'repair' | 'size'>>;
    }
  // What the host says, and how the requests to it end.
  | { type: 'host'; host: ChooseBlocksState }
  | { type: 'pruning'; pruning: WritingRun }
  | { type: 'requested'; busy: PageState['busy'] }
  | { type: 'requestEnded'; message: PageState['message'] }
  | { type: 'failed'; message: string }
  | { type: 'speed'; speed: PageState['speed'] }
  // Questions to the engine.
  | { type: 'asked'; question: number; key: string }
  | { type: 'estimate'; question: number; estimate: Estimate }
  | { type: 'answered'; key: string; answer: Estimate }
  | { type: 'refused'; why: string }
  | { type: 'settled' | 'unrefused' | 'queueDone' }
  | { type: 'choiceChanged' }
  | { type: 'queue'; queue: readonly DropSet[] };

export function initialState(host: ChooseBlocksState): PageState {
  const { choice, model } = host;
  const present = fitting({ drop: choice.drop, protected: choice.protected }, model.nBlocks);
  const first = present.drop.blocks[0] ?? 0;
  return {
    host,
    history: begin(present),
    method: choice.method,
    open: new Set([...present.drop.attention, ...present.drop.mlp]),
    allOpen: false,
    current: { block: first, sublayer: null },
    anchor: first,
    firstCount: 1,
    cell: { first, count: Math.max(1, Math.min(present.drop.blocks.length, model.nBlocks - first)) },
    preview: [],
    repair: false,
    size: noSize,
    answers: new Map(),
    asking: null,
    refusal: null,
    queue: null,
    speed: null,
    message: null,
    busy: null,
    answerTimesMs: [],
  };
}

/** The state itself where an action changes nothing. */
export function nextState(state: PageState, action: Action): PageState {
  switch (action.type) {
    case 'choose':
      return withChoice(state, action.choice);
    case 'undo':
      return withHistory(state, undo(state.history));
    case 'redo':
      return withHistory(state, redo(state.history));
    case 'openAll':
      return { ...state, allOpen: !state.allOpen };
    case 'pick':
      return picked(state, action.row, action.range);
    case 'key':
      return afterKey(state, action.key, action.shift) ?? state;
    case 'focus':
      return isRow(action.row, state.current) ? state : { ...state, current: action.row };
    case 'openBlocks':
      return {
        ...state,
        open: new Set([...state.open, ...action.blocks]),
        current: { block: action.blocks[0]!, sublayer: null },
      };
    case 'show':
      return { ...state, ...action.changes };
    case 'host':
      return withHost(state, action.host);
    case 'pruning':
      return { ...state, host: { ...state.host, pruning: action.pruning } };
    case 'requested':
      return { ...state, busy: action.busy, message: null };
    case 'requestEnded':
      return { ...state, busy: null, message: action.message };
    case 'failed':
      return { ...state, message: { kind: 'failed', text: action.message } };
    case 'speed':
      return { ...state, speed: action.speed };
    default:
      return afterQuestion(state, action);
  }
}

type QuestionAction = Extract<
  Action,
  {
    type:
      | 'asked'
      | 'estimate'
      | 'answered'
      | 'refused'
      | 'settled'
      | 'unrefused'
      | 'queueDone'
      | 'choiceChanged'
      | 'queue';
  }
>;

function afterQuestion(state: PageState, action: QuestionAction): PageState {
  const { asking } = state;
  switch (action.type) {
    case 'asked':
      return { ...state, asking: { question: action.question, key: action.key, estimate: null } };
    case 'estimate': {
      const isCurrent = asking?.question === action.question && !action.estimate.final;
      return isCurrent ? { ...state, asking: { ...asking, estimate: action.estimate } } : state;
    }
    // An answer is true also when nobody waits for it any more.
    case 'answered': {
      const answerTimesMs = [...state.answerTimesMs, action.answer.elapsedMs];
      if (!action.answer.final) return { ...state, answerTimesMs };
      const queue = state.queue?.filter((drop) => keyOf(drop) !== action.key) ?? [];
      const answers = new Map(state.answers).set(action.key, action.answer);
      return { ...state, answerTimesMs, answers, queue: queue.length > 0 ? queue : null };
    }
    case 'refused':
      return { ...state, refusal: action.why, queue: null };
    case 'settled':
      return { ...state, asking: null };
    case 'unrefused':
      return { ...state, refusal: null };
    case 'queueDone':
      return { ...state, queue: null };
    // What is on screen must never be an answer to something else.
    case 'choiceChanged': {
      const isOutdated = asking !== null && asking.key !== keyOf(state.history.present.drop);
      return { ...state, asking: isOutdated ? null : asking, refusal: null };
    }
    case 'queue':
      return { ...state, queue: action.queue, refusal: null };
  }
}

export const isConnected = ({ host }: PageState): boolean => host.connection.state === 'connected';

/** The engine can be asked: there is a finished analysis, and nothing else of this page runs. */
export function canAsk({ host }: Pick<PageState, 'host'>): boolean {
  const { connection, run, analysis, pruning } = host;
  const isActive = (state: string | undefined) => state === 'queued' || state === 'running';
  return (
    connection.state === 'connected' &&
    analysis?.lossNats !== undefined &&
    !isActive(run?.state) &&
    !isActive(pruning?.run.state)
  );
}

/** The rows of the table: every block, and the sublayers of those that are open. */
export function visibleRows({ host, allOpen, open }: PageState): Row[] {
  return Array.from({ length: host.model.nBlocks }, (_, block) => block).flatMap((block): Row[] => [
    { block, sublayer: null },
    ...(allOpen || open.has(block) ? sublayers.map((sublayer) => ({ block, sublayer })) : []),
  ]);
}

/** Longer spans than these are hardly ever dropped. */
export const mostSpan = 12;

/** A sublayer that goes with its block, or that the model lacks already. */
function isFixed({ history, host }: PageState, { block, sublayer }: Row): boolean {
  if (sublayer === null) return false;
  return history.present.drop.blocks.includes(block) || host.model.droppedSublayers[sublayer].includes(block);
}

function withChoice(state: PageState, next: Choice): PageState {
  const now = state.history.present;
  const isSame = keyOf(next.drop) === keyOf(now.drop) && next.protected.join() === now.protected.join();
  return isSame ? state : withHistory(state, change(state.history, next));
}

/** The words under the heat map are those of the choice until somebody points at another span. */
function withHistory(state: PageState, history: PageState['history']): PageState {
  if (history === state.history) return state;
  const taken = takenSpan(history.present.drop.blocks, mostSpan);
  return { ...state, history, message: null, cell: taken ?? state.cell };
}

/** A click on a row: it is dropped or kept; with Shift all blocks from the anchor on. */
function picked(state: PageState, row: Row, range: boolean): PageState {
  const choice = state.history.present;
  const next =
    range && row.sublayer === null
      ? setRange(choice, state.anchor, row.block, !isDropped(choice.drop, row))
      : toggle(choice, row);
  return { ...(isFixed(state, row) ? state : withChoice(state, next)), anchor: row.block, current: row };
}

/** A key on a row of the table; null where the key means nothing here. */
export function afterKey(state: PageState, key: string, shift: boolean): PageState | null {
  const { current } = state;
  const choice = state.history.present;
  const rows = visibleRows(state);
  const at = rows.findIndex((row) => isRow(row, current));
  const to = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    Home: 0,
    End: rows.length - 1,
    PageDown: at + 10,
    PageUp: at - 10,
  }[key];
  if (to !== undefined) {
    const row = rows[Math.max(0, Math.min(to, rows.length - 1))]!;
    const moved = shift
      ? withChoice(state, setRange(choice, current.block, row.block, true))
      : { ...state, anchor: row.block };
    return { ...moved, current: row };
  }
  if (key === ' ')
    return {
      ...(isFixed(state, current) ? state : withChoice(state, toggle(choice, current))),
      anchor: current.block,
    };
  if (key.toLowerCase() === 'p')
    return withChoice(state, protect(choice, [current.block], !choice.protected.includes(current.block)));
  if (key === 'ArrowRight' || key === 'ArrowLeft') return opened(state, key === 'ArrowRight');
  return null;
}

function opened(state: PageState, isOpen: boolean): PageState {
  const { block, sublayer } = state.current;
  const open = new Set(state.open);
  if (isOpen) open.add(block);
  else open.delete(block);
  return { ...state, open, current: { block, sublayer: isOpen || state.allOpen ? sublayer : null } };
}

/** The span that a key on the heat map leads to; null where the key means nothing there. */
export function spanAfterKey({ cell, host }: PageState, key: string, most: number): PageState['cell'] | null {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!step) return null;
  const count = Math.max(1, Math.min(most, cell.count + step[1]!));
  return { first: Math.max(0, Math.min(host.model.nBlocks - count, cell.first + step[0]!)), count };
}

export const blocksOf = ({ first, count }: PageState['cell']): number[] => span(first, count);

/** Answers belong to one analysis: another text gives other numbers. */
function withHost(state: PageState, host: ChooseBlocksState): PageState {
  if (host.run?.runId === state.host.run?.runId) return { ...state, host };
  return { ...state, host, answers: new Map(), asking: null, queue: null, speed: null, refusal: null };
}
