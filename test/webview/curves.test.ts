// Curves of real runs, drawn and handed over by the page itself: each report of heal in the folder that ESPALIER_CURVES names
// becomes an SVG beside it, with the other runs of the same model as earlier ones.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HealState } from '../../server/protocol/pages/heal';
import type { HealReport } from '../../server/recipes/heal/recipe';
import { repoRoot } from '../fixtures';
import { type Harness, startHarness } from './harness/browser';
import { healRecipe, healRun, healState, pointsOf } from './harness/healing';

const folder = resolve(repoRoot, process.env.ESPALIER_CURVES ?? 'curves');
const reports = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => ({ file, report: JSON.parse(readFileSync(join(folder, file), 'utf8')) as HealReport }))
  .filter(({ report }) => report.kind === 'heal');

describe('the curve of', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  it.each(reports)('$file', async ({ file, report }) => {
    let svg = '';
    const { page, notify, close } = await harness.open({
      page: 'heal',
      theme: 'light',
      height: 830,
      answers: {
        'page/open': () => ({ page: 'heal', state: stateOf(report) }),
        'heal/keep': () => null,
        'heal/export': ({ content }: { content: string }) => {
          svg = content;
          return { file };
        },
      },
    });
    await page.waitForSelector('#healing');
    await notify('heal/points', pointsOf(report.steps, report.evals));
    await page.click('#export');
    await page.click('#save-svg');
    await expect.poll(() => svg).toMatch(/^<svg [\s\S]*<\/svg>$/);
    writeFileSync(join(folder, `${basename(file, '.json')}.svg`), `${svg}\n`);
    await close();
  });
});

function stateOf(report: HealReport): HealState {
  const { adapter, data, objective, optimizer, evals, dense, pruned, steps, model } = report;
  const loop = { ...healRecipe().loop, steps: steps.length, evaluateEverySteps: evals[1]?.step ?? steps.length };
  const { blocks: _, nParameters: _n, normB: _b, ...form } = adapter;
  const recipe = { ...healRecipe({ loop }), objective, optimizer };
  return {
    ...healState({
      run: { ...healRun({ state: 'done' }), title: `Heal ${model.name}` },
      recipe: { ...recipe, adapter: { ...recipe.adapter, ...form } },
      report,
      adapter,
      data,
      references: pruned && { dense, pruned },
      remainingSeconds: null,
    }),
    model,
    earlier: [],
    view: { smoothing: 0.9, by: 'step', logX: false, logY: false, overlays: [] },
  };
}
