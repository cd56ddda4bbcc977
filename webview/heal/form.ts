// The form before a run: what to train on and how, what that is planned to cost, and the start.
import { html, nothing, type TemplateResult } from 'lit';
import type { HealForm, HealSettings, HealState } from '../../server/protocol/pages/heal';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, duration } from '../../server/shared/numbers';
import { matricesAs } from '../../server/shared/weightWidths';
import { plannedMemory } from '../planMemory';
import { button, dropdown, numberField } from '../components/controls';
import { icon } from '../components/icons';
import { weightsField } from '../components/weightsField';
import type { HealActions } from './actions';
import { choiceOf, scientific, targetChoices } from './settings';
import type { PageState } from './state';

export function form(state: PageState, shown: HealForm, act: HealActions): TemplateResult {
  const { host, failure, busy, written } = state;
  const isOff = host.connection.state !== 'connected' || busy;
  const isUnready = isOff || shown.textName === null;
  const fields = fieldsOf(shown.settings, act);
  return html`
    <p class="quiet intro">${intro(host)}</p>
    <section id="form" aria-label="Settings of the run">
      ${textFields(shown, isOff, fields, act)} ${adapterFields(shown.settings, fields, act)}
      ${trainingFields(host, shown.settings, fields, act)}
      <p class="quiet small" id="dense">${comparedWith(host)}</p>
      ${failure ? html`<p class="note error text" role="alert">${icon('error', 'bad')}<span>${failure}</span></p>` : nothing}
      ${shown.refusal ? html`<p class="note text" role="alert" id="refusal">${icon('warning', 'warn')}<span>${shown.refusal}</span></p>` : nothing}
      <p class="row" id="start-row">
        ${button({ id: 'start', appearance: 'primary', label: 'Start Healing…', disabled: isUnready, onPress: act.start })}
        ${button({ id: 'save-recipe', label: 'Save as Recipe…', disabled: isUnready, onPress: act.saveRecipe })}
        <span class="text quiet" id="plan" role="status">${planned(shown)}</span>
      </p>
      ${written ? html`<p class="small quiet text" role="status">Written to <bdi>${written}</bdi></p>` : nothing}
    </section>`;
}

type NumberName = { [K in keyof HealSettings]: HealSettings[K] extends number ? K : never }[keyof HealSettings];
type ChoiceName = 'schedule' | 'objective';
type Choice<V extends string> = { value: V; label: string };
type Fields = ReturnType<typeof fieldsOf>;

/** Fields by the name of the setting that they show and change. */
const fieldsOf = (settings: HealSettings, act: HealActions) => ({
  number: (name: NumberName, label: string, least = 1, fraction = false) =>
    numberField({
      id: name,
      label,
      value: settings[name],
      least,
      fraction,
      onChange: (value) => act.settings({ [name]: value }),
    }),
  choice: <K extends ChoiceName>(name: K, label: string, choices: Choice<HealSettings[K]>[]) => html`
    <div class="field"><span>${label}</span>${dropdown({
      id: name,
      label,
      choices,
      value: settings[name],
      onChange: (value) => act.settings({ [name]: value as HealSettings[K] }),
    })}</div>`,
});

const textFields = ({ textName }: HealForm, isOff: boolean, { number }: Fields, act: HealActions) => html`
  <fieldset>
    <legend><h2>Text</h2></legend>
    <div class="field wide-field"><span>Train on</span>
      <span class="row">
        <bdi class="text" id="text-name">${textName ?? 'no text yet'}</bdi>
        ${button({ id: 'choose-text', label: 'Choose Text…', disabled: isOff, onPress: act.chooseText })}
      </span></div>
    ${number('tokens', 'Tokens a sequence', 2)} ${number('microBatchSequences', 'Sequences a batch')}
    ${number('steps', 'Steps')}
  </fieldset>`;

const adapterFields = ({ targets }: HealSettings, { number }: Fields, act: HealActions) => html`
  <fieldset>
    <legend><h2>Adapter</h2></legend>
    ${number('rank', 'Rank')} ${number('alpha', 'Alpha', 0, true)}
    <div class="field"><span>Targets</span>${dropdown({
      id: 'targets',
      label: 'Targets',
      choices: targetChoices,
      value: choiceOf(targets),
      onChange: (value) =>
        act.settings({ targets: targetChoices.find((it) => it.value === value)?.targets ?? targets }),
    })}</div>
  </fieldset>`;

const trainingFields = (host: HealState, settings: HealSettings, { number, choice }: Fields, act: HealActions) => html`
  <fieldset>
    <legend><h2>Training</h2></legend>
    ${number('learningRate', 'Learning rate', 0, true)}
    ${choice('schedule', 'Schedule', [
      { value: 'linear', label: 'linear' },
      { value: 'cosine', label: 'cosine' },
      { value: 'constant', label: 'constant' },
    ])}
    ${number('warmupSteps', 'Warm-up steps', 0)}
    ${choice('objective', 'Objective', [
      { value: 'nextToken', label: 'next token' },
      ...(host.original ? [{ value: 'distillation' as const, label: 'what the original model expects' }] : []),
    ])}
    ${weightsField(settings.weights, (weights) => act.settings({ weights }))}
  </fieldset>`;

function intro({ model }: HealState): TemplateResult {
  const removed = model.prunedFrom?.removedBlocks ?? [];
  return removed.length > 0
    ? html`<bdi>${model.name}</bdi> lacks ${counted(removed.length, 'block')} (${blockRanges(removed)}). Training a small adapter beside its projections wins back part of what that cost; the model itself stays as it is.`
    : html`<bdi>${model.name}</bdi> has all of its blocks. An adapter can be trained for it all the same; the model itself stays as it is.`;
}

const comparedWith = ({ original, model }: HealState): TemplateResult | string =>
  original
    ? html`Compared with <bdi title=${original.folder}>${original.name}</bdi>, the model before pruning: ${html`<bdi>${original.folder}</bdi>`}`
    : model.prunedFrom
      ? html`The model before pruning, <bdi>${model.prunedFrom.model}</bdi>, is not among the folders that are open here: there will be no share that is recovered.`
      : '';

function planned({ plan, settings, textName, refusal }: HealForm): string {
  if (textName === null) return 'Choose a text first.';
  if (!plan) return refusal ? '' : 'Planning …';
  const nTokens = settings.steps * settings.microBatchSequences * settings.tokens;
  const time = plan.estimatedSeconds === null ? '' : `About ${duration(plan.estimatedSeconds)}, `;
  const tokens =
    nTokens >= 1e6
      ? scientific(Number(nTokens.toPrecision(2)))
      : nTokens.toLocaleString('en').replaceAll(',', '\u202f');
  return `${time}${plannedMemory(plan)}, ${tokens} tokens${matricesAs(plan)}. Nothing is written to the model folder.`;
}
