// The form before a run: which models on which tasks, how many questions of each, and the start.
import { html, nothing, type TemplateResult } from 'lit';
import type { EvaluationForm, EvaluationSettings } from '../../server/protocol/pages/evaluate';
import type { ModelSummary } from '../../server/protocol/reports';
import { blockRanges } from '../../server/shared/dropSets';
import { counted, duration, size } from '../../server/shared/numbers';
import { someNames } from '../../server/shared/someNames';
import { matricesAs } from '../../server/shared/weightWidths';
import { plannedMemory } from '../planMemory';
import { button, checkbox, dropdown, numberField } from '../components/controls';
import { icon } from '../components/icons';
import { weightsField } from '../components/weightsField';
import type { EvaluateActions } from './actions';
import type { PageState } from './state';
import { mmluChoiceOf, mmluChoices, otherTasks, taskChoices, withMmlu, withTask } from './tasks';

export function form(
  { host, failure, busy, written }: PageState,
  shown: EvaluationForm,
  act: EvaluateActions,
): TemplateResult {
  const { settings, missingData } = shown;
  const off = host.connection.state !== 'connected' || busy;
  const ready = settings.tasks.length > 0;
  const hasData = missingData.length === 0;
  return html`
    <p class="quiet intro">Every model answers the same questions, scored as lm-evaluation-harness scores them, and each
      variant is compared with the original question by question.</p>
    <section id="form" aria-label="Settings of the evaluation">
      ${models(host.models, off, act)} ${tasks(settings, act)} ${questions(settings, act)}
      ${data(shown, off, act)}
      ${failure ? html`<p class="note error text" role="alert">${icon('error', 'bad')}<span>${failure}</span></p>` : nothing}
      ${shown.refusal ? html`<p class="note text" role="alert" id="refusal">${icon('warning', 'warn')}<span>${shown.refusal}</span></p>` : nothing}
      <p class="row" id="start-row">
        ${button({ id: 'start', appearance: 'primary', label: 'Start Evaluation', disabled: off || !ready || !hasData, onPress: act.start })}
        ${button({ id: 'save-recipe', label: 'Save as Recipe…', disabled: off || !ready, onPress: act.saveRecipe })}
        <span class="text quiet" id="plan" role="status">${planned(shown)}</span>
      </p>
      ${written ? html`<p class="small quiet text" role="status">Written to <bdi>${written}</bdi></p>` : nothing}
    </section>`;
}

const data = ({ dataFolder, missingData }: EvaluationForm, off: boolean, act: EvaluateActions) => html`
  <fieldset>
    <legend><h2>Data</h2></legend>
    <div class="field wide-field"><span>Folder</span>
      <span class="row">
        <bdi class="text" id="data-folder">${dataFolder ?? 'Hugging Face’s cache'}</bdi>
        ${button({ id: 'choose-data', label: 'Choose Folder…', disabled: off, onPress: () => act.chooseData('folder') })}
        ${dataFolder === null ? nothing : button({ id: 'use-cache', label: 'Use the Cache', disabled: off, onPress: () => act.chooseData('cache') })}
      </span></div>
    ${
      missingData.length === 0
        ? nothing
        : html`<div class="field wide-field"><span>Not there yet</span>
            <span class="row">
              <bdi class="text" id="missing-data">${someNames(missingData)}</bdi>
              ${button({ id: 'pull-data', label: 'Pull Data', disabled: off, onPress: act.pullData })}
            </span></div>`
    }
  </fieldset>`;

const models = (list: readonly ModelSummary[], off: boolean, act: EvaluateActions) => html`
  <fieldset>
    <legend><h2>Models</h2></legend>
    <ul class="wide-field" id="models">${list.map(
      (model, i) => html`
        <li class="row"><span class="text" title=${model.folder}><bdi>${modelTitle(model, i)}</bdi>
          <span class="small quiet">${i === 0 ? 'base, ' : ''}${counted(model.nBlocks, 'block')}, ${size(model.sizeBytes)}</span></span>
        ${
          i === 0
            ? nothing
            : html`<button
                class="tool" type="button" title="Leave it out" aria-label="Leave out ${modelTitle(model, i)}" ?disabled=${off}
                @click=${() => act.remove({ folder: model.folder })}>${icon('close', 's')}</button>`
        }</li>`,
    )}</ul>
    <div class="wide-field">${button({ id: 'add-variant', label: 'Add Variant…', disabled: off, onPress: act.addVariant })}</div>
  </fieldset>`;

