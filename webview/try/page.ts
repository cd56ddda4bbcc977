// The try page: one prompt, and what each model makes of it, side by side; the original model comes first.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { TryPage, TryState } from '../../server/protocol/pages/try';
import type { WeightsOption } from '../../server/protocol/recipes';
import type { ModelSummary } from '../../server/protocol/reports';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, parameters, size, tokensPerSecond } from '../../server/shared/numbers';
import { matricesAs } from '../../server/shared/weightWidths';
import { connectionNotice } from '../components/connectionNotice';
import { button, messageLine, textArea } from '../components/controls';
import { icon } from '../components/icons';
import { weightsField } from '../components/weightsField';
import { type Host, wasSuperseded } from '../host';
import { openPageStore, type PageStore, renderer } from '../pageStore';
import { registerPage } from '../pages';
import { sentenceOf } from '../requests';
import { type Action, canGenerate, initialState, nextState, type PageState } from './state';

registerPage<TryPage>('try', mountTry);

function mountTry(root: HTMLElement, host: Host<TryPage>, initial: TryState): void {
  const draw = () => render(page(store.state, act), root);
  const store = openPageStore(initialState(initial), nextState, renderer(draw));
  const act = actionsOn(store, host);
  host.on('try/state', (next) => store.dispatch({ type: 'host', host: next }));
  host.on('try/text', ({ model, text }) => store.dispatch({ type: 'text', model, text }));
  host.on('try/report', ({ model, report }) => store.dispatch({ type: 'report', model, report }));
  act.remember();
  draw();
}

type Actions = ReturnType<typeof actionsOn>;

function actionsOn(store: PageStore<PageState, Action>, host: Host<TryPage>) {
  const failed = (error: unknown) => store.dispatch({ type: 'failed', failure: sentenceOf(error) });
  const remember = () => {
    const { host: known, prompt, maxTokens, weights } = store.state;
    host.remember({ page: 'try', folders: known.models.map(({ folder }) => folder), prompt, maxTokens, weights });
  };
  return {
    remember,
    type(prompt: string) {
      store.dispatch({ type: 'prompt', prompt });
      remember();
    },
    length(maxTokens: number) {
      store.dispatch({ type: 'length', maxTokens });
      remember();
    },
    hold(weights: WeightsOption | null) {
      store.dispatch({ type: 'weights', weights });
      remember();
    },
    async generate() {
      const { prompt, maxTokens, weights } = store.state;
      if (!canGenerate(store.state)) return;
      store.dispatch({ type: 'begin' });
      try {
        store.dispatch({ type: 'end', reports: await host.ask('try/generate', { prompt, maxTokens, weights }) });
      } catch (error) {
        if (store.state.runs === 'cancelled' || wasSuperseded(error)) return store.dispatch({ type: 'cancelled' });
        failed(error);
        store.dispatch({ type: 'end', reports: null });
      }
    },
    cancel() {
      store.dispatch({ type: 'cancelled' });
      host.ask('try/cancel', {}).catch(failed);
    },
    restart: () => void host.ask('server/restart', {}).catch(failed),
    openLog: () => void host.ask('log/open', {}).catch(failed),
  };
}

function page(state: PageState, act: Actions): TemplateResult {
  const { models, connection } = state.host;
  const connected = connection.state === 'connected';
  return html`
    <div class="panel" id="try-page">
      <header class="title"><h1>Try</h1><span class="quiet">one prompt, ${counted(models.length, 'model')}</span></header>
      ${connectionNotice(connection, act)}
      <div class="prompt" @keydown=${(event: KeyboardEvent) => {
        if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        void act.generate();
      }}>
        ${textArea({ id: 'prompt', label: 'Prompt', value: state.prompt, onInput: act.type })}
        <div class="row">
          ${
            state.runs === 'now'
              ? button({ id: 'cancel', label: 'Cancel', onPress: act.cancel })
              : button({
                  id: 'generate',
                  appearance: 'primary',
                  label: 'Generate',
                  disabled: !connected || !canGenerate(state),
                  onPress: act.generate,
                  title: 'Ctrl+Enter',
                })
          }
          <label>at most
            <input
              id="max-tokens" type="number" min="1" max="4096" .value=${String(state.maxTokens)}
              @change=${(event: Event) => act.length(tokensIn(event.target as HTMLInputElement))}
            > tokens</label>
          ${weightsField(state.weights, act.hold)}
          <span class="quiet small">Each token is the likeliest one, so that the models can be compared.</span>
        </div>
        ${state.failure ? messageLine('failed', state.failure) : nothing}
      </div>
      <div class="models">${models.map((model, i) => column(state, model, i))}</div>
      <p class="sr" role="status">${{ never: '', now: 'Generating.', ended: 'Done.', cancelled: 'Cancelled.' }[state.runs]}</p>
    </div>`;
}

/** At least one, at most what the field says, whatever was typed. */
const tokensIn = ({ value, max }: HTMLInputElement): number =>
  Math.max(1, Math.min(Number(max), Math.round(Number(value)) || 1));

function column({ host, outputs, runs }: PageState, model: ModelSummary, i: number): TemplateResult {
  const { prompt, text, report } = outputs[i] ?? { prompt: '', text: '', report: null };
  const begun = text !== '' || report !== null;
  const first = outputs.findIndex((it) => it.report === null);
  const now = runs === 'now' && report === null && i === first;
  const original = host.models[0]!;
  return html`
    <section class="model" aria-labelledby="model-${i}">
      <h2 id="model-${i}" class="text" title=${model.folder}><bdi>${model.name}</bdi></h2>
      <p class="small quiet">${factsOf(model, i === 0 ? null : original)}</p>
      <div class="output text" tabindex="0" role="group" aria-label="Text of ${model.name}" aria-busy=${now}>${
        prompt === ''
          ? html`<span class="quiet">The text appears here.</span>`
          : html`<bdi><span class="quiet">${prompt}</span><span class="new">${text}</span></bdi>`
      }</div>
      <p class="small quiet speed">${
        report
          ? html`<b class="strong">${tokensPerSecond(report.tokensPerSecond)}</b>, ${counted(report.nNewTokens, 'token')},
              ${report.stoppedBy === 'endOfText' ? 'ended by itself' : 'stopped at the limit'}${matricesAs(report)}`
          : now
            ? html`${icon('sync', 'spin')} ${begun ? 'generating' : 'reading the prompt'}`
            : runs === 'now'
              ? 'waits for the model before it'
              : runs === 'cancelled' && prompt !== ''
                ? 'cancelled'
                : nothing
      }</p>
    </section>`;
}

function factsOf(model: ModelSummary, original: ModelSummary | null): string {
  const removed = model.prunedFrom?.removedBlocks;
  return [
    ...(model.healed ? ['healed'] : []),
    original && removed?.length ? `without ${blockRanges(removed)}` : original ? 'variant' : 'original',
    counted(model.nBlocks, 'block'),
    parameters(model.nParameters),
    size(model.sizeBytes),
  ].join(', ');
}
