// Before a run: what to train on and how, what that is planned to cost, and the start.
import { html, nothing, type TemplateResult } from 'lit';
import type { HealForm, HealSettings, HealState } from '../../server/protocol/pages/heal';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, duration, memory } from '../../server/shared/numbers';
import { button, dropdown, icon, numberField } from '../components/controls';
import type { HealActions } from './actions';
import { choiceOf, scientific, targetChoices } from './settings';
import type { PageState } from './view';

export function form(state: PageState, shown: HealForm, act: HealActions): TemplateResult {
  const { host, failure, busy, written } = state;
  const { settings, textName } = shown;
  const off = host.connection.state !== 'connected' || busy;
  const set =
    <K extends keyof HealSettings>(name: K) =>
    (value: HealSettings[K]) =>
      act.settings({ [name]: value });
  const field = (name: NumberName, label: string, least = 1, fraction = false) =>
    numberField({ id: name, label, value: settings[name], least, fraction, onChange: set(name) });
  const choose = <K extends 'schedule' | 'objective'>(
    name: K,
    label: string,
    choices: Choice<HealSettings[K]>[],
  ) => html`
    <div class="field"><span>${label}</span>${dropdown({
      id: name,
      label,
      choices,
      value: settings[name],
      onChange: (value) => act.settings({ [name]: value as HealSettings[K] }),
    })}</div>`;
  return html`
    <p class="quiet intro">${intro(host)}</p>
    <section id="form" aria-label="Settings of the run">
      <fieldset>
        <legend><h2>Text</h2></legend>
        <div class="field wide-field"><span>Train on</span>
          <span class="row">
            <bdi class="text" id="text-name">${textName ?? 'no text yet'}</bdi>
            ${button({ id: 'choose-text', label: 'Choose Text…', disabled: off, onPress: act.chooseText })}
          </span></div>
        ${field('tokens', 'Tokens a window', 2)} ${field('microBatchWindows', 'Windows a batch')}
        ${field('steps', 'Steps')}
      </fieldset>
      <fieldset>
        <legend><h2>Adapter</h2></legend>
        ${field('rank', 'Rank')} ${field('alpha', 'Alpha', 0, true)}
        <div class="field"><span>Targets</span>${dropdown({
          id: 'targets',
          label: 'Targets',
          choices: targetChoices,
          value: choiceOf(settings.targets),
          onChange: (value) =>
            act.settings({ targets: targetChoices.find((it) => it.value === value)?.targets ?? settings.targets }),
        })}</div>
      </fieldset>
      <fieldset>
        <legend><h2>Training</h2></legend>
        ${field('learningRate', 'Learning rate', 0, true)}
        ${choose('schedule', 'Schedule', [
          { value: 'linear', label: 'linear' },
          { value: 'cosine', label: 'cosine' },
          { value: 'constant', label: 'constant' },
        ])}
        ${field('warmupSteps', 'Warm-up steps', 0)}
        ${choose('objective', 'Objective', [
          { value: 'nextToken', label: 'next token' },
          ...(host.original ? [{ value: 'distillation' as const, label: 'what the dense model expects' }] : []),
        ])}
      </fieldset>
      <p class="quiet small" id="dense">${dense(host)}</p>
      ${failure ? html`<p class="note error text" role="alert">${icon('error', 'bad')}<span>${failure}</span></p>` : nothing}
      ${shown.refusal ? html`<p class="note text" role="alert" id="refusal">${icon('warning', 'warn')}<span>${shown.refusal}</span></p>` : nothing}
      <p class="row" id="start-row">
        ${button({ id: 'start', appearance: 'primary', label: 'Start Healing…', disabled: off || textName === null, onPress: act.start })}
        ${button({ id: 'save-recipe', label: 'Save as Recipe…', disabled: off || textName === null, onPress: act.saveRecipe })}
        <span class="text quiet" id="plan" role="status">${planned(shown)}</span>
      </p>
      ${written ? html`<p class="small quiet text" role="status">Written to <bdi>${written}</bdi></p>` : nothing}
    </section>`;
}

type NumberName = { [K in keyof HealSettings]: HealSettings[K] extends number ? K : never }[keyof HealSettings];
type Choice<V extends string> = { value: V; label: string };

function intro({ model }: HealState): TemplateResult {
  const removed = model.prunedFrom?.removedBlocks ?? [];
  return removed.length > 0
    ? html`<bdi>${model.name}</bdi> lacks ${counted(removed.length, 'block')} (${blockRanges(removed)}). Training a small adapter beside its projections wins back part of what that cost; the model itself stays as it is.`
    : html`<bdi>${model.name}</bdi> has all of its blocks. An adapter can be trained for it all the same; the model itself stays as it is.`;
}

const dense = ({ original: known, model }: HealState): TemplateResult | string =>
  known
    ? html`Compared with <bdi title=${known.folder}>${known.name}</bdi>, the model before pruning: ${html`<bdi>${known.folder}</bdi>`}`
    : model.prunedFrom
      ? html`The model before pruning, <bdi>${model.prunedFrom.model}</bdi>, is not among the folders that are open here: there will be no share that is recovered.`
      : '';

function planned({ plan, settings, textName, refusal }: HealForm): string {
  if (textName === null) return 'Choose a text first.';
  if (!plan) return refusal ? '' : 'Planning …';
  const nTokens = settings.steps * settings.microBatchWindows * settings.tokens;
  const time = plan.estimatedSeconds === null ? '' : `About ${duration(plan.estimatedSeconds)}, `;
  const tokens =
    nTokens >= 1e6
      ? scientific(Number(nTokens.toPrecision(2)))
      : nTokens.toLocaleString('en').replaceAll(',', '\u202f');
  return `${time}${memory(plan.totalBytes)} of ${memory(plan.limitBytes)} memory, ${tokens} tokens. Nothing is written to the model folder.`;
}
