// The text that a model is measured or trained on. It is chosen once and remembered for the model in this workspace.
import { realpathSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type ExtensionContext, Uri, window, workspace } from 'vscode';
import { UserError } from '../server/errors';
import type { TokenSource } from '../server/protocol/recipes';
import type { ModelSummary } from '../server/protocol/reports';
import { counted, size } from '../server/shared/numbers';
import { pick } from './editorText';
import type { Settings } from './settings';
import { type FoundFile, textCandidates, tokensByTheirSize } from './textCandidates';
import { holds } from './trees/labels';

export interface Texts {
  /** The text of a model; null while none was chosen. */
  known(folder: string): string | null;
  /** Asks for a text; null: cancelled by the user. */
  choose(folder: string): Promise<string | null>;
  source(file: string, model: ModelSummary): TokenSource;
  nameOf(file: string): string;
}

const patterns = '**/*.{txt,text,md,raw,jsonl,csv,parquet}';
const elsewhere = '**/{node_modules,.git}/**';
const mostFiles = 200;

/** What a text is for; a model may have one of each. */
export type TextUse = 'measure' | 'train';

const titles: Record<TextUse, { title: string; open: string }> = {
  measure: { title: 'Text to Measure On', open: 'Measure on It' },
  train: { title: 'Text to Train On', open: 'Train on It' },
};

export function openTexts(context: ExtensionContext, settings: Settings, use: TextUse = 'measure'): Texts {
  const demo = Uri.joinPath(context.extensionUri, 'dist/demo/tinystories.txt').fsPath;
  const key = (folder: string) => (use === 'measure' ? `text ${folder}` : `training text ${folder}`);
  const nameOf = (file: string) => (file === demo ? 'TinyStories (demo)' : basename(file));
  return {
    known: (folder) => context.workspaceState.get<string>(key(folder)) ?? null,
    nameOf,
    async choose(folder) {
      const items = [
        ...(await candidates()).map((found) => ({
          label: basename(found.path),
          description: `${workspace.asRelativePath(found.path)}, ${amountOf(found)}`,
          file: found.path,
        })),
        { label: nameOf(demo), description: 'short stories that come with Espalier', file: demo },
        { label: 'Browse…', description: 'another file of the workspace or of your model folders', file: null },
      ];
      const picked = await pick(items, {
        title: titles[use].title,
        placeHolder:
          use === 'measure'
            ? 'Text such as the model will be used on; a few pages are enough'
            : 'Text such as the model will be used on; some megabytes are better than one',
        matchOnDescription: true,
      });
      if (!picked) return null;
      const file = picked.file ?? (await browse(folder, settings, use));
      if (file) await context.workspaceState.update(key(folder), file);
      return file;
    },
    source: (file, { contextLength }) => {
      const { sequences, tokens } = settings.analysis();
      return {
        kind: 'text',
        files: [file],
        field: 'text',
        sequences,
        atMost: true,
        tokens: Math.min(tokens, contextLength),
        start: 0,
        bos: 'none',
        sampling: 'consecutive',
        seed: 0,
      };
    },
  };
}

async function candidates(): Promise<FoundFile[]> {
  const [texts, weights] = await Promise.all([
    workspace.findFiles(patterns, elsewhere, mostFiles),
    workspace.findFiles('**/*.safetensors', elsewhere, mostFiles),
  ]);
  const found = await Promise.all(
    texts.map(async ({ fsPath }) => ({ path: fsPath, sizeBytes: (await stat(fsPath).catch(() => null))?.size ?? 0 })),
  );
  return textCandidates(
    found,
    weights.map(({ fsPath }) => fsPath),
  );
}

/** `1.3 MB, about 325,000 tokens` */
function amountOf(found: FoundFile): string {
  const tokens = tokensByTheirSize(found);
  return tokens === null ? size(found.sizeBytes) : `${size(found.sizeBytes)}, about ${counted(tokens, 'token')}`;
}

/** The server reads only below its roots, so a file elsewhere is refused here, with what to do about it. */
async function browse(folder: string, settings: Settings, use: TextUse): Promise<string | null> {
  const picked = await window.showOpenDialog({
    title: titles[use].title,
    openLabel: titles[use].open,
    defaultUri: Uri.file(folder),
    filters: { Text: ['txt', 'text', 'md', 'raw', 'jsonl', 'csv', 'parquet'] },
  });
  if (!picked?.[0]) return null;
  const file = realpathSync(picked[0].fsPath);
  if (settings.roots().some((root) => holds(root.folder, file))) return file;
  throw new UserError(
    'outsideRoots',
    `${basename(file)} lies outside of the workspace; copy it there, or add its folder to the setting espalier.modelFolders.`,
  );
}
