// The try panel and the page of a run in a real browser, with the test as their host.
import { describe, expect, it } from 'vitest';
import type { RunPageState } from '../../server/protocol/pages/run';
import type { ModelSummary } from '../../server/protocol/reports';
import type { GenerateReport } from '../../server/recipes/generate/recipe';
import { available } from '../fixtures';
import { type Answers, chromiumFile } from './harness/browser';
import { plan } from './harness/cases';
import { modelOf, runOf } from './harness/fixture';
import { eventually, checkedPages } from './harness/checkedPages';

describe.skipIf(!available(chromiumFile))('the other pages', () => {
  const openChecked = checkedPages();

  const base = modelOf('smollm2-135m');
  const variant: ModelSummary = { ...base, name: 'without-12-16', folder: '/models/without', nBlocks: 25 };
  const generated = (text: string, tokensPerSecond: number) =>
    ({
      kind: 'generate',
      text,
      tokensPerSecond,
      nNewTokens: 20,
      nPromptTokens: 3,
      stoppedBy: 'maxTokens',
      weights: 'int4',
    }) as GenerateReport;

  async function openTry(answers: Answers) {
    const state = {
      models: [base, variant],
      prompt: 'Once',
      maxTokens: 20,
      weights: null,
      connection: { state: 'connected' as const },
    };
    const opened = await openChecked({
      page: 'try',
      answers: { 'page/open': () => ({ page: 'try', state }), ...answers },
    });
    await opened.page.waitForSelector('#generate');
    return opened;
  }

  it('streams both texts side by side, then says how fast', async () => {
    let finish: ((reports: GenerateReport[]) => void) | undefined;
    const { page, notify, asked } = await openTry({
      'try/generate': () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const output = (i: number) => page.locator('.output').nth(i).textContent();
    await page.locator('#prompt textarea').fill('Upon a time');
    await page.click('#weights');
    await page.click('#weights vscode-option[value="int4"]');
    await page.click('#generate');
    await expect
      .poll(() => asked.at(-1))
      .toEqual({ method: 'try/generate', params: { prompt: 'Upon a time', maxTokens: 20, weights: 'int4' } });
    await notify('try/text', { model: 0, text: ' there' });
    await notify('try/text', { model: 0, text: ' was' });
    await eventually(() => output(0), 'Upon a time there was');
    expect(await page.locator('.speed').nth(1).textContent()).toContain('waits for the model before it');
    await notify('try/report', { model: 0, report: generated(' there was a cat', 41.26) });
    await notify('try/text', { model: 1, text: ' there is' });
    await eventually(() => output(1), 'Upon a time there is');
    await eventually(
      async () => (await page.locator('.speed').nth(0).textContent())?.replace(/\s+/g, ' ').trim(),
      '41.3 tokens/s, 20 tokens, stopped at the limit, matrices as int4',
    );
    finish!([generated(' there was a cat', 41.26), generated(' there is a dog', 48.9)]);
    await eventually(() => output(1), 'Upon a time there is a dog');
    await page.waitForSelector('#generate');
  });

  it('can be cancelled, and starts again by Ctrl+Enter', async () => {
    let runs = 0;
    let fail: ((error: Error) => void) | undefined;
    const { page, asked } = await openTry({
      'try/generate': () => {
        runs++;
        return new Promise((_, reject) => {
          fail = reject;
        });
      },
      'try/cancel': () => {
        fail!(new Error('Cancelled; nothing was written.'));
        return null;
      },
    });
    await page.click('#generate');
    await page.click('#cancel');
    await page.waitForSelector('#generate');
    expect(asked.map(({ method }) => method)).toContain('try/cancel');
    expect(await page.locator('[role="alert"]').count()).toBe(0);
    await page.focus('#prompt textarea');
    await page.keyboard.press('Control+Enter');
    await expect.poll(() => runs).toBe(2);
  });

  it('says what went wrong', async () => {
    const { page } = await openTry({
      'try/generate': () => {
        throw new Error('The model needs 9.1 GB and 8.0 GB are free.');
      },
    });
    await page.click('#generate');
    await page.waitForSelector('[role="alert"]:has-text("9.1 GB")');
  });

  const runState = (changes: Partial<RunPageState>): RunPageState => ({
    run: runOf({ state: 'running', step: 'removals', fraction: 0.5 }),
    recipeYaml: 'kind: analyze\nmodel: /models/smollm2-135m\n',
    plan,
    download: null,
    warnings: [],
    report: null,
    connection: { state: 'connected' },
    ...changes,
  });

  async function openRun(changes: Partial<RunPageState>, answers: Answers = {}) {
    const opened = await openChecked({
      page: 'run',
      answers: { 'page/open': () => ({ page: 'run', state: runState(changes) }), ...answers },
    });
    await opened.page.waitForSelector('#state');
    return opened;
  }

  it('shows a run, its plan and its recipe, and copies that', async () => {
    const { page, asked } = await openRun({}, { 'text/copy': () => null, 'run/cancel': () => null });
    const text = (await page.textContent('#run-page'))!.replace(/\s+/g, ' ');
    expect(text).toContain('50\u202f% of losses without single blocks'.replace('\u202f', ' '));
    expect(text).toContain('about 2 min 20 s');
    expect(text).toContain('1.5 GB of 8.0 GB');
    expect(await page.textContent('pre')).toBe('kind: analyze\nmodel: /models/smollm2-135m\n');
    await page.click('#copy');
    await eventually(() => page.textContent('#copy'), 'Copied');
    await page.click('#cancel');
    await expect.poll(() => asked.map(({ method }) => method)).toEqual(['page/open', 'text/copy', 'run/cancel']);
  });

  it('shows what the run warned of, such as what its log lost', async () => {
    const warnings = ["A line of this run's log is damaged and left out; lost: 6.", 'The text is short.'];
    const { page } = await openRun({ run: runOf({ state: 'done' }), warnings });
    expect(await page.locator('.note').allTextContents()).toEqual(warnings);
  });

  it.each([
    {
      run: runOf({ state: 'failed', code: 'cannotFit', message: 'The plan needs 9.1 GB.' }),
      says: 'Failed: The plan needs 9.1 GB.',
      offers: 'Run Again',
    },
    { run: runOf({ state: 'interrupted' }), says: 'the compute server ended in the middle', offers: 'Run Again' },
    { run: runOf({ state: 'cancelled' }), says: 'nothing was written', offers: 'Run Again' },
    { run: runOf({ state: 'queued' }), says: 'for another run to end', offers: 'Cancel' },
  ])('says that a run is $run.state and offers the way on', async ({ run, says, offers }) => {
    const { page } = await openRun({ run });
    expect(await page.textContent('#state')).toContain(says);
    expect(await page.locator('#state vscode-button').first().textContent()).toContain(offers);
  });

  it('follows the run to its end', async () => {
    const { page, notify, asked } = await openRun(
      { run: runOf({ state: 'running', step: 'write', fraction: 0.9 }, 'prune') },
      { 'model/try': () => null },
    );
    const report = {
      kind: 'prune' as const,
      model: base,
      out: '/models/without',
      rule: { kind: 'chosen' as const, blocks: [12], attention: [], mlp: [] },
      dropSet: [12],
      droppedSublayers: { attention: [], mlp: [] },
      repair: null,
      keptBlocks: [],
      removedBlocks: [12],
      nParamsBefore: 134_515_008,
      nParamsAfter: 130_974_912,
      sizeBytesBefore: 269e6,
      sizeBytesAfter: 262e6,
      weightFiles: [],
      rounding: null,
      transfers: null,
      peakMemoryBytes: 4e8,
      device: 'cpu',
      threads: 2,
      memory: 'resident' as const,
      timing: { elapsedMs: 900, loadMs: 0, compileMs: 0, tokenizeMs: 0, writeMs: 1200, tokens: 0 },
      versions: { espalier: '', onnxruntime: '', node: '' },
    };
    await notify('run/state', runState({ run: runOf({ state: 'done', endedAtEpochMs: Date.now() }, 'prune'), report }));
    await page.waitForSelector('section[aria-label="Report"]');
    expect((await page.textContent('#run-page'))?.replace(/\s+/g, ' ')).toContain('131.0 M from 134.5 M, −2.6 %');
    await page.click('#try');
    await expect.poll(() => asked.at(-1)).toEqual({ method: 'model/try', params: { folder: '/models/without' } });
  });
});
