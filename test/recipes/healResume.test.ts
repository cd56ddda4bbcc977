// A healing that is paused, stopped and resumed: it goes on to what it would have been, and only as what it was begun.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asWrittenBefore } from '../earlierFiles';
import { adapterBytes, type HealChange, openHealings, stepsOf } from './healing';
import { onCpu } from './runHere';

const { other, heal } = openHealings();

describe('a healing', () => {
  it('pauses, goes on and stops when it is told to, evaluated and saved', async () => {
    const whole = await heal();
    const { report, events, out } = await heal({}, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 2) tell('pause');
      if (event.kind === 'paused' && event.paused) setTimeout(() => tell('continue'), 50);
      if (event.kind === 'step' && event.step.step === 4) tell('stopAndSave');
    });
    expect(events.filter(({ kind }) => kind === 'paused')).toHaveLength(2);
    expect(report).toMatchObject({ stoppedBy: 'request' });
    expect(stepsOf(report)).toEqual(stepsOf(whole.report).slice(0, 5));
    expect(report.evals.at(-1)!.step).toBe(5);
    // It goes on to what it would have been, with one evaluation more.
    const rest = await heal({ out, resume: true });
    expect(stepsOf(rest.report)).toEqual(stepsOf(whole.report));
    expect(rest.report.evals.filter(({ step }) => step !== 5)).toEqual(whole.report.evals);
    expect(rest.report.pruned).toEqual(whole.report.pruned);
  });
});

describe('going on', () => {
  it('after the end changes nothing', async () => {
    const { report, out } = await heal();
    const before = adapterBytes(out);
    const again = await heal({ out, resume: true });
    expect(again.report).toMatchObject({ steps: report.steps, evals: report.evals, healed: report.healed });
    expect(adapterBytes(out)).toBe(before);
  });

  it('goes on where an earlier version wrote the fields under their names of before', async () => {
    const whole = await heal();
    const { out } = await heal({}, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 4) tell('stopAndSave');
    });
    for (const name of readdirSync(join(out, 'run')).filter((it) => it.endsWith('.json'))) {
      const file = join(out, 'run', name);
      // Files of then had no checksum.
      const bare = readFileSync(file, 'utf8').replace(/,\s*"checksum": ?"[0-9a-f]{16}"/, '');
      writeFileSync(file, asWrittenBefore(bare));
    }
    const rest = await heal({ out, resume: true });
    expect(stepsOf(rest.report)).toEqual(stepsOf(whole.report));
  });

  it.each<[string, HealChange]>([
    ['loop.steps = 12, not 20', { loop: { steps: 20 } }],
    ['optimizer.learningRate = 0.005, not 0.01', { optimizer: { learningRate: 0.01 } }],
    ['adapter.rank = 4, not 5', { adapter: { rank: 5 } }],
    ['data.seed = 0, not 1', { data: { seed: 1 } }],
    [
      'objective.kind = "nextToken", not "distillation"',
      { objective: { kind: 'distillation', topK: 4, temperature: 1 } },
    ],
    ['other data', { data: { files: [] } }],
  ])('is refused where the run was begun with %s', async (difference, change) => {
    const { out } = await heal();
    const data = change.data?.files ? { files: [other] } : change.data;
    const resumed = heal({ ...change, ...(data && { data }), out, resume: true });
    await expect(resumed).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(difference) });
  });

  it('takes other ways of computing and saving', async () => {
    const { out } = await heal({}, (event, tell) => {
      if (event.kind === 'step' && event.step.step === 6) tell('stopAndSave');
    });
    const loop = { activations: 'recompute', saveEverySteps: 2 } as const;
    const { report } = await heal({ out, resume: true, loop, compute: { ...onCpu, memory: 'streaming' } });
    expect(report).toMatchObject({ stoppedBy: 'steps', memory: 'streaming' });
    expect(report.steps).toHaveLength(12);
  });
});
