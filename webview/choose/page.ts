// The choose-blocks panel: which blocks to drop, and how many. The host keeps its state true; the page adds what only it
// knows, such as the steps that can be undone, and draws all of it from one state.
import { html, nothing, render, svg, type TemplateResult } from 'lit';
import type { ChooseBlocksPage, ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import { counted } from '../../server/shared/numbers';
import { renderer } from '../frames';
import type { Host } from '../host';
import { registerPage } from '../pages';
import { actionsOn, type Actions } from './actions';
import { choiceBar } from './choiceBar';
import { curve } from './curve';
import { heatMap } from './heatMap';
import { notices } from './notices';
import { choiceTools, spine } from './spine';
import { initialState, openStore } from './store';
import { suggestionTable } from './suggestionTable';
import { type View, viewOf } from './view';
import { whatIf } from './whatIf';

registerPage<ChooseBlocksPage>('chooseBlocks', mountChooseBlocks);

function mountChooseBlocks(root: HTMLElement, host: Host<ChooseBlocksPage>, initial: ChooseBlocksState): void {
  let focusWanted = false;
  const draw = () => {
    render(page(viewOf(store.state), act), root);
    if (focusWanted) root.querySelector<HTMLElement>('#spine tr[tabindex="0"]')?.focus();
    focusWanted = false;
  };
  const store = openStore(initialState(initial), renderer(draw));
  const asking = whatIf(store, host);
  const act = actionsOn(store, host, asking, () => {
    focusWanted = true;
    store.update({});
  });

  host.on('choose/state', (state) => {
    const before = store.state.host;
    // Answers are those of one analysis: another text, other numbers.
    const other = state.run?.runId !== before.run?.runId;
    const forgotten = { answers: new Map(), asking: null, queue: null, speed: null, refusal: null };
    store.update({ host: state, ...(other ? forgotten : {}) });
    asking.hostChanged(
      other || state.run?.state !== before.run?.state || state.connection.state !== before.connection.state,
    );
  });
  host.on('choose/pruning', (pruning) => store.update({ host: { ...store.state.host, pruning } }));
  window.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    if (event.shiftKey) act.redo();
    else act.undo();
    event.preventDefault();
  });
  // A window that is reloaded before anything was chosen brings the panel back, too.
  host.remember({ page: 'chooseBlocks', folder: initial.model.folder, choice: initial.choice });
  draw();
  asking.choiceChanged();
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
        <section aria-label="Blocks">${spine(view, act)}</section>
        ${analysed ? html`<aside>${suggestionTable(view, act)}${curve(view, act)}${heatMap(view, act)}</aside>` : nothing}
      </div>
    </div>
    ${choiceBar(view, act)} ${hatches}`;
}

/** Dropped bars and cells that hold a surprise are hatched: not by colour alone. */
const hatches = html`<svg class="defs" aria-hidden="true"><defs>${['predicted', 'measured', 'odd'].map(
  (name) =>
    svg`<pattern id="hatch-${name}" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V4"></path></pattern>`,
)}</defs></svg>`;

function subtitle({ state, nBlocks }: View): TemplateResult {
  const { model, analysis } = state.host;
  const source = analysis?.source;
  const measured = source
    ? html`, measured on <bdi>${source.files.map(({ name }) => name).join(', ')}</bdi>, ${counted(source.nWindows, 'window')} of ${source.tokensPerWindow} tokens`
    : nothing;
  return html`<bdi>${model.name}</bdi>, ${counted(nBlocks, 'block')}${measured}`;
}
