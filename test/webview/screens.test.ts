// Every page in every theme and width, drawn in a real browser: nothing is refused, nothing fails, and nothing is wider than
// the page. ESPALIER_SCREENS names a folder for pictures, where a person wants to look at them.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available } from '../fixtures';
import { chromiumFile, type Harness, startHarness } from './harness/browser';
import { modelOf, referenceFile, reportOf } from './harness/fixture';
import { cases } from './harness/cases';

const folder = process.env.ESPALIER_SCREENS;

describe.skipIf(!available(referenceFile('smollm2-135m')) || !available(chromiumFile))('the pages as they look', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  it.each(cases(modelOf, reportOf))('$name', async ({ name, before, ...options }) => {
    const opened = await harness.open(options);
    await opened.page.waitForSelector('main > *');
    await before?.(opened);
    await expect.poll(() => opened.told['page/painted'].length, { timeout: 10_000 }).toBeGreaterThan(0);
    const [content, view] = await opened.page.evaluate(widthsAtRest);
    const path = folder && join(folder, `${name}.png`);
    if (path) await opened.page.screenshot({ path, fullPage: options.fullPage ?? false });
    expect(content).toBeLessThanOrEqual(view!);
    expect(opened.told).toMatchObject({ 'page/violation': [], 'page/error': [] });
    expect(opened.complaints).toEqual([]);
    expect(opened.told['page/painted']).toHaveLength(1);
    await opened.close();
  });
});

/** Once what moves has come to rest and two more frames were drawn. */
async function widthsAtRest(): Promise<number[]> {
  const { document, requestAnimationFrame: frame } = globalThis as unknown as {
    document: {
      documentElement: { scrollWidth: number; clientWidth: number };
      getAnimations(): { finished: Promise<unknown>; effect: { getComputedTiming(): { endTime: number } } }[];
    };
    requestAnimationFrame(drawn: () => void): void;
  };
  const ending = document.getAnimations().filter((it) => Number.isFinite(it.effect.getComputedTiming().endTime));
  await Promise.allSettled(ending.map(({ finished }) => finished));
  for (let n = 0; n < 2; n++) await new Promise<void>((drawn) => frame(drawn));
  return [document.documentElement.scrollWidth, document.documentElement.clientWidth];
}
