// Texts that the models generated: a model that only repeats itself may still score well.
import { html, nothing, type TemplateResult } from 'lit';
import type { GenerationCheck } from '../../server/recipes/evaluate/recipe';
import { plain, share } from '../../server/shared/numbers';
import { icon } from '../components/icons';
import type { Column } from './columns';
import type { TableView } from './view';

export function generation({ columns }: TableView): TemplateResult | typeof nothing {
  const rows = columns.flatMap((column) => checksOf(column).map((check) => ({ column, check })));
  if (rows.length === 0) return nothing;
  return html`
    <section aria-labelledby="generation-title" id="generation">
      <h2 id="generation-title">What they write</h2>
      <p class="small quiet">Repetition: the share of 4-grams that came before; entropy of the tokens, in bits</p>
      <table><thead><tr>
        <th scope="col">Model</th><th scope="col">Text</th><th scope="col" class="num">Repetition</th><th scope="col" class="num">Entropy</th>
      </tr></thead><tbody>${rows.map(({ column, check }) => line(column, check))}</tbody></table>
    </section>`;
}

const line = (column: Column, { prompt, text, repetition, entropyBits, alarm }: GenerationCheck) => html`
  <tr>
    <th scope="row"><bdi>${column.name}</bdi></th>
    <td class="written text"><bdi><span class="quiet">${prompt}</span>${text}</bdi></td>
    <td class="num">${alarm ? html`${icon('warning', 's warn')}<span class="sr">repeats itself: </span>` : nothing} ${share(repetition, 0)}</td>
    <td class="num">${plain(entropyBits, 1)}</td>
  </tr>`;

function checksOf({ sheet, index }: Column): GenerationCheck[] {
  const { scored } = sheet;
  const checks = 'generation' in scored ? (scored.generation as GenerationCheck[] | null) : null;
  return checks?.filter(({ model }) => model === index) ?? [];
}
