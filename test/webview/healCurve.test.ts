// The points of a healing, without a page: how they are kept, averaged, thinned and written down.
import { describe, expect, it } from 'vitest';
import { downsampled } from '../../webview/heal/downsample';
import { csvOf } from '../../webview/heal/csv';
import { firstAtLeast, openCurve } from '../../webview/heal/curve';
import { plotAreaOf } from '../../webview/heal/plotArea';
import { linear, logarithmic } from '../../webview/components/axisScale';
import { differences, scientific, settingsOf } from '../../webview/heal/settings';
import type { PageState } from '../../webview/heal/state';
import { runViewOf } from '../../webview/heal/view';
import type { HealPoints, HealState } from '../../server/protocol/pages/heal';
import { healRecipe, healState, heldOut, pointsOf, stepsOf } from './harness/healing';

const losses = (...nats: (number | null)[]): HealPoints => ({
  ...pointsOf(stepsOf(nats.length)),
  lossNats: nats,
});
const pageState = (host: HealState): PageState => ({
  host,
  zoom: null,
  cross: null,
  drag: null,
  menu: false,
  failure: null,
  written: null,
  busy: false,
});
function viewOf(nDone: number, change: Partial<HealState['view']> = {}, zoom: PageState['zoom'] = null) {
  const host = healState();
  if (host.shown.kind !== 'run') throw new Error('the fixture shows a run');
  const curve = openCurve(1024);
  curve.append(pointsOf(stepsOf(nDone, 'good', nDone), heldOut(nDone)));
  const state = { ...pageState({ ...host, view: { ...host.view, ...change } }), zoom };
  return { curve, view: runViewOf(state, host.shown.healing, curve) };
}

describe('the average of a curve', () => {
  it.each([
    // m = w m + (1 - w) x, over 1 - w^n; by hand.
    { weight: 0.5, nats: [4, 2, 3], smoothed: [4, 2 / 0.75, 2.857142857142857] },
    { weight: 0, nats: [4, 2, 3], smoothed: [4, 2, 3] },
    { weight: 0.9, nats: [4, 4, 4, 4], smoothed: [4, 4, 4, 4] },
    { weight: 0.5, nats: [4, null, 2], smoothed: [4, 4, 2 / 0.75] },
    { weight: 0.5, nats: [null, 3], smoothed: [Number.NaN, 3] },
  ])('with weight $weight of $nats', ({ weight, nats, smoothed }) => {
    const curve = openCurve(1);
    curve.append(losses(...nats));
    expect(curve.length).toBe(nats.length);
    smoothed.forEach((value, i) => {
      if (Number.isNaN(value)) expect(curve.smoothed(weight)[i]).toBeNaN();
      else expect(curve.smoothed(weight)[i]).toBeCloseTo(value, 12);
    });
  });

  it('is the same in pieces as at once', () => {
    const all = pointsOf(stepsOf(3000, 'good', 3000));
    const [whole, pieces] = [openCurve(1), openCurve(1)];
    whole.append(all);
    for (let at = 0; at < 3000; at += 70) {
      pieces.append(pointsOf(stepsOf(3000, 'good', 3000).slice(at, at + 70)));
      pieces.smoothed(0.9);
    }
    expect(pieces.smoothed(0.9).subarray(0, 3000)).toEqual(whole.smoothed(0.9).subarray(0, 3000));
    expect(pieces.seconds[2999]).toBeCloseTo(whole.seconds[2999]!, 9);
  });
});