const tasks = (settings: EvaluationSettings, act: EvaluateActions) => html`
  <fieldset id="tasks">
    <legend><h2>Tasks</h2></legend>
    ${taskChoices.map(({ name, title, nItems, asks }) =>
      checkbox({
        id: `task-${name}`,
        label: html`${title} <span class="small quiet">${nItems.toLocaleString('en').replaceAll(',', '\u202f')}</span>`,
        title: `${name}: ${asks}`,
        checked: settings.tasks.includes(name),
        onChange: (chosen) => act.settings({ tasks: withTask(settings.tasks, name, chosen) }),
      }),
    )}
    ${otherTasks(settings.tasks).map((name) =>
      checkbox({
        label: html`<bdi>${name}</bdi>`,
        checked: true,
        onChange: (chosen) => act.settings({ tasks: withTask(settings.tasks, name, chosen) }),
      }),
    )}
    <div class="field"><span>MMLU</span>${dropdown({
      id: 'mmlu',
      label: 'MMLU',
      choices: [
        { value: 'none', label: 'none' },
        { value: 'six', label: 'six subjects' },
        { value: 'all', label: 'all 57 subjects' },
        ...(mmluChoiceOf(settings.tasks) === 'other' ? [{ value: 'other', label: 'some subjects' }] : []),
      ],
      value: mmluChoiceOf(settings.tasks),
      onChange(value) {
        if (Object.hasOwn(mmluChoices, value))
          act.settings({ tasks: withMmlu(settings.tasks, value as keyof typeof mmluChoices) });
      },
    })}</div>
  </fieldset>`;

const usualItems = 100;

const questions = ({ items, fewShot, generate, weights }: EvaluationSettings, act: EvaluateActions) => html`
  <fieldset>
    <legend><h2>Questions</h2></legend>
    ${
      items === null
        ? html`<div class="field"><span>Of each task</span><span>all</span></div>`
        : numberField({
            id: 'items',
            label: 'Of each task',
            value: items,
            least: 1,
            onChange: (value) => act.settings({ items: value }),
          })
    }
    ${checkbox({
      id: 'all-items',
      label: 'all questions',
      checked: items === null,
      onChange: (all) => act.settings({ items: all ? null : usualItems }),
    })}
    <div class="field"><span>Shots</span>${dropdown({
      id: 'few-shot',
      label: 'Examples before each question',
      choices: shotChoices(fewShot),
      value: fewShot === null ? 'task' : String(fewShot),
      onChange: (value) => act.settings({ fewShot: value === 'task' ? null : Number(value) }),
    })}</div>
    ${checkbox({
      id: 'generate',
      label: 'Let each model write a few lines',
      title: 'A model that only repeats itself may still score well',
      checked: generate,
      onChange: (chosen) => act.settings({ generate: chosen }),
    })}
    ${weightsField(weights, (chosen) => act.settings({ weights: chosen }))}
  </fieldset>`;

function shotChoices(now: number | null) {
  const usual = [0, 1, 2, 3, 4, 5, 10, 25];
  const all = now === null || usual.includes(now) ? usual : [...usual, now].sort((a, b) => a - b);
  return [
    { value: 'task', label: 'as the task says' },
    ...all.map((n) => ({ value: String(n), label: n === 0 ? 'none' : String(n) })),
  ];
}

function modelTitle({ name, prunedFrom, healed }: ModelSummary, i: number): string {
  const removed = prunedFrom?.removedBlocks ?? [];
  if (i === 0) return name;
  return [name, ...(healed ? ['healed'] : []), ...(removed.length > 0 ? [`without ${blockRanges(removed)}`] : [])].join(
    ', ',
  );
}

function planned({ plan, settings, missingData, refusal }: EvaluationForm): string {
  if (settings.tasks.length === 0) return 'Choose a task first.';
  if (missingData.length > 0) return 'Pull the data, or choose a folder that has them.';
  if (!plan) return refusal ? '' : 'Planning …';
  const time = plan.estimatedSeconds ? `About ${duration(plan.estimatedSeconds)}, ` : '';
  return `${time}${plannedMemory(plan)}${matricesAs(plan)}. Nothing is written to the model folders.`;
}
