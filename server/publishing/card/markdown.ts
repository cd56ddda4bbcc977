// Pieces of Markdown that cards are made of. What reports and folders say stays text, whatever it holds.
import { marked } from '../../reporting/reportMarkdown';
import { parameters as millions } from '../../shared/numbers';

export const section = (title: string, ...parts: readonly (string | null)[]): string =>
  [`## ${title}`, ...parts.filter((part) => part !== null && part !== '')].join('\n\n');

/** `- name: value` lines; rows without a value are left out. */
export const factList = (rows: readonly (readonly [string, string | null])[]): string =>
  rows
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `- ${name}: ${value}`)
    .join('\n');

export const fenced = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

/** A hash or a name of code. */
export const code = (text: string): string => `\`${text.replaceAll(/[`\n]/g, ' ')}\``;

export const hubLink = (name: string): string =>
  /^[\w.-]+\/[\w.-]+$/.test(name) ? `[${marked(name)}](https://huggingface.co/${name})` : marked(name);

/** Every `arXiv:2403.03853` as a link. */
export const withArxivLinks = (text: string): string =>
  text.replaceAll(/arXiv:(\d{4}\.\d{4,5})/g, '[arXiv:$1](https://arxiv.org/abs/$1)');

/** Those of small models and adapters one by one. */
export const parameters = (count: number): string => (count < 1e6 ? `${count}` : millions(count));