describe('a run that was resumed', () => {
  it('takes the place of what it computes again, and shows no evaluation from beyond its steps', () => {
    const curve = openCurve(1);
    curve.append(pointsOf(stepsOf(80), heldOut(75)));
    expect(curve.evals.map(({ step }) => step)).toEqual([0, 25, 50, 75]);
    const again = stepsOf(60, 'diverged');
    curve.append(pointsOf(again.slice(50)));
    expect(curve.length).toBe(60);
    expect(curve.nDone).toBe(60);
    expect(curve.column('lossNats')[55]).toBe(again[55]!.lossNats);
    expect(curve.evals.map(({ step }) => step)).toEqual([0, 25, 50]);
    curve.append(pointsOf(stepsOf(80).slice(60)));
    expect(curve.evals.map(({ step }) => step)).toEqual([0, 25, 50, 75]);
  });

  it('may tell all of it again', () => {
    const [once, twice] = [openCurve(1), openCurve(1)];
    once.append(pointsOf(stepsOf(80), heldOut(80)));
    for (let i = 0; i < 2; i++) {
      twice.append(pointsOf([], heldOut(80)));
      twice.append(pointsOf(stepsOf(80)));
    }
    expect(twice.evals).toEqual(once.evals);
    expect(twice.smoothed(0.9).subarray(0, 80)).toEqual(once.smoothed(0.9).subarray(0, 80));
  });
});

describe('thinning', () => {
  it('keeps every spike, the order and the ends, in a few points a pixel', () => {
    const n = 50_000;
    const x = Float64Array.from({ length: n }, (_, i) => i);
    const y = Float64Array.from({ length: n }, (_, i) => Math.sin(i / 900));
    y[31_337] = 99;
    y[7] = -99;
    y[20_000] = Number.NaN;
    const points = downsampled({ x, y, length: n, pixel: (it) => (it / n) * 500, at: (it) => (it / 500) * n });
    expect(points.length).toBeLessThanOrEqual(2000);
    expect(points).toContainEqual([31_337, 99]);
    expect(points).toContainEqual([7, -99]);
    expect(points[0]).toEqual([0, 0]);
    expect(points.at(-1)![0]).toBe(n - 1);
    expect(points.every(([at], i) => i === 0 || at > points[i - 1]![0])).toBe(true);
    expect(points.every(([, value]) => Number.isFinite(value))).toBe(true);
  });

  it('leaves few points as they are', () => {
    const [x, y] = [Float64Array.of(1, 2, 3), Float64Array.of(5, 4, 6)];
    expect(downsampled({ x, y, length: 3, pixel: (it) => it * 100, at: (it) => it / 100 })).toEqual([
      [1, 5],
      [2, 4],
      [3, 6],
    ]);
  });
});

describe('100 000 points', () => {
  it('take a small part of a frame, a hundred times a hundred more of them, in every way they are shown', {
    retry: 2,
  }, () => {
    const n = 100_000;
    const steps = stepsOf(n, 'good', n);
    const { curve, view } = viewOf(2);
    const batches = Array.from({ length: n / 100 }, (_, i) => pointsOf(steps.slice(100 * i, 100 * i + 100)));
    const beganAtMs = performance.now();
    for (const batch of batches) curve.append(batch);
    const appendMs = performance.now() - beganAtMs;
    expect(curve.length).toBe(n);
    // The fixture's view, of the longer curve.
    const rows = (['step', 'tokens', 'seconds'] as const).flatMap((by) =>
      [false, true].map((log) => {
        const state = {
          ...view.state,
          host: { ...view.state.host, view: { ...view.state.host.view, by, logX: log, logY: log } },
        };
        const draw = () => {
          const now = runViewOf(state, view.healing, curve);
          const frame = plotAreaOf(now, 900, 500);
          const one = (values: Float64Array) =>
            downsampled({ x: now.x.values, y: values, length: n, pixel: frame.xPixel, at: frame.xAt }).length;
          return one(curve.column('lossNats')) + one(curve.smoothed(0.9)) + one(curve.column('gradNorm'));
        };
        const nDrawn = draw();
        // The shortest of several, since others may be at work on the machine.
        const took = Array.from({ length: 12 }, () => {
          const at = performance.now();
          draw();
          return performance.now() - at;
        });
        return { by, log, ms: Math.min(...took), nDrawn };
      }),
    );
    console.log(
      `100 000 points in 1000 batches: ${appendMs.toFixed(0)} ms in all; one drawing of three curves: ` +
        rows.map(({ by, log, ms }) => `by ${by}${log ? ', log' : ''} ${ms.toFixed(1)} ms`).join('; '),
    );
    expect(appendMs).toBeLessThan(1000);
    for (const { ms, nDrawn } of rows) {
      expect(nDrawn).toBeLessThan(12_000);
      // Drawn at most every 100 ms.
      expect(ms).toBeLessThan(30);
    }
  });
});

