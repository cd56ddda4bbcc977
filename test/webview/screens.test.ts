// Every page in every theme and width, drawn in a real browser. The pictures lie in a folder for people to look at; what is
// checked is that nothing was refused, nothing failed, and nothing is wider than the page.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { available } from '../fixtures';
import { chromiumFile, type Harness, startHarness } from './harness/browser';
import { modelOf, referenceFile, reportOf } from './harness/fixture';
import { cases } from './harness/cases';

const folder = process.env.ESPALIER_SCREENS ?? mkdtempSync(join(tmpdir(), 'espalier-screens-'));

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
    await opened.page.waitForTimeout(250);
    await opened.page.screenshot({ path: join(folder, `${name}.png`), fullPage: options.fullPage ?? false });
    const [content, view] = await opened.page.evaluate(widths);
    expect(content).toBeLessThanOrEqual(view!);
    expect(opened.told).toMatchObject({ 'page/violation': [], 'page/error': [] });
    expect(opened.complaints).toEqual([]);
    expect(opened.told['page/painted']).toHaveLength(1);
    await opened.close();
  });
});

function widths(): number[] {
  const { document } = globalThis as unknown as {
    document: { documentElement: { scrollWidth: number; clientWidth: number } };
  };
  return [document.documentElement.scrollWidth, document.documentElement.clientWidth];
}
