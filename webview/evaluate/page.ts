// The page of an evaluation: the form before it, then the table of its scores as they come, with what they depend on.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { EvaluatePage, EvaluationState } from '../../server/protocol/pages/evaluate';
import { counted } from '../../server/shared/numbers';
import { connectionNotice } from '../components/connectionNotice';
import { button, searchField, tool } from '../components/controls';
import { icon } from '../components/icons';
import { isActive, runStyles } from '../components/runState';
import type { Host } from '../host';
import { openPageStore, renderer } from '../pageStore';
import { registerPage } from '../pages';
import { actionsOn, type EvaluateActions } from './actions';
import { strip } from './differenceChart';
import { form } from './form';
import { generation } from './generation';
import { legend } from './legend';
import { notices } from './notices';
import { perplexity } from './perplexity';
import { scores } from './scores';
import { questions, settingsList } from './settings';
import { initialState, nextState, type PageState } from './state';
import { type TableView, tableViewOf, variantsOf } from './view';

registerPage<EvaluatePage>('evaluate', mountEvaluate);

function mountEvaluate(root: HTMLElement, host: Host<EvaluatePage>, initial: EvaluationState): void {
  const draw = () => render(page(store.state, act), root);
  const store = openPageStore(initialState(initial), nextState, renderer(draw));
  const act = actionsOn({ host, store });
  host.on('evaluate/state', (next) => {
    store.dispatch({ type: 'host', host: next });
    host.remember(memoryOf(next));
  });
  host.remember(memoryOf(initial));
  draw();
}

const memoryOf = ({ models, shown }: EvaluationState) => ({
  page: 'evaluate' as const,
  folders: shown.kind === 'run' ? shown.evaluation.recipe.models : models.map(({ folder }) => folder),
  runId: shown.kind === 'run' ? shown.evaluation.run.runId : null,
  beside: shown.kind === 'run' ? shown.beside.map(({ run }) => run.runId) : [],
});

function page(state: PageState, act: EvaluateActions): TemplateResult {
  const { host } = state;
  const view = tableViewOf(state);
  return html`
    <div class="panel ${view && variantsOf(view).length > mostBeside ? 'many' : ''}" id="evaluation">
      <header class="title">
        <h1>Evaluation</h1>
        <span class="quiet text">${subtitle(host, view)}</span>
        ${view ? controls(view, act) : nothing}
      </header>
      ${connectionNotice(host.connection, act)}
      ${view ? results(view, act) : host.shown.kind === 'form' ? form(state, host.shown.form, act) : nothing}
    </div>`;
}

/** With more variants the column of plots does not fit: it becomes a chart below, as on a narrow page. */
const mostBeside = 3;

function subtitle({ models, shown }: EvaluationState, view: TableView | null): TemplateResult {
  const [base] = models;
  const name = view?.columns[0]?.model.name ?? base?.name ?? '';
  const n = view && view.columns.length > 0 ? variantsOf(view).length : Math.max(0, models.length - 1);
  const variants = n > 0 ? ` and ${counted(n, 'variant')}` : '';
  return html`<bdi>${name}</bdi>${variants}${shown.kind === 'run' ? `, ${questions(shown.evaluation.recipe)}` : ''}`;
}

function controls({ evaluation, state }: TableView, act: EvaluateActions): TemplateResult {
  const off = state.host.connection.state !== 'connected' || state.busy;
  const { run } = evaluation;
  const style = runStyles[run.state];
  return html`
    ${run.state === 'done' ? nothing : html`<span class="state" id="run-state">${icon(style.icon, style.kind)}<span>${style.label}</span></span>`}
    <span class="row controls" role="toolbar" aria-label="Evaluation">
      ${isActive(run.state) ? nothing : button({ id: 'add-variant', label: 'Add Variant…', disabled: off, onPress: act.addVariant })}
      ${button({ id: 'save-recipe', label: 'Save as Recipe…', disabled: off, onPress: act.saveRecipe })}
      ${
        isActive(run.state)
          ? button({ id: 'cancel', label: 'Cancel', disabled: off, onPress: act.cancel })
          : button({
              id: 'evaluate',
              appearance: 'primary',
              label: 'Evaluate…',
              disabled: off,
              onPress: () => act.again({}),
            })
      }
    </span>`;
}

const results = (view: TableView, act: EvaluateActions): TemplateResult => html`
  ${notices(view, act)}
  ${
    view.rows.length === 0
      ? nothing
      : html`
        ${tools(view, act)} ${scores(view, act)} ${legend(view, act)} ${strip(view)}
        <div class="below">${perplexity(view)}${settingsList(view)}</div>
        ${generation(view)}`
  }`;

function tools({ state }: TableView, act: EvaluateActions): TemplateResult {
  const { filter, significant } = state.host.view;
  return html`
    <div class="row results" role="toolbar" aria-label="Results">
      ${searchField({ id: 'filter', label: 'Filter tasks', value: filter, onInput: act.filter })}
      ${tool({ id: 'significant', text: 'Significant', title: 'Show only differences that are significant', pressed: significant, onPress: act.significant })}
      <span class="grow"></span>
      ${tool({ id: 'copy', icon: state.copied ? 'check' : 'copy', text: state.copied ? 'Copied' : 'Copy as Markdown', title: 'Copy the rows that are shown', onPress: act.copy })}
      ${tool({ id: 'save-csv', icon: 'save', text: 'CSV', title: 'Save all numbers as CSV', onPress: () => act.exportAs('csv') })}
      ${tool({ id: 'save-json', icon: 'json', text: 'JSON', title: 'Save the reports as JSON', onPress: () => act.exportAs('json') })}
    </div>`;
}
