import { describe, expect, it } from 'vitest';
import { statusText } from '../../extension/statusText';
import type { DeviceChoice } from '../../server/protocol/devices';
import { runRow } from '../../extension/trees/runRows';
import type { ConnectionState } from '../../server/protocol/pages/page';
import type { RunState, RunSummary } from '../../server/protocol/server';
import { runSummary } from './rows';

const running: RunState = { state: 'running', step: 'writing', fraction: 0.25 };

describe('a run in its view', () => {
  it.each<{ run: RunSummary; description: string; icon: string; contextValue: string }>([
    { run: runSummary({ state: 'queued' }), description: 'queued', icon: 'history', contextValue: 'run.queued' },
    { run: runSummary(running), description: '25 %, 0:30 left', icon: 'sync~spin', contextValue: 'run.running' },
    {
      run: runSummary({ state: 'running', step: 'reading', fraction: 0.01 }),
      description: '1 %',
      icon: 'sync~spin',
      contextValue: 'run.running',
    },
    {
      run: runSummary({ state: 'paused', step: 'train', fraction: 0.63 }, { kind: 'heal' }),
      description: 'paused at 63 %',
      icon: 'debug-pause',
      contextValue: 'run.paused.heal',
    },
    {
      run: runSummary(running, { kind: 'heal' }),
      description: '25 %, 0:30 left',
      icon: 'sync~spin',
      contextValue: 'run.running.heal',
    },
    {
      run: runSummary({ state: 'done' }, { endedAtEpochMs: 138_000 }),
      description: '2:17',
      icon: 'pass',
      contextValue: 'run.done',
    },
    {
      run: runSummary({ state: 'failed', code: 'cannotFit', message: 'It needs 9 GB.' }),
      description: 'failed: It needs 9 GB.',
      icon: 'error',
      contextValue: 'run.failed',
    },
    {
      run: runSummary({ state: 'cancelled' }, { endedAtEpochMs: 6000 }),
      description: 'cancelled after 5.0 s',
      icon: 'circle-slash',
      contextValue: 'run.cancelled',
    },
    {
      run: runSummary({ state: 'cancelled' }, { startedAtEpochMs: null }),
      description: 'cancelled',
      icon: 'circle-slash',
      contextValue: 'run.cancelled',
    },
    {
      run: runSummary({ state: 'interrupted' }),
      description: 'interrupted',
      icon: 'debug-disconnect',
      contextValue: 'run.interrupted',
    },
    {
      run: runSummary(running, { kind: 'heal', host: 'node7' }),
      description: '25 %, 0:30 left on node7',
      icon: 'sync~spin',
      contextValue: 'run.elsewhere',
    },
    {
      run: runSummary({ state: 'interrupted' }, { kind: 'heal', host: 'node7' }),
      description: 'interrupted on node7',
      icon: 'debug-disconnect',
      contextValue: 'run.interrupted.heal',
    },
  ])('$run.state: $description', ({ run, description, icon, contextValue }) => {
    const row = runRow(run, 11_000);
    expect(row).toMatchObject({ description, contextValue, label: 'Prune tiny' });
    expect(row.icon.name).toBe(icon);
  });
});

describe('the status bar', () => {
  const connected: ConnectionState = { state: 'connected' };
  const webgpu: DeviceChoice = { device: 'webgpu', reason: 'auto is WebGPU on a card.' };
  it.each<{
    name: string;
    connection: ConnectionState;
    runs?: RunSummary[];
    trusted?: boolean;
    device?: DeviceChoice;
    text: string;
    level: string;
    does: string;
  }>([
    {
      name: 'says the name alone while all is quiet',
      connection: connected,
      text: 'Espalier',
      level: 'quiet',
      does: 'models.focus',
    },
    {
      name: 'names the device once it is known',
      connection: connected,
      device: webgpu,
      text: 'Espalier: WebGPU',
      level: 'quiet',
      does: 'models.focus',
    },
    {
      name: 'shows the running run, and opens it',
      connection: connected,
      runs: [runSummary({ state: 'queued' }, { runId: '2' }), runSummary(running)],
      text: '$(sync~spin) Espalier: Prune 25 %, 0:30 left',
      level: 'quiet',
      does: 'openRun',
    },
    {
      name: 'shows a run that is paused, and opens it',
      connection: connected,
      runs: [runSummary({ state: 'paused', step: 'train', fraction: 0.63 }, { kind: 'heal', title: 'Heal tiny' })],
      text: '$(debug-pause) Espalier: Heal paused at 63 %',
      level: 'quiet',
      does: 'openRun',
    },
    {
      name: 'says nothing of prompts',
      connection: connected,
      runs: [runSummary(running, { kind: 'generate' })],
      text: 'Espalier',
      level: 'quiet',
      does: 'models.focus',
    },
    {
      name: 'turns while the server is reached',
      connection: { state: 'starting' },
      text: '$(loading~spin) Espalier',
      level: 'quiet',
      does: 'showLog',
    },
    {
      name: 'warns while the server is out of reach',
      connection: { state: 'reconnecting', attempt: 3 },
      runs: [runSummary(running)],
      text: '$(sync~spin) Espalier: reconnecting',
      level: 'warning',
      does: 'showLog',
    },
    {
      name: 'is red only when the server is down, and restarts it',
      connection: { state: 'failed', message: 'No Node.' },
      text: '$(error) Espalier: no server',
      level: 'error',
      does: 'restartServer',
    },
    {
      name: 'offers to start a server that was stopped',
      connection: { state: 'stopped' },
      text: '$(circle-slash) Espalier',
      level: 'quiet',
      does: 'restartServer',
    },
    {
      name: 'offers no start in Restricted Mode',
      connection: { state: 'stopped' },
      trusted: false,
      text: 'Espalier',
      level: 'quiet',
      does: 'models.focus',
    },
  ])('$name', ({ connection, runs = [], trusted = true, device = null, text, level, does }) => {
    const said = statusText(connection, runs, { trusted, device, nowEpochMs: 11_000 });
    expect(said).toMatchObject({ text, level });
    expect(said.click.does).toBe(does);
  });

  it('tells what went wrong and how many runs wait', () => {
    const facts = { trusted: true, device: null, nowEpochMs: 11_000 };
    expect(statusText({ state: 'failed', message: 'No Node.' }, [], facts).tooltip).toContain('No Node.');
    const runs = [runSummary(running), runSummary({ state: 'queued' }, { runId: '2' })];
    expect(statusText(connected, runs, facts).tooltip).toBe('Prune tiny: writing. 1 more waits.');
  });

  it('says why a device was chosen', () => {
    const facts = { trusted: true, device: webgpu, nowEpochMs: 11_000 };
    expect(statusText(connected, [], facts).tooltip).toBe('Nothing is running. auto is WebGPU on a card.');
  });
});
