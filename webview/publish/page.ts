// The publish page: where to, the person's words, what a look has found, and the way to the hub.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { PublishPage, PublishRun, PublishSettings, PublishState } from '../../server/protocol/pages/publish';
import { clock, duration, share, size } from '../../server/shared/numbers';
import { secondsLeftByShare } from '../../server/shared/secondsLeft';
import { connectionNotice } from '../components/connectionNotice';
import { button, link, messageLine, progressBar } from '../components/controls';
import { icon } from '../components/icons';
import { runStyles, stepInWords } from '../components/runState';
import type { Host } from '../host';
import { openPageStore, type PageStore, renderer } from '../pageStore';
import { registerPage } from '../pages';
import { requestsOf } from '../requests';
import { form } from './form';
import { card, found } from './preview';
import {
  type Action,
  failedCheck,
  goesOn,
  initialState,
  isKnown,
  isStale,
  mayDo,
  nextState,
  type PageState,
  previewed,
} from './state';

registerPage<PublishPage>('publish', mountPublish);

function mountPublish(root: HTMLElement, host: Host<PublishPage>, initial: PublishState): void {
  const draw = renderer(() => render(page(store.state, act), root));
  const store = openPageStore(initialState(initial), nextState, draw);
  const act = actionsOn(store, host);
  const remember = () =>
    host.remember({ page: 'publish', folder: initial.folder, runId: store.state.host.run?.run.runId ?? null });
  host.on('publish/state', (next) => {
    store.dispatch({ type: 'host', host: next });
    remember();
  });
  remember();
  render(page(store.state, act), root);
}

type Actions = ReturnType<typeof actionsOn>;

function actionsOn(store: PageStore<PageState, Action>, host: Host<PublishPage>) {
  const { send, sendQuietly } = requestsOf(store.dispatch);
  let typed: ReturnType<typeof setTimeout> | undefined;
  const settings = () => store.state.settings;
  const runId = () => store.state.host.run?.run.runId ?? '';
  return {
    type(change: Partial<PublishSettings>) {
      store.dispatch({ type: 'typed', settings: change });
      clearTimeout(typed);
      typed = setTimeout(() => sendQuietly(host.ask('publish/settings', { settings: settings() })), 300);
    },
    preview: () => send(host.ask('publish/preview', { settings: settings() }), 'busy'),
    publish: () => send(host.ask('publish/start', { settings: settings() }), 'busy'),
    token: () => send(host.ask('publish/token', {})),
    openCard: () => send(host.ask('publish/card', {})),
    visit: () => send(host.ask('publish/visit', {})),
    cancel: () => send(host.ask('run/cancel', { runId: runId() })),
    resume: () => send(host.ask('run/resume', { runId: runId() })),
    openRun: () => send(host.ask('run/open', { runId: runId() })),
    restart: () => send(host.ask('server/restart', {})),
    openLog: () => send(host.ask('log/open', {})),
  };
}

function page(state: PageState, act: Actions): TemplateResult {
  const { host, failure } = state;
  const looked = previewed(state);
  const may = mayDo(state);
  return html`
    <div class="panel" id="publish-page">
      <header class="title">
        <h1>Publish</h1><span class="quiet text" title=${host.folder}><bdi>${host.folder}</bdi></span>
      </header>
      ${connectionNotice(host.connection, act)}
      ${failure ? messageLine('failed', failure) : nothing}
      <div class="row ways">
        ${button({ id: 'preview', label: 'Preview', disabled: !may.preview, onPress: act.preview, title: 'Prove the folder, make its card and look at the hub; nothing is sent' })}
        ${button({ id: 'publish', appearance: 'primary', label: 'Publish', disabled: !may.publish, onPress: act.publish })}
        <span class="quiet small text">${nextStep(state)}</span>
      </div>
      ${host.run ? runCard(host.run, act) : nothing}
      <div class="publish-columns">
        <div>
          ${form(state, act)}
          ${looked && host.preview ? html`<div class=${isStale(state) ? 'stale' : ''}>${found(looked, host.preview.report)}</div>` : nothing}
        </div>
        <div class=${isStale(state) ? 'stale' : ''}>${card(looked, act)}</div>
      </div>
      <p class="sr" role="status">${host.run ? `${titleOf(host.run)}: ${runStyles[host.run.run.state].label}` : ''}</p>
    </div>`;
}

function nextStep(state: PageState): string {
  const looked = previewed(state);
  if (goesOn(state)) return '';
  if (!looked) return 'Preview first: it shows the card, the proof and what would be sent.';
  if (isStale(state)) return 'Something was changed since the preview; preview it again.';
  if (failedCheck(looked.checks)) return 'What fails its proof is not published.';
  return isKnown(looked) ? '' : 'Nobody is logged in; set a token that may write, and preview it again.';
}

const titleOf = ({ isPreview }: PublishRun): string => (isPreview ? 'Preview' : 'Publishing');

function runCard(shown: PublishRun, act: Actions): TemplateResult {
  const { run, report } = shown;
  const style = runStyles[run.state];
  const isDone = run.state === 'done' && !shown.isPreview;
  return html`
    <section class="card" id="state" aria-label="State">
      <p class="row top">${icon(style.icon, style.kind)}<span class="text"><b class="strong">${titleOf(shown)}: ${style.label}</b>${sentence(shown)}</span></p>
      ${
        run.state === 'running'
          ? html`<div>${progressBar(run.fraction, run.title)}
              <p class="small quiet">${share(run.fraction, 0)} of ${stepInWords(run.step)}</p></div>`
          : nothing
      }
      <div class="row">
        ${waysOn(shown, act)}
        ${isDone && report ? button({ id: 'visit', label: 'Open on the Hub', onPress: act.visit }) : nothing}
        ${link('Open Run', act.openRun)}
      </div>
    </section>`;
}

function waysOn({ run }: PublishRun, act: Actions): unknown {
  if (run.state === 'queued' || run.state === 'running')
    return button({ id: 'cancel', label: 'Cancel', onPress: act.cancel });
  return run.state === 'done' || run.state === 'paused'
    ? nothing
    : button({ id: 'resume', label: 'Try Again', onPress: act.resume });
}

function sentence({ run, isPreview, report }: PublishRun): string {
  const [published] = report?.published ?? [];
  switch (run.state) {
    case 'running': {
      const left = run.step === 'upload' ? secondsLeftByShare(run, Date.now()) : null;
      return left === null ? '' : `, about ${clock(left)} left`;
    }
    case 'done':
      if (isPreview || !report || !published) return '; nothing was sent.';
      return `: ${published.repository}@${published.branch} is ${published.commit?.slice(0, 12)}${published.wasThere ? ', which had all of it' : `, ${size(report.sentBytes)} of large files sent in ${duration(report.elapsedMs / 1000)}`}.`;
    case 'failed':
      return `: ${run.message}`;
    case 'cancelled':
      return '; no branch was changed, and files that were sent whole are kept.';
    case 'interrupted':
      return ': the compute server ended in the middle of it; no branch was changed.';
    default:
      return '';
  }
}
