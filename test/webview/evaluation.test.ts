// The page of an evaluation in a real browser, with the test as its host.
import { describe, expect, it } from 'vitest';
import type { EvaluationState } from '../../server/protocol/pages/evaluate';
import { available } from '../fixtures';
import { type Answers, chromiumFile, type OpenPage } from './harness/browser';
import {
  evaluated,
  evaluatedInPart,
  evaluatedOtherwise,
  evaluationForm,
  evaluationReport,
  evaluationRun,
  evaluationState,
  wholeMmlu,
} from './harness/evaluation';
import { asks, eventually, checkedPages } from './harness/checkedPages';

describe.skipIf(!available(chromiumFile))('the page of an evaluation', () => {
  const openChecked = checkedPages();
  const quiet: Answers = { 'evaluate/keep': () => null, 'evaluate/settings': () => null, 'text/copy': () => null };

  async function open(state: EvaluationState = evaluationState(), answers: Answers = {}, width = 900) {
    const opened = await openChecked({
      page: 'evaluate',
      width,
      answers: { 'page/open': () => ({ page: 'evaluate', state }), ...quiet, ...answers },
    });
    await opened.page.waitForSelector('#evaluation');
    return opened;
  }
  const shownAs = (evaluation = evaluated(), beside: ReturnType<typeof evaluated>[] = []) =>
    evaluationState({ kind: 'run', evaluation, beside });
  const titles = ({ page }: OpenPage) => page.locator('#scores tbody tr[data-row] .name bdi').allTextContents();
  const textOf = async ({ page }: OpenPage, row: string) =>
    (await page.locator(`#scores tr[data-row="${row}"]`).innerText()).replace(/\s+/g, ' ').trim();

  it('shows each task with its values, differences, intervals and marks', async () => {
    const it = await open();
    expect(await textOf(it, 'hellaswag')).toMatch(
      /^HellaSwag 0 40 45\.0 37\.5 −7\.5 ± 12\.9 within noise 42\.5 −2\.5 ± 10\.9/,
    );
    expect(await textOf(it, 'boolq')).toMatch(
      /BoolQ base is not above chance 0 40 25\.0 50\.0 \+25\.0 ± 16\.8▲ better 45\.0/,
    );
    expect(await textOf(it, 'lambada_openai')).toMatch(/7\.5 −25\.0 ± 13\.6▼ worse/);
    // Its interval leaves out zero, but Holm's correction does not leave it among the significant.
    expect(await textOf(it, 'openbookqa')).toMatch(/−15\.0 ± 13\.2 not within noise/);
    expect(await it.page.locator('tr[data-row="openbookqa"] .strong').allTextContents()).toEqual(['−15.0']);
    expect(await textOf(it, 'mean')).toMatch(/^Mean of 8 tasks 320 40\.6 38\.8 −1\.9 ± 4\.9/);
    expect(await textOf(it, 'wikitext')).toMatch(/30\.40 75\.60 \+45\.20 ± 4\.10▼ worse.*× 2\.49/);
    expect(await it.page.locator('th.variant bdi').allTextContents()).toEqual(['Without 12–16', 'Healed']);
    expect(await it.page.locator('#perplexity').innerText()).toMatch(/33\.10\s+90\.7\u202f% recovered/);
    const settings = (await it.page.textContent('#settings'))!;
    for (const fact of ['the first 40 of each task', 'float32, CPU', '25 blocks, 233.6 MB', 'acc_norm for HellaSwag'])
      expect(settings).toContain(fact);
  });

  it('draws what leaves out zero filled, and the rest hollow', async () => {
    const { page } = await open();
    const dots = (row: string) =>
      page
        .locator(`tr[data-row="${row}"] .dots path`)
        .evaluateAll((paths) => paths.map((path) => path.getAttribute('class')!.trim()));
    expect(await dots('hellaswag')).toEqual(['pruned unsure', 'healed unsure']);
    expect(await dots('boolq')).toEqual(['pruned', 'healed']);
  });

  it('sorts by any heading, up, down and as before, and keeps it', async () => {
    const it = await open();
    const heading = it.page.locator('#scores th[aria-sort]').nth(3);
    expect(await heading.getAttribute('aria-sort')).toBe('none');
    await heading.locator('button').click();
    await eventually(() => heading.getAttribute('aria-sort'), 'ascending');
    expect((await titles(it)).slice(0, 3)).toEqual(['LAMBADA', 'OpenBookQA', 'HellaSwag']);
    expect((await titles(it))[8]).toBe('MMLU');
    expect((await titles(it))[9]).toBe('medical genetics');
    await heading.locator('button').click();
    await eventually(async () => (await titles(it))[0], 'BoolQ');
    await heading.locator('button').click();
    await eventually(async () => (await titles(it))[0], 'HellaSwag');
    expect(asks(it, 'evaluate/keep')).toMatchObject([
      { view: { sort: { by: 'difference', variant: 0, descending: false } } },
      { view: { sort: { by: 'difference', variant: 0, descending: true } } },
      { view: { sort: null } },
    ]);
  });

  it('filters by words, and to what is significant', async () => {
    const it = await open();
    await it.page.fill('#filter', 'ph');
    await eventually(() => titles(it), ['philosophy', 'high school physics']);
    await it.page.fill('#filter', '');
    await it.page.click('#significant');
    await eventually(() => titles(it), ['BoolQ', 'LAMBADA', 'WikiText']);
    expect(await it.page.getAttribute('#significant', 'aria-pressed')).toBe('true');
    await it.page.fill('#filter', 'piqa');
    await eventually(
      () => it.page.textContent('#nothing-shown'),
      'No difference is significant after Holm’s correction over the tasks.',
    );
  });

  it('closes and opens MMLU by the mouse and by keys, and all 57 subjects only when asked', async () => {
    const it = await open();
    await it.page.click('tr[data-row="mmlu"] .twist');
    await eventually(async () => (await titles(it)).includes('philosophy'), false);
    await it.page.focus('tr[data-row="hellaswag"]');
    await it.page.keyboard.press('End');
    await it.page.keyboard.press('ArrowUp');
    await it.page.keyboard.press('ArrowUp');
    await it.page.keyboard.press('ArrowRight');
    await eventually(async () => (await titles(it)).includes('philosophy'), true);
    expect(await it.page.getAttribute('tr[data-row="mmlu"]', 'aria-expanded')).toBe('true');
    expect(await it.page.locator('#scores tr[data-row][tabindex="0"]').count()).toBe(1);
    await it.notify('evaluate/state', shownAs(wholeMmlu()));
    await it.page.keyboard.press('ArrowLeft');
    await eventually(async () => (await titles(it)).length, 10);
    await it.page.keyboard.press('ArrowRight');
    await eventually(async () => (await titles(it)).length, 14);
    await it.page.fill('#filter', 'subject 5');
    await eventually(async () => (await titles(it)).length, 8);
  });

  it('tells more of a row: every metric, what changed and how sure that is', async () => {
    const { page } = await open();
    await page.click('tr[data-row="lambada_openai"]');
    const text = (await page.locator('tr.details').innerText()).replace(/\s+/g, ' ');
    expect(text).toContain('perplexity 34.20; accuracy 32.5, standard error 7.5');
    expect(text).toContain('14 questions changed: 12 from right to wrong, 2 from wrong to right');
    expect(text).toContain('p = 0.004 (McNemar), significant among all tasks');
    await page.keyboard.press('Escape');
    await page.focus('tr[data-row="lambada_openai"]');
    await page.keyboard.press('Enter');
    await eventually(() => page.locator('tr.details').count(), 0);
  });

  it('leaves out differences of what was scored otherwise, and says so above', async () => {
    const state = shownAs(evaluated({ report: evaluationReport({ variants: [1] }) }), [evaluatedOtherwise()]);
    const it = await open(state, { 'evaluate/again': () => null, 'evaluate/remove': () => null });
    const note = (await it.page.textContent('#mismatch'))!.replace(/\s+/g, ' ');
    expect(note).toContain(
      'HellaSwag, ARC easy and 6 more tasks were scored on different questions: original on 40, Healed on 80.',
    );
    expect(await textOf(it, 'hellaswag')).toMatch(/42\.5 n differs/);
    expect(await textOf(it, 'mmlu_philosophy')).toMatch(/– not run/);
    expect(await textOf(it, 'mean')).toMatch(/n differs/);
    expect(await it.page.locator('tr[data-row="hellaswag"] .dots path.healed').count()).toBe(0);
    await it.page.click('#mismatch .link');
    await expect.poll(() => asks(it, 'evaluate/again')).toMatchObject([{ settings: { items: 40, fewShot: null } }]);
    await it.page.click('#scores .close');
    await expect.poll(() => asks(it, 'evaluate/remove')).toEqual([{ runId: evaluatedOtherwise().run.runId }]);
  });

  it('fills its rows while it runs, and can be cancelled', async () => {
    const it = await open(shownAs(evaluatedInPart()), { 'run/cancel': () => null });
    expect(await textOf(it, 'piqa')).toMatch(/67\.5 62\.5 −5\.0/);
    expect(await textOf(it, 'winogrande')).toMatch(/22 of 40 … …/);
    expect(await textOf(it, 'mean')).toMatch(/^Mean of 8 tasks … … …/);
    expect((await it.page.textContent('#run-state'))!.trim()).toBe('Running');
    expect((await it.page.textContent('#progress'))!).toContain('WinoGrande');
    await it.page.click('#cancel');
    await expect.poll(() => asks(it, 'run/cancel')).toHaveLength(1);
    await it.notify('evaluate/state', evaluationState());
    await it.page.waitForSelector('#evaluate');
    expect(await textOf(it, 'winogrande')).toMatch(/47\.5 60\.0 \+12\.5/);
  });

  it.each([
    { state: 'queued' as const, says: 'Waiting for another run to end.' },
    { state: 'interrupted' as const, says: 'The compute server ended in the middle of the evaluation.' },
    { state: 'cancelled' as const, says: 'The evaluation was cancelled.' },
    { state: 'failed' as const, code: 'badData', message: 'No such file.', says: 'No such file.' },
  ])('of a run that is $state says so', async ({ says, ...state }) => {
    const run = evaluated({ run: evaluationRun(state), report: null });
    const it = await open(shownAs(run), { 'evaluate/repeat': () => ({ runId: 'r' }) });
    expect(await it.page.textContent('#evaluation')).toContain(says);
    if (state.state === 'queued') return;
    await it.page.click('#problem .link >> nth=0');
    await expect.poll(() => asks(it, 'evaluate/repeat')).toHaveLength(1);
  });

  it('copies what is shown as Markdown', async () => {
    const it = await open();
    await it.page.fill('#filter', 'boolq');
    await eventually(() => titles(it), ['BoolQ']);
    await it.page.click('#copy');
    await eventually(async () => (await it.page.textContent('#copy'))!.trim(), 'Copied');
    expect(asks(it, 'text/copy')).toEqual([
      {
        text: [
          '| Task | n | Original % | Without 12–16 % | Difference | Healed % | Difference |',
          '|---|--:|--:|--:|--:|--:|--:|',
          '| BoolQ | 40 | 25.0 | 50.0 | +25.0 ± 16.8 ▲ | 45.0 | +20.0 ± 16.1 ▲ |',
          '',
        ].join('\n'),
      },
    ]);
  });

  it.each([
    { kind: 'csv', is: /\nhellaswag,HellaSwag,task,acc_norm,1,0,40,1000,0,0\.25,SmolLM2-135M-pruned,.*,0\.375,/ },
    { kind: 'json', is: /"evaluations": \[[\s\S]*"kind": "evaluate"[\s\S]*"mcnemarP"/ },
  ] as const)('hands all of it over as $kind', async ({ kind, is }) => {
    const it = await open(evaluationState(), { 'evaluate/export': () => ({ file: '/x/scores' }) });
    await it.page.click(`#save-${kind}`);
    await expect.poll(() => asks(it, 'evaluate/export')).toHaveLength(1);
    const [{ content }] = asks(it, 'evaluate/export') as [{ content: string }];
    expect(content).toMatch(is);
    await it.page.waitForSelector('[role="status"]:has-text("/x/scores")');
  });

  it('is a form before a run, and starts it', async () => {
    const it = await open(evaluationState(evaluationForm()), {
      'evaluate/start': () => ({ runId: 'r' }),
      'evaluate/addVariant': () => null,
      'evaluate/remove': () => null,
      'evaluate/data': () => null,
    });
    expect(await it.page.locator('#pull-data').count()).toBe(0);
    const text = (await it.page.textContent('#form'))!.replace(/\s+/g, ' ');
    for (const fact of ['SmolLM2-135M-pruned, without 12–16', '/benchmarks', 'About 5 min 12 s', '1.9 GB of 8.0 GB'])
      expect(text).toContain(fact);
    await it.page.fill('#items', '40');
    await it.page.press('#items', 'Tab');
    await it.page.click('#task-boolq');
    await expect.poll(() => asks(it, 'evaluate/settings').at(-1)).toMatchObject({ settings: { items: 40 } });
    await it.page.click('#all-items');
    await it.page.click('#mmlu');
    await it.page.click('#mmlu vscode-option >> nth=1');
    await it.page.click('#few-shot');
    await it.page.click('#few-shot vscode-option[value="5"]');
    await expect
      .poll(() => asks(it, 'evaluate/settings').at(-1))
      .toMatchObject({ settings: { fewShot: 5, items: null } });
    await it.page.click('#weights');
    await it.page.click('#weights vscode-option[value="auto"]');
    await expect.poll(() => asks(it, 'evaluate/settings').at(-1)).toMatchObject({ settings: { weights: 'auto' } });
    await it.page.click('#add-variant');
    await it.page.click('#models .tool >> nth=0');
    await it.page.click('#choose-data');
    await expect.poll(() => asks(it, 'evaluate/data')).toEqual([{ from: 'folder' }]);
    await it.page.click('#use-cache');
    await expect.poll(() => asks(it, 'evaluate/data').at(-1)).toEqual({ from: 'cache' });
    expect(asks(it, 'evaluate/remove')).toEqual([{ folder: '/models/smollm2-135m-pruned' }]);
    await eventually(() => it.page.locator('#start[disabled]').count(), 0);
    await it.page.click('#start');
    await expect.poll(() => asks(it, 'evaluate/start')).toHaveLength(1);
    const [{ settings }] = asks(it, 'evaluate/start') as [{ settings: { tasks: string[] } }];
    expect(settings.tasks).not.toContain('boolq');
    expect(settings.tasks.filter((task) => task.startsWith('mmlu_'))).toHaveLength(6);
  });

  it.each([
    {
      what: 'data',
      form: evaluationForm({ dataFolder: null, missingData: ['hellaswag', 'mmlu'] }),
      says: 'Pull the data, or choose a folder that has them.',
    },
    {
      what: 'a task',
      form: evaluationForm({ settings: { tasks: [], items: 40, fewShot: null, generate: false, weights: null } }),
      says: 'Choose a task first.',
    },
  ])('does not start without $what', async ({ form, says }) => {
    const { page } = await open(evaluationState(form));
    expect(await page.textContent('#plan')).toBe(says);
    expect(await page.locator('#start[disabled]').count()).toBe(1);
  });

  it('names the tasks whose data are not in the cache, and pulls them', async () => {
    const form = evaluationForm({ dataFolder: null, missingData: ['hellaswag', 'mmlu'] });
    const it = await open(evaluationState(form), { 'evaluate/pull': () => null });
    expect(await it.page.textContent('#data-folder')).toBe('Hugging Face’s cache');
    expect(await it.page.textContent('#missing-data')).toBe('hellaswag, mmlu');
    expect(await it.page.locator('#use-cache').count()).toBe(0);
    await it.page.click('#pull-data');
    await expect.poll(() => asks(it, 'evaluate/pull')).toHaveLength(1);
  });

  it('says what a narrow page leaves out of the table in a chart of its own', async () => {
    const { page } = await open(evaluationState(), {}, 500);
    expect(await page.locator('#scores .plot').first().isVisible()).toBe(false);
    const label = (await page.getAttribute('#strip', 'aria-label'))!;
    expect(label).toMatch(
      /^Difference to base in points\. HellaSwag: Without 12–16 −7\.5 ± 12\.9, Healed −2\.5 ± 10\.9;/,
    );
  });

  it('remembers what it shows, for a reload', async () => {
    const { page } = await open(shownAs(evaluated(), [evaluatedOtherwise()]));
    const memory = await page.evaluate(() =>
      (globalThis as never as { sessionStorage: { getItem(name: string): string } }).sessionStorage.getItem('state'),
    );
    expect(JSON.parse(memory)).toEqual({
      page: 'evaluate',
      folders: ['/models/smollm2-135m', '/models/smollm2-135m-pruned', '/models/smollm2-135m-healed'],
      runId: evaluated().run.runId,
      beside: [evaluatedOtherwise().run.runId],
    });
  });
});
