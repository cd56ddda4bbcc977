// What panels work with, and what can be opened from anywhere.
import type { Disposable, ExtensionContext, LogOutputChannel, Uri } from 'vscode';
import type { RunSummary } from '../../server/protocol/server';
import type { Connection } from '../connection';
import type { Library } from '../library';
import type { Settings } from '../settings';

/** What panels work with. */
export interface PanelHost {
  readonly context: ExtensionContext;
  readonly connection: Connection;
  readonly library: Library;
  readonly settings: Settings;
  readonly log: LogOutputChannel;
  readonly dist: Uri;
  readonly panels: Panels;
}

export interface Panels extends Disposable {
  chooseBlocks(folder: string): void;
  try(folders: readonly string[]): void;
  /** The form for a healing of this model, or the one that goes on. */
  heal(folder: string): void;
  /** The form for an evaluation of these models, the base first. */
  evaluate(folders: readonly string[]): void;
  run(run: Pick<RunSummary, 'runId' | 'kind'> & { model?: string }): void;
}
