// The try panel: one prompt, and what each model makes of it, side by side; the base comes first.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { TryPage, TryState } from '../../server/protocol/pages/try';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, parameters, size, tokensPerSecond } from '../../server/shared/numbers';
import { connectionNotice } from '../components/connectionNotice';
import type { GenerateReport, ModelSummary } from '../../server/protocol/reports';
import { renderer } from '../pageStore';
import { registerPage } from '../pages';
import { type Host, sentenceOf, wasSuperseded } from '../host';
import { button, icon, textArea, messageLine } from '../components/controls';

interface State {
  readonly host: TryState;
  readonly prompt: string;
  readonly maxTokens: number;
  /** By model; the prompt of the run stands before the text. */
  readonly outputs: readonly Output[];
  readonly runs: 'never' | 'now' | 'ended' | 'cancelled';
  readonly failure: string | null;
}

interface Output {
  readonly prompt: string;
  readonly text: string;
  readonly report: GenerateReport | null;
}

registerPage<TryPage>('try', mountTry);

function mountTry(root: HTMLElement, host: Host<TryPage>, initial: TryState): void {
  let state: State = {
    host: initial,
    prompt: initial.prompt,
    maxTokens: initial.maxTokens,
    outputs: initial.models.map(() => ({ prompt: '', text: '', report: null })),
    runs: 'never',
    failure: null,
  };
  const draw = renderer(() => render(page(state, act), root));
  const update = (patch: Partial<State>) => {
    state = { ...state, ...patch };
    draw();
  };
  const output = (model: number, change: (output: Output) => Output) =>
    update({ outputs: state.outputs.map((it, i) => (i === model ? change(it) : it)) });
  const remember = () =>
    host.remember({
      page: 'try',
      folders: state.host.models.map(({ folder }) => folder),
      prompt: state.prompt,
      maxTokens: state.maxTokens,
    });
  const tell = (work: Promise<unknown>) => {
    work.catch((error) => update({ failure: sentenceOf(error) }));
  };

  const act: Actions = {
    type(prompt) {
      update({ prompt });
      remember();
    },
    length(maxTokens) {
      update({ maxTokens });
      remember();
    },
    async generate() {
      const { prompt, maxTokens } = state;
      if (state.runs === 'now' || prompt.trim() === '') return;
      update({
        runs: 'now',
        failure: null,
        outputs: state.host.models.map(() => ({ prompt, text: '', report: null })),
      });
      try {
        const reports = await host.ask('try/generate', { prompt, maxTokens });
        update({ runs: 'ended', outputs: reports.map((report) => ({ prompt, text: report.text, report })) });
      } catch (error) {
        const cancelled = state.runs === 'cancelled' || wasSuperseded(error);
        update({ runs: cancelled ? 'cancelled' : 'ended', failure: cancelled ? null : sentenceOf(error) });
      }
    },
    cancel() {
      update({ runs: 'cancelled' });
      tell(host.ask('try/cancel', {}));
    },
    restart: () => tell(host.ask('server/restart', {})),
    openLog: () => tell(host.ask('log/open', {})),
  };

  host.on('try/state', (next) => {
    const same = next.models.length === state.outputs.length;
    update({
      host: next,
      ...(same ? {} : { outputs: next.models.map(() => ({ prompt: '', text: '', report: null })) }),
    });
  });
  host.on('try/text', ({ model, text }) => {
    if (state.runs === 'now') output(model, (it) => ({ ...it, text: it.text + text }));
  });
  host.on('try/report', ({ model, report }) => output(model, (it) => ({ ...it, text: report.text, report })));
  remember();
  render(page(state, act), root);
}

interface Actions {
  type(prompt: string): void;
  length(maxTokens: number): void;
  generate(): Promise<void>;
  cancel(): void;
  restart(): void;
  openLog(): void;
}

function page(state: State, act: Actions): TemplateResult {
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
                  disabled: !connected || state.prompt.trim() === '',
                  onPress: act.generate,
                  title: 'Ctrl+Enter',
                })
          }
          <label>at most
            <input
              id="max-tokens" type="number" min="1" max="4096" .value=${String(state.maxTokens)}
              @change=${(event: Event) => act.length(tokensIn(event.target as HTMLInputElement))}
            > tokens</label>
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

function column({ host, outputs, runs }: State, model: ModelSummary, i: number): TemplateResult {
  const { prompt, text, report } = outputs[i] ?? { prompt: '', text: '', report: null };
  const begun = text !== '' || report !== null;
  const first = outputs.findIndex((it) => it.report === null);
  const now = runs === 'now' && report === null && i === first;
  const base = host.models[0]!;
  return html`
    <section class="model" aria-labelledby="model-${i}">
      <h2 id="model-${i}" class="text" title=${model.folder}><bdi>${model.name}</bdi></h2>
      <p class="small quiet">${factsOf(model, i === 0 ? null : base)}</p>
      <div class="output text" tabindex="0" role="group" aria-label="Text of ${model.name}" aria-busy=${now}>${
        prompt === ''
          ? html`<span class="quiet">The text appears here.</span>`
          : html`<bdi><span class="quiet">${prompt}</span><span class="new">${text}</span></bdi>`
      }</div>
      <p class="small quiet speed">${
        report
          ? html`<b class="strong">${tokensPerSecond(report.tokensPerSecond)}</b>, ${counted(report.nNewTokens, 'token')},
              ${report.stoppedBy === 'endOfText' ? 'ended by itself' : 'stopped at the limit'}`
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

function factsOf(model: ModelSummary, base: ModelSummary | null): string {
  const removed = model.prunedFrom?.removedBlocks;
  return [
    ...(model.healed ? ['healed'] : []),
    base && removed?.length ? `without ${blockRanges(removed)}` : base ? 'variant' : 'base',
    counted(model.nBlocks, 'block'),
    parameters(model.nParameters),
    size(model.sizeBytes),
  ].join(', ');
}
