// Rows of a name and a value, under a heading.
import { html, type TemplateResult } from 'lit';

export const facts = (title: string, rows: readonly (readonly [string, string])[]): TemplateResult => html`
  <section aria-label=${title}>
    <h2>${title}</h2>
    <table class="facts">
      <tbody>
        ${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td class="text"><div>${value}</div></td></tr>`)}
      </tbody>
    </table>
  </section>`;
