// The colours that VS Code gives to a page: those of its three themes where their table is at hand, else a few.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder } from '../../fixtures';

export type Theme = 'dark' | 'light' | 'high-contrast';

export function themeSheet(): string {
  const table = join(dataFolder, 'mocks/mock.css');
  if (!existsSync(table)) return few;
  const css = readFileSync(table, 'utf8');
  const first = css.indexOf('body.vscode-dark');
  return css.slice(first, css.indexOf('/* The strip', first));
}

const few = `
body.vscode-dark { --vscode-foreground: #ccc; --vscode-descriptionForeground: #9d9d9d; --vscode-editor-background: #1f1f1f; --vscode-charts-blue: #3794ff; --vscode-charts-orange: #d18616; --vscode-focusBorder: #0078d4; }
body.vscode-light { --vscode-foreground: #3b3b3b; --vscode-descriptionForeground: #616161; --vscode-editor-background: #fff; --vscode-charts-blue: #1a85ff; --vscode-charts-orange: #d18616; --vscode-focusBorder: #005fb8; }
body.vscode-high-contrast { --vscode-foreground: #fff; --vscode-descriptionForeground: #ffffffd9; --vscode-editor-background: #000; --vscode-charts-blue: #3794ff; --vscode-charts-orange: #ffb454; --vscode-focusBorder: #f38518; --vscode-contrastBorder: #6fc3df; }
body { --vscode-font-family: sans-serif; --vscode-font-size: 13px; }`;
