// The page of a run of any kind: its state and progress, its plan, its recipe, and the facts of its report.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { DownloadPlan, Plan } from '../../server/protocol/engine';
import type { RunPage, RunPageState } from '../../server/protocol/pages/run';
import type { RunSummary } from '../../server/protocol/server';
import { clock, counted, duration, memory, share, size } from '../../server/shared/numbers';
import { secondsLeftByShare } from '../../server/shared/secondsLeft';
import { matricesAs } from '../../server/shared/weightWidths';
import { connectionNotice } from '../components/connectionNotice';
import { button, messageLine, progressBar, tool } from '../components/controls';
import { facts } from '../components/facts';
import { icon } from '../components/icons';
import { runStyles, secondsLeft, stepInWords } from '../components/runState';
import type { Host } from '../host';
import { renderer } from '../pageStore';
import { registerPage } from '../pages';
import { sentenceOf } from '../requests';
import { summaryOf } from './summary';

interface State {
  readonly host: RunPageState;
  readonly copied: boolean;
  readonly failure: string | null;
}

registerPage<RunPage>('run', mountRun);

function mountRun(root: HTMLElement, host: Host<RunPage>, initial: RunPageState): void {
  let state: State = { host: initial, copied: false, failure: null };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = renderer(() => render(page(state, act), root));
  const update = (patch: Partial<State>) => {
    state = { ...state, ...patch };
    draw();
  };
  const tell = (work: Promise<unknown>) => {
    update({ failure: null });
    work.catch((error) => update({ failure: sentenceOf(error) }));
  };
  const runId = () => state.host.run.runId;
  const act: Actions = {
    cancel: () => tell(host.ask('run/cancel', { runId: runId() })),
    resume: () => tell(host.ask('run/resume', { runId: runId() })),
    restart: () => tell(host.ask('server/restart', {})),
    openLog: () => tell(host.ask('log/open', {})),
    tryIt: (folder) => tell(host.ask('model/try', { folder })),
    copy() {
      tell(host.ask('text/copy', { text: state.host.recipeYaml }));
      update({ copied: true });
      clearTimeout(timer);
      timer = setTimeout(() => update({ copied: false }), 2000);
    },
  };
  host.on('run/state', (next) => {
    update({ host: next });
    host.remember({ page: 'run', runId: next.run.runId });
  });
  host.remember({ page: 'run', runId: initial.run.runId });
  render(page(state, act), root);
}

interface Actions {
  cancel(): void;
  resume(): void;
  restart(): void;
  openLog(): void;
  tryIt(folder: string): void;
  copy(): void;
}

function page({ host, copied, failure }: State, act: Actions): TemplateResult {
  const { run, plan, download, report, recipeYaml } = host;
  return html`
    <div class="panel" id="run-page">
      <header class="title">
        <h1 class="text"><bdi>${run.title}</bdi></h1>
        <span class="quiet text" title=${run.model}><bdi>${run.model}</bdi></span>
      </header>
      ${connectionNotice(host.connection, act)} ${stateCard(host, act)}
      ${failure ? messageLine('failed', failure) : nothing}
      ${host.warnings.map((text) => html`<div class="note" role="note">${icon('warning', 'warn')}<span class="text">${text}</span></div>`)}
      <div class="run-columns">
        ${report ? facts('Report', summaryOf(report)) : nothing} ${plan ? facts('Plan', planFacts(plan)) : nothing}
        ${download ? facts('Download', downloadFacts(download)) : nothing}
        <section aria-labelledby="recipe-title" class="recipe">
          <div class="row heading"><h2 id="recipe-title">Recipe</h2><span class="grow"></span>${copyTool(copied, act)}</div>
          <pre tabindex="0" aria-label="Recipe as YAML">${recipeYaml}</pre>
          <p class="small quiet">The same as a file: <code>espalier run RECIPE.yaml</code></p>
        </section>
      </div>
      <p class="sr" role="status">${runStyles[run.state].label}</p>
    </div>`;
}

const copyTool = (copied: boolean, act: Actions) =>
  tool({
    id: 'copy',
    icon: copied ? 'check' : 'copy',
    text: copied ? 'Copied' : 'Copy',
    title: 'Copy the recipe',
    onPress: act.copy,
  });

