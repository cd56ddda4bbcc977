// Where a folder is published, and the person's own words for its card.
import { html, nothing, type TemplateResult } from 'lit';
import type { PublishSettings } from '../../server/protocol/pages/publish';
import { checkbox, link, textArea, textField } from '../components/controls';
import { icon } from '../components/icons';
import { type PageState, problemOf } from './state';

export interface FormActions {
  type(settings: Partial<PublishSettings>): void;
  token(): void;
}

export function form(state: PageState, act: FormActions): TemplateResult {
  const { settings, host } = state;
  const problem = problemOf(settings);
  const field = (name: 'repository' | 'branch' | 'tag' | 'collection' | 'base', label: string, placeholder: string) =>
    textField({
      id: name,
      label,
      placeholder,
      value: settings[name],
      onInput: (value) => act.type({ [name]: value.trimStart() }),
    });
  return html`
    <section id="form" aria-labelledby="to-title">
      <h2 id="to-title">To</h2>
      ${field('repository', 'Repository', 'OWNER/NAME')} ${field('branch', 'Branch', 'main')}
      ${field('tag', 'Tag', 'none')} ${field('collection', 'Collection', 'none; a title or a slug')} ${field('base', 'Made from', 'OWNER/NAME on the hub')}
      ${checkbox({
        id: 'public',
        label: 'Public, open to everybody',
        checked: settings.isPublic,
        onChange: (isPublic) => act.type({ isPublic }),
      })}
      <p class="small quiet">
        ${host.hasToken ? 'Token: the one that the editor keeps.' : 'Token: HF_TOKEN, or that of hf auth login.'}
        ${link(host.hasToken ? 'Change It…' : 'Set Token…', act.token)}
      </p>
      ${problem ? html`<p class="row top" id="problem">${icon('info')}<span class="text">${problem}</span></p>` : nothing}
    </section>
    <section aria-labelledby="words-title">
      <h2 id="words-title">Your Words</h2>
      ${textArea({
        id: 'words',
        label: 'What it is for, as Markdown. It stays when the card is made again.',
        value: settings.words,
        rows: 6,
        onInput: (words) => act.type({ words }),
      })}
      <p class="small quiet">${
        host.nReports > 0
          ? `The numbers of the card come from ${host.nReports === 1 ? 'the report of a run' : `the reports of ${host.nReports} runs`} here.`
          : 'The numbers of the card come from the reports of the runs that made and measured it here.'
      }</p>
    </section>`;
}
