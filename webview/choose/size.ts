// A size in the place of a count: what is typed, and what meets it.
import { html, nothing, type TemplateResult } from 'lit';
import { budgetInWords } from '../../server/shared/budget';
import { counted, parameters, size } from '../../server/shared/numbers';
import { button, numberField, searchField } from '../components/controls';
import type { Actions } from './actions';
import type { PageState } from './state';
import type { View } from './view';

export function sizeForm({ state }: View, act: Actions): TemplateResult {
  const { text, contextTokens } = state.size;
  return html`
    <section aria-labelledby="size-title">
      <h2 id="size-title">To a size</h2>
      <div id="size" class="row" @keydown=${(event: KeyboardEvent) => event.key === 'Enter' && act.findSize()}>
        ${searchField({ id: 'size-text', label: '100MB or 100M', value: text, onInput: (typed) => act.typeSize({ text: typed }) })}
        ${numberField({ id: 'size-tokens', label: 'Tokens of cache, f16', value: contextTokens, least: 0, onChange: (n) => act.typeSize({ contextTokens: n }) })}
        ${button({ id: 'find-size', label: 'Choose', disabled: text.trim() === '', onPress: act.findSize })}
      </div>
      ${outcome(state)}
    </section>`;
}

function outcome(state: PageState) {
  const { found } = state.size;
  if (!found)
    return html`<p class="small quiet note-below">The best suggestion of that size: bytes of its weights, such as 100MB, or parameters, such as 100M.</p>`;
  if (found.kind === 'failed')
    return html`<p id="size-outcome" class="small warn note-below" role="alert">${found.message}</p>`;
  const { count, mlpWidth, weightBytes, cacheBytes, parameters: left, nearest } = found.fitting;
  const gone = [
    ...(count > 0 ? [counted(count, 'block')] : []),
    ...(mlpWidth === null
      ? []
      : [`${state.host.model.mlpWidth - mlpWidth} of ${state.host.model.mlpWidth} channels of every MLP`]),
  ].join(' and ');
  const cache = cacheBytes > 0 ? ` and ${size(cacheBytes)} for the cache` : '';
  return html`
    <p id="size-outcome" class="small note-below" role="status">
      For ${budgetInWords(found.budget)}: without ${gone} it takes ${size(weightBytes)}${cache}, ${parameters(left)} parameters.
      ${mlpWidth === null ? nothing : 'Which channels go, and what they cost, the text says when it is pruned.'} ${nearest ?? nothing}
    </p>`;
}