describe('axes', () => {
  it.each([
    { scale: linear, low: 0, high: 100, about: 5, marks: [0, 20, 40, 60, 80, 100] },
    { scale: linear, low: 3.38, high: 4.62, about: 6, marks: [3.4, 3.6, 3.8, 4, 4.2, 4.4, 4.6] },
    { scale: logarithmic, low: 1, high: 100, about: 5, marks: [1, 2, 5, 10, 20, 50, 100] },
    { scale: logarithmic, low: 3.4, high: 4.6, about: 4, marks: [3.5, 4, 4.5] },
    { scale: linear, low: 3, high: 3, about: 4, marks: [] },
  ])('from $low to $high have marks at $marks', ({ scale, low, high, about, marks }) => {
    const found = scale.marks(low, high, about);
    expect(found).toHaveLength(marks.length);
    marks.forEach((mark, i) => expect(found[i]).toBeCloseTo(mark, 9));
  });

  it.each([
    { logX: false, by: 'step' as const },
    { logX: true, by: 'tokens' as const },
    { logX: true, by: 'seconds' as const },
  ])('find the value of a pixel: $by, log $logX', ({ logX, by }) => {
    const { view } = viewOf(63, { logX, by });
    const frame = plotAreaOf(view, 600, 400);
    for (const pixel of [40, 133, 520]) expect(frame.xPixel(frame.xAt(pixel))).toBeCloseTo(pixel, 6);
  });

  it('show a zoomed part alone, with the losses that lie in it', () => {
    const whole = plotAreaOf(viewOf(63).view, 600, 400);
    const part = plotAreaOf(viewOf(63, { overlays: [] }, { from: 40, to: 60 }).view, 600, 400);
    expect(part.shown).toEqual({ from: 40, to: 60 });
    expect(part.high).toBeLessThan(whole.high);
    expect(plotAreaOf(viewOf(63, {}, { from: -5, to: 1e9 }).view, 600, 400).shown).toEqual(whole.whole);
  });

  it('firstAtLeast finds the first', () => {
    expect([0, 1, 1.5, 4, 9].map((it) => firstAtLeast([1, 2, 2, 4], 4, it))).toEqual([0, 0, 1, 3, 4]);
  });
});

describe('a curve as CSV', () => {
  it('has a row a step, units in its names, full precision and ASCII', () => {
    const { view, curve } = viewOf(63);
    const lines = csvOf(view).trimEnd().split('\n');
    expect(lines[0]).toBe(
      'step,tokens,seconds,train_loss_nats,train_loss_smoothed_nats,held_out_loss_nats,held_out_recovered_fraction,learning_rate,gradient_norm,tokens_per_second,memory_bytes',
    );
    expect(lines).toHaveLength(65);
    expect(lines[1]).toBe('0,0,0,,,4.1467,0,,,,');
    const cells = lines[26]!.split(',');
    expect(cells.slice(0, 2)).toEqual(['25', '25600']);
    expect(Number(cells[3])).toBe(curve.column('lossNats')[24]);
    expect(cells[5]).toBe('3.6794');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is to be absent is all but ASCII
    expect(csvOf(view)).toMatch(/^[\x00-\x7f]*$/);
  });
});

describe('settings', () => {
  it('of two runs are compared', () => {
    const other = healRecipe({ adapter: { rank: 16, alpha: 16 }, optimizer: { schedule: 'cosine' } });
    expect(differences(healRecipe(), other)).toEqual([
      ['Rank, alpha', '16, 16'],
      ['Learning rate', '5e−4, cosine'],
    ]);
    expect(differences(other, other)).toEqual([]);
  });

  it('are said in words', () => {
    const said = Object.fromEntries(settingsOf(healRecipe({ adapter: { targets: ['q_proj', 'v_proj'] } })));
    expect(said).toMatchObject({ Targets: 'query and value', Batch: '4 × 256 tokens' });
    expect(said['Held out']).toBe('wiki.test.raw, 8 × 512');
    expect([5e-4, 3e-5, 1].map((it) => scientific(it))).toEqual(['5e−4', '3e−5', '1e0']);
  });
});
