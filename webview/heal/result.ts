// The result so far: the share of the loss added by pruning that is recovered on held-out text, as a number and as a bar from
// the pruned to the original model; and the facts of the run.
import { html, nothing, svg, type TemplateResult } from 'lit';
import { clock, cost, loss, perplexity, share } from '../../server/shared/numbers';
import { isActive } from '../components/runState';
import type { RunView } from './view';

export function lead(view: RunView): TemplateResult {
  const { last, recovered } = view;
  return html`
    <section id="lead" aria-label="Result so far">
      <div>
        <div class="small quiet" title="Share of the loss added by pruning that is back, on held-out text">${
          recovered !== null && last
            ? last.step === 0
              ? 'Recovered before step 1'
              : `Recovered after step ${last.step}`
            : 'Recovered'
        }</div>
        <div class="share" id="recovered">${recovered === null ? '–' : share(recovered)}</div>
      </div>
      ${way(view)}
      <dl>${facts(view).map(([name, value, title]) => html`<div title=${title ?? nothing}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    </section>`;
}

const widthPx = 230;

/** The held-out loss as a bar from the pruned model's to the original's. */
function way({ last, original, pruned, state }: RunView): TemplateResult {
  if (!last || !original || !pruned || original.lossNats >= pruned.lossNats)
    return html`<div class="small quiet" id="way">${
      !pruned
        ? 'Not evaluated yet.'
        : !original && !state.host.model.prunedFrom
          ? 'This model was not pruned, so there is nothing to win back.'
          : !original
            ? 'The model before pruning is not known here, so there is nothing to compare with.'
            : 'Pruning cost nothing on this text.'
    }</div>`;
  const whole = pruned.lossNats - original.lossNats;
  const at = Math.max(0, Math.min(1, (pruned.lossNats - last.lossNats) / whole)) * widthPx;
  const anchor = at < 20 ? 'start' : at > widthPx - 20 ? 'end' : 'middle';
  return html`
    <div id="way" title="Held-out loss on its way from pruned to the original">
      <svg
        width=${widthPx} height="42" role="img"
        aria-label="Held-out loss ${loss(last.lossNats)}, from ${loss(pruned.lossNats)} pruned to ${loss(original.lossNats)} of the original"
      >${svg`
        <rect class="rest" y="16" width=${widthPx} height="8"></rect>
        <rect class="got" y="16" width=${at} height="8"></rect>
        <line class="here" x1=${at} x2=${at} y1="12" y2="28"></line>
        <text class="fg" x=${at} y="9" text-anchor=${anchor}>${loss(last.lossNats)}</text>
        <text y="39">pruned ${loss(pruned.lossNats)}</text>
        <text x=${widthPx} y="39" text-anchor="end">original ${loss(original.lossNats)}</text>`}
      </svg>
    </div>`;
}

type Fact = readonly [name: string, value: string, title?: string];

function facts({ last, original, pruned, curve, nSteps, healing, phase }: RunView): Fact[] {
  const { run, remainingSeconds } = healing;
  const spent = curve.length === 0 ? 0 : curve.seconds[curve.length - 1]!;
  const running = phase === 'running' && remainingSeconds !== null;
  return [
    ...(last && pruned
      ? [['Perplexity', `${perplexity(last.perplexity)} from ${perplexity(pruned.perplexity)}`] as Fact]
      : []),
    ...(last && original ? [['Above the original', `${cost(last.lossNats - original.lossNats)} nats`] as Fact] : []),
    ['Step', `${curve.nDone} of ${nSteps}`],
    running
      ? ['Time left', clock(remainingSeconds), 'If the rest goes as what is done']
      : [
          'Elapsed',
          clock(spent),
          isActive(run.state) ? undefined : 'Time of all steps, without evaluations and pauses',
        ],
  ] as Fact[];
}
