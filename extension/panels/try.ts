// The panel in which one prompt is given to a model and to what was made of it, one after the other.
import { randomUUID } from 'node:crypto';
import type { Disposable, WebviewPanel } from 'vscode';
import { UserError } from '../../server/errors';
import type { TryPage, TryState } from '../../server/protocol/pages/try';
import type { GenerateRecipe } from '../../server/recipes/generate/recipe';
import type { GenerateReport, ModelSummary } from '../../server/protocol/reports';
import type { RunEvent } from '../../server/protocol/server';
import { modelName } from '../trees/modelNodes';
import { openPage } from './page';
import type { PanelHost } from './panelHost';

const firstPrompt = 'Once upon a time';
const firstMaxTokens = 64;

export function fillTry(
  panel: WebviewPanel,
  folders: readonly string[],
  memory: TryPage['memory'] | null,
  { connection, settings, log, dist }: PanelHost,
): Disposable {
  let models: ModelSummary[] = [];
  let current: string | null = null;
  /** Whether the server has the current run. */
  let known = false;
  let cancelled = false;
  panel.title = `Try ${folders.map(modelName).join(' and ')}`;

  const page = openPage<TryPage>(
    panel,
    'try',
    { dist, log, connection },
    {
      async 'page/open'() {
        await connection.ready();
        models = await Promise.all(folders.map((folder) => connection.request('models/inspect', { folder })));
        return { page: 'try', state: state() };
      },
      async 'try/generate'({ prompt, maxTokens }) {
        cancelled = false;
        const reports: GenerateReport[] = [];
        for (const [model, { folder, contextLength }] of models.entries()) {
          if (cancelled) break;
          const report = await generate(model, {
            kind: 'generate',
            model: folder,
            prompt,
            maxTokens: Math.min(maxTokens, contextLength - 1),
            drop: { blocks: [], attention: [], mlp: [] },
            bos: 'tokenizer',
            cache: true,
            compute: settings.compute(),
          });
          if (!report) break;
          reports.push(report);
          page.notify('try/report', { model, report });
        }
        return reports;
      },
      async 'try/cancel'() {
        cancelled = true;
        if (current && known) await connection.request('runs/cancel', { runId: current });
        return null;
      },
    },
  );
  const state = (): TryState => ({
    models,
    prompt: memory?.prompt ?? firstPrompt,
    maxTokens: memory?.maxTokens ?? firstMaxTokens,
    connection: connection.state,
  });

  /** null: it was cancelled. */
  async function generate(model: number, recipe: GenerateRecipe): Promise<GenerateReport | null> {
    const runId = randomUUID();
    current = runId;
    known = false;
    let follow: Disposable | null = null;
    try {
      await connection.request('runs/start', { runId, recipe });
      known = true;
      // Asked for before the server knew of the run.
      if (cancelled) await connection.request('runs/cancel', { runId });
      const last = await new Promise<Extract<RunEvent['event'], { kind: 'state' }>['state']>((resolve) => {
        follow = connection.follow(runId, (events) => {
          for (const { event } of events) {
            if (event.kind === 'text') page.notify('try/text', { model, text: event.text });
            if (event.kind === 'state' && !['queued', 'running', 'paused'].includes(event.state.state))
              resolve(event.state);
          }
        });
      });
      if (last.state === 'cancelled') return null;
      if (last.state === 'failed') throw new UserError('badData', last.message);
      const { report } = await connection.request('runs/get', { runId });
      if (report?.kind !== 'generate') throw new UserError('device', 'The run ended without text; try again.');
      return report;
    } finally {
      (follow as Disposable | null)?.dispose();
      current = null;
      // What was tried is on the page; the list of runs is for work.
      connection.request('runs/delete', { runId }).catch(() => {});
    }
  }

  const listening = connection.onState(() => models.length > 0 && page.notifyState('try/state', state));
  return {
    dispose() {
      if (current) connection.request('runs/cancel', { runId: current }).catch(() => {});
      listening.dispose();
      page.dispose();
    },
  };
}
