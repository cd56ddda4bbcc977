// The panel in which a model and its variants complete the same prompt, one after the other.
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Disposable, WebviewPanel } from 'vscode';
import { setTitle } from '../../editorText';
import { UserError } from '../../../server/errors';
import type { TryPage, TryState } from '../../../server/protocol/pages/try';
import type { GenerateRecipe, GenerateReport } from '../../../server/recipes/generate/recipe';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { RunSummary } from '../../../server/protocol/server';
import type { Connection } from '../../connection';
import { type FollowedRun, followRun, type RunDetails, type RunReducer } from '../../followRun';
import type { Library } from '../../library';
import { modelName } from '../../trees/modelNodes';
import { isActive } from '../../trees/runRows';
import { openPage } from '../page';
import { definePage, type PanelHost } from '../pages';

type Place = TryPage['memory'];

export const tryPage = definePage<TryPage>({
  name: 'try',
  title: 'Try',
  ofModel: {
    commands: ['espalier.tryModel'],
    place: (folder, library) => placeToTry(familyOf(folder, library)),
  },
  key: ({ folders }) => `try ${folders.join('\n')}`,
  fill: fillTry,
});

/** The place of these models, with a first prompt. */
export const placeToTry = (folders: string[]): Place => ({ folders, prompt: 'Once upon a time', maxTokens: 64 });

/** A variant is tried beside what it was made from, a model beside its newest variant. */
function familyOf(folder: string, library: Library): string[] {
  const parent = library.model(folder)?.parentFolder;
  if (parent) return [parent, folder];
  const variants = library.models.filter((model) => model.parentFolder === folder);
  const newest = variants
    .map(({ summary }) => summary.folder)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
  return newest ? [folder, newest] : [folder];
}

function fillTry(panel: WebviewPanel, place: Place, _: unknown, host: PanelHost): Disposable {
  const { connection, settings } = host;
  const { folders, prompt: firstPrompt, maxTokens: firstMaxTokens, weights: firstWeights = null } = place;
  let models: ModelSummary[] = [];
  let generation: Generation | null = null;
  let cancelled = false;
  setTitle(panel, `Try ${folders.map(modelName).join(' and ')}`);
  const state = (): TryState => ({
    models,
    prompt: firstPrompt,
    maxTokens: firstMaxTokens,
    weights: firstWeights,
    connection: connection.state,
  });

  const page = openPage<TryPage>(panel, 'try', host, {
    async 'page/open'() {
      await connection.ready();
      models = await Promise.all(folders.map((folder) => connection.request('models/inspect', { folder })));
      return state();
    },
    async 'try/generate'({ prompt, maxTokens, weights }) {
      cancelled = false;
      const reports: GenerateReport[] = [];
      for (const [model, summary] of models.entries()) {
        if (cancelled) break;
        const recipe = generateRecipe(summary, prompt, maxTokens, settings.compute(weights));
        generation = generate(recipe, connection, (text) => page.notify('try/text', { model, text }));
        const report = await generation.report;
        if (!report) break;
        reports.push(report);
        page.notify('try/report', { model, report });
      }
      return reports;
    },
    async 'try/cancel'() {
      cancelled = true;
      await generation?.cancel();
      return null;
    },
  });
  const listening = connection.onState(() => models.length > 0 && page.notifyState('try/state', state));
  return {
    dispose() {
      cancelled = true;
      generation?.cancel().catch(() => {});
      listening.dispose();
      page.dispose();
    },
  };
}

const generateRecipe = (
  { folder, contextLength }: ModelSummary,
  prompt: string,
  maxTokens: number,
  compute: GenerateRecipe['compute'],
): GenerateRecipe => ({
  kind: 'generate',
  model: folder,
  prompt,
  maxTokens: Math.min(maxTokens, contextLength - 1),
  drop: { blocks: [], attention: [], mlp: [] },
  bos: 'tokenizer',
  cache: true,
  compute,
});

interface Generation {
  /** null: it was cancelled. */
  readonly report: Promise<GenerateReport | null>;
  cancel(): Promise<void>;
}

function generate(recipe: GenerateRecipe, connection: Connection, onText: (text: string) => void): Generation {
  const runId = randomUUID();
  let state: 'asked' | 'cancelledEarly' | 'started' | 'ended' = 'asked';
  const cancelRun = async () => void (await connection.request('runs/cancel', { runId }));
  async function run(): Promise<GenerateReport | null> {
    try {
      const started = await connection.request('runs/start', { runId, recipe });
      // Asked for before the server knew of the run.
      if (state === 'cancelledEarly') await cancelRun();
      state = 'started';
      return reportOf(await endOf(started, connection, onText));
    } finally {
      state = 'ended';
      // The text is on the page; the list of runs need not show each prompt.
      connection.request('runs/delete', { runId }).catch(() => {});
    }
  }
  return {
    report: run(),
    async cancel() {
      if (state === 'asked') state = 'cancelledEarly';
      else if (state === 'started') await cancelRun();
    },
  };
}

/** The report of a run that has ended; null: it was cancelled. Throws UserError where there is none. */
export function reportOf({ run, report }: RunDetails): GenerateReport | null {
  if (run.state === 'cancelled') return null;
  if (run.state === 'failed') throw new UserError('badData', run.message);
  if (report?.kind !== 'generate') throw new UserError('device', 'The run ended without text; try again.');
  return report;
}

interface Ending {
  readonly run: RunSummary;
  /** null: it goes on. */
  readonly ended: RunDetails | null;
}

const endingReducer: RunReducer<Ending> = {
  fetched: (details) => ({ run: details.run, ended: isActive(details.run) ? null : details }),
};

/** What the server has of a run once it has ended. */
async function endOf(started: RunSummary, connection: Connection, onText: (text: string) => void): Promise<RunDetails> {
  let followed: FollowedRun<Ending> | null = null;
  try {
    return await new Promise<RunDetails>((resolve) => {
      followed = followRun({ run: started, ended: null }, connection, endingReducer, {
        changed({ ended }) {
          if (ended) resolve(ended);
        },
        events(events) {
          for (const { event } of events) if (event.kind === 'text') onText(event.text);
        },
      });
    });
  } finally {
    (followed as FollowedRun<Ending> | null)?.dispose();
  }
}
