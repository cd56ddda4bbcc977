// The column beside the curve: the settings of the run, and earlier runs to compare with, each with the settings in which it
// differs.
import { html, nothing, type TemplateResult } from 'lit';
import type { EarlierHealing } from '../../server/protocol/pages/heal';
import { loss, share } from '../../server/shared/numbers';
import { button, checkbox } from '../components/controls';
import type { HealActions } from './actions';
import { allSettings, differences, lacks } from './settings';
import { type RunView, shareBack } from './view';

export const settingsList = (view: RunView, act: HealActions): TemplateResult => html`
  <section aria-labelledby="settings-title">
    <h2 id="settings-title">Settings</h2>
    <dl id="settings">${allSettings(view.healing, view.state.host).map(
      ([name, value]) => html`<dt>${name}</dt><dd class="text"><bdi>${value}</bdi></dd>`,
    )}</dl>
    <p class="row ways">
      ${button({ id: 'save-recipe', label: 'Save as Recipe…', onPress: act.saveRecipe })}
      ${button({ id: 'open-log', label: 'Open Log', onPress: act.openLog })}
    </p>
  </section>`;

export function comparison(view: RunView, act: HealActions): TemplateResult | typeof nothing {
  const { earlier } = view.state.host;
  if (earlier.length === 0) return nothing;
  return html`
    <section aria-labelledby="compare-title">
      <h2 id="compare-title">Compare with</h2>
      <table id="earlier">
        <caption class="sr">Earlier runs: what differs, the best held-out loss and the share that was recovered</caption>
        <tbody>${earlier.map((it) => row(it, view, act))}</tbody>
      </table>
    </section>`;
}

function row(earlier: EarlierHealing, view: RunView, act: HealActions): TemplateResult {
  const { run, recipe, evals, removedBlocks } = earlier;
  const { model, view: shown } = view.state.host;
  const best = evals.reduce<EarlierHealing['evals'][number] | null>(
    (low, it) => (low === null || it.lossNats < low.lossNats ? it : low),
    null,
  );
  const own = model.prunedFrom?.removedBlocks ?? [];
  const other = removedBlocks.join() === own.join() ? [] : [['dropped blocks', ''] as const];
  const differs = [
    ...other,
    ...differences(view.healing.recipe, recipe).map(([name, value]) => [name.toLowerCase(), value] as const),
  ];
  const name = other.length > 0 ? lacks(removedBlocks) : `Rank ${recipe.adapter.rank}, ${recipe.loop.steps} steps`;
  const back = best && shareBack(best, null, null);
  return html`
    <tr>
      <td>
        ${checkbox({
          label: html`<span class="text">${name}</span>`,
          checked: shown.overlays.includes(run.runId),
          onChange: (on) => act.overlay(run.runId, on),
        })}
        <div class="small quiet text under">${
          differs.length === 0
            ? `the same settings, ${new Date(run.createdAtEpochMs).toLocaleString()}`
            : html`differs: ${differs.map(([what, value], i) => html`${i > 0 ? ', ' : nothing}<span class="strong">${value ? `${what} ` : what}<bdi>${value}</bdi></span>`)}`
        }</div>
      </td>
      <td class="num">${best ? loss(best.lossNats) : '–'}<div class="small quiet">${back === null ? nothing : share(back)}</div></td>
    </tr>`;
}
