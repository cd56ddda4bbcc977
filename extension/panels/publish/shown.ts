// The run that the page shows, and what the newest look has found.
import type { Disposable } from 'vscode';
import { UserError } from '../../../server/errors';
import type { PublishRun, PublishSettings, PublishState } from '../../../server/protocol/pages/publish';
import { openRun, openShownRun, type RunReducer } from '../../followRun';
import type { PanelHost } from '../pages';

export interface ShownPublishing extends Disposable {
  readonly run: PublishRun | null;
  readonly preview: PublishState['preview'];
  /** @param settings those that the run was started with */
  show(runId: string | null, settings: PublishSettings): Promise<void>;
}

const reducer: RunReducer<PublishRun> = {
  fetched({ run, recipe, report, warnings }, before) {
    if (recipe.kind !== 'publish') throw new UserError('badState', 'This run publishes nothing.');
    const upload = before?.upload ?? null;
    return { run, isPreview: recipe.dryRun, upload, warnings, report: report?.kind === 'publish' ? report : null };
  },
  applied: (state, event) => (event.kind === 'upload' ? { ...state, upload: event.upload } : state),
};

export function openShownPublishing({ connection }: PanelHost, changed: () => void): ShownPublishing {
  let preview: PublishState['preview'] = null;
  let settings: PublishSettings | null = null;
  const shown = openShownRun((runId) => openRun(runId, connection, reducer, { changed: look }));
  function look({ isPreview, report }: PublishRun): void {
    if (isPreview && report && settings) preview = { report, settings };
    changed();
  }
  return {
    get run() {
      return shown.run?.state ?? null;
    },
    get preview() {
      return preview;
    },
    async show(runId, ofRun) {
      settings = ofRun;
      await shown.show(runId);
      if (shown.run) look(shown.run.state);
    },
    dispose: () => shown.dispose(),
  };
}
