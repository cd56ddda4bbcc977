// A study goes on where one of its variants is not finite: a what-if that overflows, a healing that diverges. The report says
// which they are, and what is done stays done.
import { beforeAll, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import { studyReportSchema } from '../../server/recipes/study/reportSchema';
import { renderStudy } from '../../server/cli/renderStudy';
import type { StudyRecipe, StudyReport } from '../../server/recipes/study/recipe';
import { checkFinite } from '../../server/shared/finite';
import { modelFolder } from '../fixtures';
import { writeOverflowing } from './faults';
import { carryOut, openStudies } from './studies';

const { root, studyOf } = openStudies();

describe('a study with variants that are not finite', () => {
  let recipe: StudyRecipe;
  let report: StudyReport;
  let calls: string[];
  beforeAll(async () => {
    const plain = studyOf();
    const optimizer = { ...plain.healing!.optimizer, learningRate: 9, warmupSteps: 0, clipNorm: null };
    const adapter = { ...plain.healing!.adapter, alpha: 1e19 };
    const healing = { ...plain.healing!, methods: ['deepest'] as ['deepest'], counts: [1], optimizer, adapter };
    const model = await writeOverflowing(modelFolder('stories260k'), join(root, 'overflowing'));
    const grid = { methods: ['deepest', 'weightMagnitude'], counts: [1, 3], repairs: ['none'] } as const;
    recipe = studyOf({
      ...{ model, ...grid, methods: [...grid.methods], counts: [...grid.counts], repairs: ['none'] },
      ...{ healing, keepModels: 'all', out: join(root, 'lost') },
    });
    ({ report, calls } = await carryOut(recipe));
  }, 240_000);

  const variant = (id: string) => report.variants.find((it) => it.id === id)!;

  it('says of each why, and has the losses of the others', () => {
    const lost = report.variants.filter(({ notFinite }) => notFinite);
    expect(lost.map(({ id }) => id).sort()).toEqual(['1-deepest-healed', '3-deepest']);
    expect(variant('1-deepest-healed').notFinite).toMatch(
      /^The loss .* is not finite, because the output of block 4 goes beyond/,
    );
    expect(variant('3-deepest').notFinite).toBe('The loss without 1-3 is not finite.');
    for (const one of report.variants) expect(one.loss === null, one.id).toBe(lost.includes(one));
    expect(variant('1-deepest-healed')).toMatchObject({ model: null, folder: null, healing: null });
    checkFinite(report);
  });

  it('shows them by name', () => {
    const shown = renderStudy(report);
    for (const { label, notFinite } of report.variants)
      if (notFinite) expect(shown).toContain(`${label} is left out: ${notFinite}`);
    expect(studyReportSchema.parse(JSON.parse(JSON.stringify(report))).variants.length).toBe(report.variants.length);
  });

  it('does not do again what was lost', async () => {
    expect(calls.filter((call) => call.startsWith('merge'))).toEqual([]);
    const again = await carryOut(recipe);
    expect(again.calls).toEqual([]);
    expect(again.report.variants).toEqual(report.variants);
  });
});
