// What a look has found: the proof's checks, what would be sent, and the card.
import { html, nothing, type TemplateResult } from 'lit';
import type { ProofCheck } from '../../server/recipes/prove/recipe';
import type { PublishedFolder, PublishReport } from '../../server/recipes/publish/recipe';
import { counted, size } from '../../server/shared/numbers';
import { proofChecks } from '../../server/protocol/proofChecks';
import { facts } from '../components/facts';
import { tool } from '../components/controls';
import { type IconName, icon } from '../components/icons';

export interface PreviewActions {
  openCard(): void;
}

export const found = (folder: PublishedFolder, report: PublishReport): TemplateResult => html`
  ${proof(folder.checks)} ${facts('Plan', planFacts(folder, report))} ${files(folder)}`;

const outcomes: Record<
  ProofCheck['outcome'],
  { readonly icon: IconName; readonly kind: string; readonly word: string }
> = {
  passed: { icon: 'pass', kind: '', word: 'passed' },
  failed: { icon: 'error', kind: 'bad', word: 'failed' },
  notChecked: { icon: 'info', kind: '', word: 'not checked' },
};

const proof = (checks: readonly ProofCheck[]) => html`
  <section aria-labelledby="proof-title">
    <h2 id="proof-title">Proof</h2>
    <ul id="checks">
      ${checks.map(({ check, outcome, sentence }) => {
        const { icon: name, kind, word } = outcomes[outcome];
        return html`<li class="row top">${icon(name, kind)}<span class="text"
          ><span class="sr">${word}: </span>${proofChecks[check]}<span class="small quiet">${sentence}</span></span></li>`;
      })}
    </ul>
  </section>`;

const made = { repository: 'a new repository', branch: 'a new branch', nothing: 'what is there' } as const;

function planFacts(folder: PublishedFolder, { endpoint }: PublishReport): [string, string][] {
  const { repository, branch, visibility, creates, tag, sizeBytes, leftOut } = folder;
  return [
    ['Repository', `${endpoint}/${repository}`],
    ['Becomes', `${creates === null ? 'nobody knows, without a token' : made[creates]}, ${visibility}`],
    ['Branch', branch],
    ...(tag === null ? [] : ([['Tag', tag]] as [string, string][])),
    ['Size', `${size(sizeBytes)} in ${counted(folder.files.length, 'file')}, as one commit`],
    ...(leftOut.length > 0 ? ([['Stays here', leftOut.join(', ')]] as [string, string][]) : []),
  ];
}

const files = (folder: PublishedFolder) => html`
  <section aria-labelledby="files-title">
    <h2 id="files-title">Files</h2>
    <div class="scroll files" tabindex="0" role="group" aria-labelledby="files-title">
      <table>
        <tbody>
          ${folder.files.map(
            ({ name, sizeBytes }) =>
              html`<tr><th scope="row" class="text"><bdi>${name}</bdi></th><td class="num">${size(sizeBytes)}</td></tr>`,
          )}
        </tbody>
      </table>
    </div>
  </section>`;

/** @param folder null: nothing was looked at yet */
export function card(folder: PublishedFolder | null, act: PreviewActions): TemplateResult {
  const [readme] = folder?.card ?? [];
  const instead = folder ? 'README.md of the folder goes as it is.' : 'The card appears here.';
  return html`
    <section aria-labelledby="card-title">
      <div class="row heading">
        <h2 id="card-title">Card</h2><span class="grow"></span>
        ${readme ? tool({ id: 'open-card', icon: 'export', text: 'Open as Markdown', title: 'Open the card in the editor, with its preview', onPress: act.openCard }) : nothing}
      </div>
      ${(folder?.warnings ?? []).map((text) => html`<div class="note" role="note">${icon('warning', 'warn')}<span class="text">${text}</span></div>`)}
      ${readme ? html`<pre tabindex="0" id="card" aria-label="The card as Markdown">${readme.text}</pre>` : html`<p class="quiet">${instead}</p>`}
    </section>`;
}
