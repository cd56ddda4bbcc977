// The page from which a folder is published, and its conversation with the extension host. Types only.
import type { UploadPlan } from '../engine';
import type { PublishReport } from '../../recipes/publish/recipe';
import type { RunSummary } from '../server';
import type { ConnectionState, PageProtocol, RunRequests } from './page';

export interface PublishPage extends PageProtocol {
  name: 'publish';
  state: PublishState;
  memory: { folder: string; runId: string | null };
  requests: Pick<RunRequests, 'run/cancel' | 'run/resume' | 'run/open'> & {
    'publish/settings': { params: { settings: PublishSettings }; result: null };
    /** Proves the folder, makes its card and looks at the hub, and sends nothing. */
    'publish/preview': { params: { settings: PublishSettings }; result: null };
    'publish/start': { params: { settings: PublishSettings }; result: null };
    /** Asks for a token in the editor's own box. */
    'publish/token': { params: Record<string, never>; result: null };
    /** The card as a document of the editor, with its preview beside it. */
    'publish/card': { params: Record<string, never>; result: null };
    /** The page of the repository, in a browser. */
    'publish/visit': { params: Record<string, never>; result: null };
  };
  notifications: { 'publish/state': PublishState };
}

export interface PublishSettings {
  /** OWNER/NAME. */
  repository: string;
  branch: string;
  /** Empty: none. */
  tag: string;
  collection: string;
  /** OWNER/NAME of the original on the hub, for the card. Empty: as the folder says. */
  base: string;
  isPublic: boolean;
  /** The person's own part of the card, as Markdown. Empty: as the folder's card has it. */
  words: string;
}

export interface PublishState {
  folder: string;
  settings: PublishSettings;
  /** The editor keeps a token; otherwise what the environment says counts. */
  hasToken: boolean;
  /** Reports of runs of this folder that its card is made of. */
  nReports: number;
  /** What came of the newest look, and for which settings. */
  preview: { report: PublishReport; settings: PublishSettings } | null;
  /** The newest run. */
  run: PublishRun | null;
  connection: ConnectionState;
}

export interface PublishRun {
  run: RunSummary;
  /** It only looks. */
  isPreview: boolean;
  upload: UploadPlan | null;
  warnings: readonly string[];
  report: PublishReport | null;
}
