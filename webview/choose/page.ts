// The choose-blocks page: which blocks to drop, and how many. The host sends what it knows of the model and its analysis;
// the page adds what only it knows, such as the steps that can be undone, and draws all of it from one state.
import { html, nothing, render, svg, type TemplateResult } from 'lit';
import type { ChooseBlocksPage, ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import { counted } from '../../server/shared/numbers';
import { matricesAs } from '../../server/shared/weightWidths';
import type { Host } from '../host';
import { openPageStore, renderer } from '../pageStore';
import { registerPage } from '../pages';
import { type Actions, actionsOn } from './actions';
import { blockTable, choiceTools } from './blockTable';
import { choiceBar } from './choiceBar';
import { curve } from './curve';
import { heatMap } from './heatMap';
import { notices } from './notices';
import { openQuestions } from './questions';
import { sizeForm } from './size';
import { initialState, nextState } from './state';
import { suggestionTable } from './suggestionTable';
import { type View, viewOf } from './view';

registerPage<ChooseBlocksPage>('chooseBlocks', mountChooseBlocks);

function mountChooseBlocks(root: HTMLElement, host: Host<ChooseBlocksPage>, initial: ChooseBlocksState): void {
  let focusWanted = false;
  const draw = () => {
    render(page(viewOf(store.state), act), root);
    if (focusWanted) root.querySelector<HTMLElement>('#blocks tr[tabindex="0"]')?.focus();
    focusWanted = false;
  };
  const soon = renderer(draw);
  const store = openPageStore(initialState(initial), nextState, soon);
  const questions = openQuestions(store, host);
  const focusRow = () => {
    focusWanted = true;
    soon();
  };
  const act = actionsOn({ store, host, questions, focusRow });

  host.on('choose/state', (next) => {
    const { run, connection } = store.state.host;
    store.dispatch({ type: 'host', host: next });
    questions.hostChanged(
      next.run?.runId !== run?.runId || next.run?.state !== run?.state || next.connection.state !== connection.state,
    );
  });
  host.on('choose/pruning', (pruning) => store.dispatch({ type: 'pruning', pruning }));
  window.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    if (event.shiftKey) act.redo();
    else act.undo();
    event.preventDefault();
  });
  // A window that is reloaded before anything was chosen brings the page back, too.
  host.remember({ page: 'chooseBlocks', folder: initial.model.folder, choice: initial.choice });
  draw();
  questions.choiceChanged();
}

function page(view: View, act: Actions): TemplateResult {
  const analysed = view.methods.length > 0;
  return html`
    <div class="panel">
      <header class="title">
        <h1>Choose Blocks</h1>
        <span class="quiet text">${subtitle(view)}</span><span class="grow"></span>${choiceTools(view, act)}
      </header>
      ${notices(view, act)}
      <div class="columns ${analysed ? '' : 'alone'}">
        <section aria-label="Blocks">${blockTable(view, act)}</section>
        ${analysed ? html`<aside>${suggestionTable(view, act)}${sizeForm(view, act)}${curve(view, act)}${heatMap(view, act)}</aside>` : nothing}
      </div>
    </div>
    ${choiceBar(view, act)} ${hatches}`;
}

/** Dropped bars and some cells of the heat map are hatched, so that nothing is shown by colour alone. */
const hatches = html`<svg class="defs" aria-hidden="true"><defs>${['predicted', 'measured', 'odd'].map(
  (name) =>
    svg`<pattern id="hatch-${name}" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V4"></path></pattern>`,
)}</defs></svg>`;

function subtitle({ state, nBlocks }: View): TemplateResult {
  const { model, analysis } = state.host;
  const source = analysis?.source;
  const measured = source
    ? html`, measured on <bdi>${source.files.map(({ name }) => name).join(', ')}</bdi>, ${counted(source.nSequences, 'sequence')} of ${source.tokensPerSequence} tokens${matricesAs(analysis)}`
    : nothing;
  return html`<bdi>${model.name}</bdi>, ${counted(nBlocks, 'block')}${measured}`;
}
