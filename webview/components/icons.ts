// Icons of the codicon font that comes with the pages.
import { html } from 'lit';

/** styles/icons.css has a rule for each. */
export type IconName =
  | 'layers'
  | 'discard'
  | 'redo'
  | 'lock'
  | 'unlock'
  | 'warning'
  | 'error'
  | 'sync'
  | 'check'
  | 'chevron-left'
  | 'chevron-right'
  | 'copy'
  | 'pass'
  | 'info'
  | 'stop'
  | 'debug-pause'
  | 'debug-continue'
  | 'debug-stop'
  | 'zoom-out'
  | 'export'
  | 'arrow-up'
  | 'arrow-down'
  | 'chevron-down'
  | 'close'
  | 'json'
  | 'save';

export const icon = (name: IconName, kind = '') =>
  html`<span class="icon icon-${name} ${kind}" aria-hidden="true"></span>`;