function stateCard({ run, report, plan }: RunPageState, act: Actions): TemplateResult {
  const style = runStyles[run.state];
  const ways = waysOn(run, report, act);
  return html`
    <section class="card" id="state" aria-label="State">
      <p class="row top">${icon(style.icon, style.kind)}<span class="text"><b class="strong">${style.label}</b>${sentence(run, plan)}</span></p>
      ${
        run.state === 'running'
          ? html`<div>
              ${progressBar(run.fraction, run.title)}
              <p class="small quiet">${share(run.fraction, 0)} of ${stepInWords(run.step)}</p>
            </div>`
          : nothing
      }
      ${ways.length > 0 ? html`<div class="row">${ways}</div>` : nothing}
    </section>`;
}

function waysOn(run: RunSummary, report: RunPageState['report'], act: Actions): TemplateResult[] {
  switch (run.state) {
    case 'queued':
    case 'running':
    case 'paused':
      return [button({ id: 'cancel', label: 'Cancel', onPress: act.cancel })];
    case 'done': {
      const out = report && 'out' in report && report.kind !== 'export' ? report.out : null;
      return out ? [button({ id: 'try', appearance: 'primary', label: 'Try It', onPress: () => act.tryIt(out) })] : [];
    }
    default:
      return [
        button({ id: 'resume', appearance: 'primary', label: 'Run Again', onPress: act.resume }),
        button({ label: 'Open Log', onPress: act.openLog }),
      ];
  }
}

function sentence(run: RunSummary, plan: Plan | null): string {
  const took =
    run.startedAtEpochMs !== null && run.endedAtEpochMs !== null
      ? (run.endedAtEpochMs - run.startedAtEpochMs) / 1000
      : null;
  switch (run.state) {
    case 'queued':
      return ' for another run to end.';
    case 'running': {
      const left = isByHub(run) ? secondsLeftByShare(run, Date.now()) : secondsLeft(run, plan);
      return left === null ? '' : `, about ${clock(left)} left`;
    }
    case 'paused':
      return ` at ${share(run.fraction, 0)}.`;
    case 'done':
      return took === null ? '' : ` in ${duration(took)}`;
    case 'failed':
      return `: ${run.message}`;
    case 'cancelled':
      return took === null ? `; ${whatStays(run)}.` : ` after ${duration(took)}; ${whatStays(run)}.`;
    case 'interrupted':
      return `: the compute server ended in the middle of it; ${whatStays(run)}.`;
  }
}

/** Its progress is the share of what goes over the network. */
const isByHub = ({ kind }: RunSummary) => kind === 'pull' || kind === 'publish';

const whatStays = ({ kind }: RunSummary) =>
  kind === 'pull'
    ? 'what was fetched is kept'
    : kind === 'publish'
      ? 'files that were sent whole are kept'
      : 'nothing was written';

const amount = ({ totalBytes, limitBytes }: Pick<Plan, 'totalBytes' | 'limitBytes'>) =>
  `${memory(totalBytes)} of ${memory(limitBytes)}`;

const weightsOf = (plan: Plan, { bytes }: { bytes: { weights: number } }) =>
  `${memory(bytes.weights)}, ${plan.memory}${plan.stayingBlocks === undefined ? '' : `, ${counted(plan.stayingBlocks, 'block')} stay`}${matricesAs(plan)}`;

const planFacts = (plan: Plan): [string, string][] => [
  ['Time', `about ${duration(plan.estimatedSeconds)}`],
  ...(plan.deviceMemory
    ? [
        ['Device memory', amount(plan.deviceMemory)] as [string, string],
        ['of it weights', weightsOf(plan, plan.deviceMemory)] as [string, string],
      ]
    : []),
  ['Memory', amount(plan)],
  ...(plan.deviceMemory ? [] : [['of it weights', weightsOf(plan, plan)] as [string, string]]),
  ['Device', `${plan.device}, ${counted(plan.threads, 'thread')}`],
  ...(plan.deviceReason ? [['Device chosen', plan.deviceReason] as [string, string]] : []),
  ...(plan.nSequences > 0
    ? [['Text', `${counted(plan.nSequences, 'sequence')}, ${counted(plan.nTokens, 'token')}`] as [string, string]]
    : []),
];

const downloadFacts = (download: DownloadPlan): [string, string][] => [
  ...download.sources.flatMap(({ kind, repository, revision, commit }): [string, string][] => [
    [kind === 'models' ? 'Model' : 'Data set', `${repository}@${revision}`],
    ['Commit', commit],
  ]),
  ['Size', `${size(download.sizeBytes)} in ${counted(download.nFiles, 'file')}`],
  ['To fetch', size(download.fetchBytes)],
  ['Into', download.cache],
  ['Free there', size(download.freeBytes)],
];
