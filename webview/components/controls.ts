// Buttons, checkboxes, lists and fields. This is the only module that imports the component library: to replace it, rewrite
// this file.
import {
  type Checkbox,
  type Dropdown,
  provideVSCodeDesignSystem,
  type TextArea,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextArea,
} from '@vscode/webview-ui-toolkit';
import { html, nothing, type TemplateResult } from 'lit';
import { live } from 'lit/directives/live.js';
import { type IconName, icon } from './icons';

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeTextArea(),
);

type Content = string | TemplateResult;

export interface ButtonOptions {
  label: Content;
  onPress: () => void;
  /** One primary button a page. */
  appearance?: 'primary' | 'secondary';
  disabled?: boolean;
  id?: string;
  title?: string;
}

export const button = ({
  label,
  onPress,
  appearance = 'secondary',
  disabled = false,
  id,
  title,
}: ButtonOptions) => html`
  <vscode-button
    id=${id ?? nothing} title=${title ?? nothing} appearance=${appearance} ?disabled=${disabled}
    @click=${() => !disabled && onPress()}
  >${label}</vscode-button>`;

export interface CheckboxOptions {
  label: Content;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
  id?: string;
  title?: string;
}

export const checkbox = ({ label, checked, onChange, disabled = false, id, title }: CheckboxOptions) => html`
  <vscode-checkbox
    id=${id ?? nothing} title=${title ?? nothing} .checked=${checked} ?disabled=${disabled}
    @change=${(event: Event) => onChange((event.target as Checkbox).checked)}
  >${label}</vscode-checkbox>`;

export interface DropdownOptions {
  label: string;
  choices: readonly { value: string; label: string }[];
  value: string;
  onChange: (value: string) => void;
  id?: string;
}

export const dropdown = ({ label, choices, value, onChange, id }: DropdownOptions) => html`
  <vscode-dropdown
    id=${id ?? nothing} aria-label=${label} .value=${value}
    @change=${(event: Event) => onChange((event.target as Dropdown).value)}
  >${choices.map(
    (choice) =>
      html`<vscode-option value=${choice.value} ?selected=${choice.value === value}>${choice.label}</vscode-option>`,
  )}</vscode-dropdown>`;

export interface TextAreaOptions {
  label: string;
  value: string;
  onInput: (value: string) => void;
  rows?: number;
  id?: string;
}

export const textArea = ({ label, value, onInput, rows = 3, id }: TextAreaOptions) => html`
  <vscode-text-area
    id=${id ?? nothing} rows=${rows} resize="vertical" .value=${value}
    @input=${(event: Event) => onInput((event.target as TextArea).value)}
  >${label}</vscode-text-area>`;

export interface NumberFieldOptions {
  label: string;
  value: number;
  onChange: (value: number) => void;
  least: number;
  /** Not only whole numbers. */
  fraction?: boolean;
  id: string;
}

/** `onChange` gets valid numbers only. Another rendering does not disturb what is being typed. */
export const numberField = ({ label, value, onChange, least, fraction = false, id }: NumberFieldOptions) => html`
  <label class="field" for=${id}><span>${label}</span>
    <input
      type="number" id=${id} min=${least} step=${fraction ? 'any' : 1} .value=${String(value)}
      @change=${({ target }: Event) => {
        const typed = (target as HTMLInputElement).valueAsNumber;
        const ok = fraction ? typed > 0 && typed >= least : Number.isInteger(typed) && typed >= least;
        if (ok) onChange(typed);
        else (target as HTMLInputElement).value = String(value);
      }}
    ></label>`;

export interface SearchFieldOptions {
  /** The placeholder, and the name for screen readers. */
  label: string;
  value: string;
  onInput: (value: string) => void;
  id: string;
}

export const searchField = ({ label, value, onInput, id }: SearchFieldOptions) => html`
  <input
    type="search" id=${id} placeholder=${label} aria-label=${label} .value=${live(value)}
    @input=${({ target }: Event) => onInput((target as HTMLInputElement).value)}
  >`;

export interface TextFieldOptions {
  label: string;
  placeholder: string;
  value: string;
  onInput: (value: string) => void;
  id: string;
}

/** One line. Another rendering does not disturb what is being typed. */
export const textField = ({ label, placeholder, value, onInput, id }: TextFieldOptions) => html`
  <label class="field" for=${id}><span>${label}</span>
    <input
      type="text" id=${id} placeholder=${placeholder} spellcheck="false" .value=${live(value)}
      @input=${({ target }: Event) => onInput((target as HTMLInputElement).value)}
    ></label>`;

/** A button of a toolbar: an icon, a word, or both. `pressed` makes it a switch. */
export const tool = (options: {
  icon?: IconName;
  text?: string;
  title: string;
  onPress: () => void;
  pressed?: boolean;
  disabled?: boolean;
  id?: string;
}) => html`
  <button
    class="tool" type="button" id=${options.id ?? nothing} title=${options.title}
    aria-label=${options.text ? nothing : options.title} aria-pressed=${options.pressed ?? nothing}
    ?disabled=${options.disabled ?? false} @click=${options.onPress}
  >${options.icon ? icon(options.icon) : nothing}${options.text ?? nothing}</button>`;

export const link = (label: Content, onPress: () => void, title?: string) =>
  html`<button class="link" type="button" title=${title ?? nothing} @click=${onPress}>${label}</button>`;

/** A sentence with its icon: what went wrong, or what came of it. */
export const messageLine = (kind: 'failed' | 'done', text: Content, ...more: unknown[]) => html`
  <p class="row top tight message-line" role=${kind === 'failed' ? 'alert' : 'status'}>
    ${kind === 'failed' ? icon('error', 'bad') : icon('pass')}<span class="text">${text}</span>${more}
  </p>`;

export const progressBar = (fraction: number, label: string) => html`
  <svg
    class="bar" role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(100 * fraction)}
  ><rect class="rest" width="100%" height="2"></rect>
  <rect class="done" width="${(100 * Math.min(1, Math.max(0, fraction))).toFixed(1)}%" height="2"></rect></svg>`;
