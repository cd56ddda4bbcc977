// The choose-blocks panel in a real browser, by mouse and by keyboard, with the test as its host.
import { describe, expect, it } from 'vitest';
import type { ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import { finiteLoss } from '../finiteLoss';
import { available } from '../fixtures';
import { type Answers, chromiumFile, type OpenOptions, type OpenPage } from './harness/browser';
import { measureAll, plan } from './harness/cases';
import { answerTo, modelOf, referenceFile, reportOf, runOf, stateOf } from './harness/fixture';
import { asks, eventually, checkedPages } from './harness/checkedPages';

const ready = available(referenceFile('smollm2-135m')) && available(chromiumFile);

describe.skipIf(!ready)('the choose-blocks panel', () => {
  const openChecked = checkedPages();

  const model = modelOf('smollm2-135m');
  const report = reportOf('smollm2-135m');

  async function open(
    changes: Partial<ChooseBlocksState> = {},
    answers: Answers = {},
    options: Partial<OpenOptions> = {},
  ) {
    const state = stateOf(report, model, changes);
    const opened = await openChecked({
      page: 'chooseBlocks',
      answers: {
        'page/open': () => ({ page: 'chooseBlocks', state }),
        'choose/keep': () => null,
        'choose/ask': ({ drop }) => answerTo(report, drop),
        ...answers,
      },
      ...options,
    });
    await opened.page.waitForSelector('#blocks');
    return { ...opened, state, text: (selector: string) => opened.page.textContent(selector), ...on(opened) };
  }

  const on = ({ page, asked }: OpenPage) => ({
    row: (block: number, sublayer?: string) =>
      page.locator(
        `#blocks tr[data-block="${block}"]${sublayer ? `[data-sublayer="${sublayer}"]` : ':not([data-sublayer])'}`,
      ),
    dropped: () =>
      page
        .locator('#blocks tr.dropped:not(.part)')
        .evaluateAll((rows) =>
          rows.map((row) => Number((row as never as { dataset: { block: string } }).dataset.block)),
        ),
    fact: async (name: string) =>
      (await page.locator('#facts > div', { has: page.locator(`dt:text-matches("^${name}")`) }).textContent())
        ?.replace(/\s+/g, ' ')
        .trim(),
    questions: () => asks({ asked }, 'choose/ask').map((params) => (params as { drop: DropSet }).drop),
    kept: () =>
      asks({ asked }, 'choose/keep').map((params) => (params as { choice: { drop: DropSet } }).choice.drop.blocks),
  });

  it('names the block that costs more than it looks, and protects it at a click', async () => {
    const { page, row, text } = await open();
    expect((await text('#surprises'))?.replace(/\s+/g, ' ')).toContain(
      'Block 11 costs more than it looks: 13th of 30 by block influence, but 27th measured (+1.661 nats).',
    );
    await page.click('#surprises >> text=Protect');
    await page.waitForSelector('#surprises', { state: 'detached' });
    expect(await row(11).getAttribute('aria-label')).toContain('Block 11, protected');
  });

  it('drops and keeps blocks at a click, a range with Shift', async () => {
    const { page, row, dropped, fact } = await open();
    await row(12).locator('td.name-column').click();
    await row(16)
      .locator('td.name-column')
      .click({ modifiers: ['Shift'] });
    await eventually(dropped, [12, 13, 14, 15, 16]);
    await row(14).locator('td.name-column').click();
    await eventually(dropped, [12, 13, 15, 16]);
    expect(await fact('Drop')).toBe('Drop12–13, 15–16 4 of 30 blocks'.replace(' 4', '4'));
    expect(await row(13).getAttribute('aria-selected')).toBe('true');
    await row(0).locator('td.name-column').click();
    await page.waitForTimeout(50);
    expect(await dropped()).toEqual([12, 13, 15, 16]);
  });

  it('chooses for a size, and prunes the channels that go with it', async () => {
    const started: object[] = [];
    const prune = (params: object) => {
      started.push(params);
      return { runId: 'r' };
    };
    const { page, row, dropped, fact, text } = await open({}, { 'choose/prune': prune });
    const ask = async (size: string) => {
      await page.fill('#size-text', size);
      await page.press('#size-text', 'Enter');
    };
    await ask('120M');
    await eventually(async () => (await dropped()).length, 4);
    expect(await text('#size-outcome')).toContain('For 120.0 M parameters: without 4 blocks and ');
    expect(await fact('Parameters')).toMatch(/^Parameters11[89]\.\d M/);
    expect(await fact('Drop')).toMatch(/MLP width 15\d\d of 1536$/);
    await page.click('#prune');
    const { drop, mlpWidth } = started[0] as { drop: DropSet; mlpWidth: number };
    expect([drop.blocks.length, mlpWidth >= 1500 && mlpWidth < 1536]).toEqual([4, true]);
    // Another choice is no longer of that size.
    await row(drop.blocks[0]!).locator('td.name-column').click();
    await eventually(async () => (await fact('Drop'))?.includes('MLP width'), false);
    await ask('4GB');
    await eventually(() => text('#size-outcome').then((it) => it?.includes('nothing has to go; ask for less.')), true);
    await ask('many');
    await eventually(() => text('#size-outcome').then((it) => it?.includes('such as 2.5B or 135M')), true);
    expect((await dropped()).length).toBe(3);
  });

  it('is a grid with one tab stop that is worked by keys', async () => {
    const { page, row, dropped } = await open();
    expect(await page.locator('#blocks tr[tabindex="0"]').count()).toBe(1);
    await page.focus('#blocks tr[tabindex="0"]');
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () =>
      page.evaluate(
        () =>
          (globalThis as never as { document: { activeElement: { dataset: { block?: string; sublayer?: string } } } })
            .document.activeElement.dataset,
      );
    await press('End', 'ArrowUp', 'ArrowUp');
    await eventually(focused, { block: '27' });
    await press('Home', 'ArrowDown', ' ');
    await eventually(dropped, [1]);
    await press('Shift+ArrowDown', 'Shift+ArrowDown');
    await eventually(dropped, [1, 2, 3]);
    await press('Control+z');
    await eventually(dropped, [1, 2]);
    await press('Control+Shift+Z');
    await eventually(dropped, [1, 2, 3]);
    await press('Control+z', 'Control+z', 'Control+z', 'Control+z');
    await eventually(dropped, []);
    await press('p');
    await eventually(async () => (await row(3).getAttribute('aria-label'))?.startsWith('Block 3, protected'), true);
    await press(' ');
    await eventually(dropped, []);
    await press('ArrowUp', 'ArrowRight', 'ArrowDown', ' ');
    await eventually(focused, { block: '2', sublayer: 'attention' });
    await eventually(() => row(2, 'attention').getAttribute('aria-selected'), 'true');
    await press('ArrowDown', ' ');
    await eventually(dropped, [2]);
    await press('ArrowLeft');
    await eventually(focused, { block: '2' });
    expect(await row(2, 'mlp').count()).toBe(0);
    await press('Enter');
    expect(await dropped()).toEqual([2]);
  });

  it('estimates at once, then shows what arrives, then the measurement with its interval', async () => {
    let answer: ((estimate: Estimate) => void) | undefined;
    let question = 0;
    const { row, fact, notify } = await open(
      {},
      {
        'choose/ask': (params) => {
          question = params.question;
          return new Promise((resolve) => {
            answer = resolve;
          });
        },
      },
    );
    await row(12).locator('td.name-column').click();
    await row(13).locator('td.name-column').click();
    await eventually(() => fact('Loss').then((it) => it?.replace(/\+0.*/, '')), 'Loss, estimated; measuring≈ 3.710 ');
    await expect.poll(() => answer).toBeDefined();
    const final = finiteLoss(answerTo(report, { blocks: [12, 13], attention: [], mlp: [] }));
    await notify('choose/estimate', { question, estimate: { ...final, costNats: 0.3, nSequences: 2, final: false } });
    await eventually(
      () => fact('Loss').then((it) => it?.startsWith('Loss, estimated; measuring 2 of 8≈ 3.713 +0.300 ± ')),
      true,
    );
    await notify('choose/estimate', {
      question: question - 1,
      estimate: { ...final, costNats: 9, nSequences: 3, final: false },
    });
    answer!({ ...final, costNats: 0.31, lossNats: 3.723, costStandardError: 0.01 });
    await eventually(() => fact('Loss'), 'Loss, measured3.723 +0.310 ± 0.020 nats');
    await eventually(() => fact('Perplexity'), 'Perplexity41.4from 30.4');
  });

  it('asks only for the newest choice, once it rests', async () => {
    const { page, row, questions, dropped } = await open();
    // The page's own clock stands still meanwhile: how fast the keys come is not the machine's to say.
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
    await page.focus('#blocks tr[tabindex="0"]');
    await row(3).focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press('Shift+ArrowDown');
    await page.clock.runFor(80);
    await eventually(dropped, [3, 4, 5, 6, 7, 8, 9]);
    expect(questions()).toEqual([]);
    await page.clock.runFor(80);
    await expect.poll(questions).toEqual([{ blocks: [3, 4, 5, 6, 7, 8, 9], attention: [], mlp: [] }]);
  });

  it('does not ask for what the report holds', async () => {
    const { row, fact, page, questions } = await open();
    await row(14).locator('td.name-column').click();
    await row(17).locator('td.name-column').click();
    await eventually(() => fact('Loss').then((it) => it?.startsWith('Loss, measured3.639 +0.226 ± ')), true);
    await page.waitForTimeout(300);
    expect(questions()).toEqual([]);
  });

  it('shows why a question was refused, and goes on', async () => {
    let refuse = true;
    const { row, fact, text } = await open(
      {},
      {
        'choose/ask': ({ drop }) => {
          if (refuse) throw new Error('The engine ended: out of memory. Measure again with fewer sequences.');
          return answerTo(report, drop);
        },
      },
    );
    await row(3).locator('td.name-column').click();
    await row(5).locator('td.name-column').click();
    await eventually(async () => (await text('.refusal'))?.includes('The engine ended: out of memory.'), true);
    refuse = false;
    await row(7).locator('td.name-column').click();
    await eventually(() => fact('Loss').then((it) => it?.startsWith('Loss, measured')), true);
  });

  it('takes what a method picks, and switches the bars to it', async () => {
    const { page, dropped, text } = await open();
    await page.locator('#methods tbody tr', { hasText: 'Angular distance' }).locator('button.take').nth(4).click();
    await eventually(dropped, [12, 13, 14, 15, 16]);
    await page.click('#methods >> text=Relative magnitude');
    await eventually(async () => (await text('#blocks tr[data-block="11"] td.value'))?.trim(), '0.606');
    expect(await text('#surprises')).toContain(
      'Block 28 costs more than it looks: 20th of 30 by relative magnitude, but 26th measured',
    );
    await page.focus('#method');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await eventually(async () => (await text('#blocks tr[data-block="11"] td.value'))?.trim(), '0.038');
  });

  it('measures all suggestions on demand', async () => {
    const { page, questions, text } = await open();
    const guesses = page.locator('#methods button.guess');
    const before = await guesses.count();
    expect(before).toBeGreaterThan(5);
    await page.click('text=Measure all');
    await eventually(() => guesses.count(), 0);
    expect(new Set(questions().map((drop) => drop.blocks.join())).size).toBe(questions().length);
    expect(await text('#methods')).not.toContain('≈');
  });

  it('goes around protected blocks', async () => {
    const { page, row, text } = await open();
    const first = page.locator('#methods tbody tr', { hasText: 'Block influence' }).locator('button.take').first();
    expect(await first.getAttribute('aria-label')).toBe('Block influence, 1 block: 14, measured +0.113 nats');
    await row(14).hover();
    await row(14).locator('td.lock button').click();
    await eventually(() => first.getAttribute('aria-label'), 'Block influence, 1 block: 13, measured +0.171 nats');
    expect((await text('#methods tbody tr:last-child'))?.replace(/\s+/g, '')).toBe('Greedysearch–––––');
  });

  it('takes a span of the map by key and by click', async () => {
    const { page, dropped, text } = await open({
      choice: {
        drop: { blocks: [12, 13, 14, 15, 16], attention: [], mlp: [] },
        protected: [],
        method: 'blockInfluence',
      },
    });
    await page.focus('#heat svg');
    await page.keyboard.press('ArrowLeft');
    await eventually(async () => (await text('#span'))?.includes('11–15: 0.1417'), true);
    expect(await text('#span')).toContain('Hatched: spans with block 11.');
    await page.keyboard.press('Enter');
    await eventually(dropped, [11, 12, 13, 14, 15]);
    await page.locator('#heat svg').click({ position: { x: 24 + 20 * 11 + 5, y: 1 * 11 + 5 } });
    await eventually(dropped, [20, 21]);
    expect(await page.locator('.tip').textContent()).toContain('20–21 (2 blocks)');
  });

  it('takes a point of the curve', async () => {
    const { page, dropped } = await open();
    const at = async () => {
      const box = (await page.locator('#curve svg path[fill="#1f1f1f"]').first().boundingBox())!;
      return [box.x + box.width / 2, box.y + box.height / 2] as const;
    };
    // What is drawn moves until fonts are there.
    await eventually(async () => {
      const [x, y] = await at();
      await page.mouse.move(x - 40, y);
      await page.mouse.move(x, y);
      return (
        await page
          .locator('.tip')
          .textContent({ timeout: 200 })
          .catch(() => '')
      )?.includes('n = 2');
    }, true);
    await page.mouse.click(...(await at()));
    await eventually(dropped, [13, 14]);
  });

  it('prunes, shows how far, and offers to try', async () => {
    const prunes: unknown[] = [];
    const { page, row, notify, text, asked } = await open(
      {},
      {
        'choose/prune': (params) => {
          prunes.push(params);
          return { runId: 'r' };
        },
        'run/cancel': () => null,
        'model/try': () => null,
        'choose/saveWay': () => ({ file: '/w/way.yaml' }),
      },
    );
    expect(await page.locator('#prune').getAttribute('disabled')).not.toBeNull();
    await row(12).locator('td.name-column').click();
    await page.click('#repair');
    await eventually(() => text('#prune').then((it) => it?.trim()), 'Prune 1 Block…');
    await page.click('#prune');
    await eventually(
      async () => prunes,
      [
        {
          drop: { blocks: [12], attention: [], mlp: [] },
          repair: { kind: 'linear', ridge: 'auto', heldOutSequences: null },
        },
      ],
    );
    await notify('choose/pruning', {
      run: runOf({ state: 'running', step: 'write', fraction: 0.42 }, 'prune'),
      out: '/models/out',
    });
    await page.waitForSelector('#pruning');
    expect(await text('#pruning')).toContain('42\u202f% of writing');
    await page.click('#cancel-prune');
    await notify('choose/pruning', { run: runOf({ state: 'done' }, 'prune'), out: '/models/out' });
    await page.click('#try');
    await expect.poll(() => asked.map(({ method }) => method)).toContain('model/try');
    expect(asked.find(({ method }) => method === 'model/try')?.params).toEqual({ folder: '/models/out' });
    expect(asked.find(({ method }) => method === 'run/cancel')).toBeDefined();
    expect(await text('#pruned')).toContain('Written to /models/out.');
    await page.click('#save-way');
    await eventually(
      async () => (await text('#message'))?.includes('the whole way to this model, in /w/way.yaml'),
      true,
    );
    expect(asks({ asked }, 'choose/saveWay')).toEqual([{ folder: '/models/out' }]);
  });

  it('says beside the buttons what went wrong and what was saved', async () => {
    const { page, row, text } = await open(
      {},
      {
        'choose/prune': () => {
          throw new Error('/models/out cannot be written: the disk is full.');
        },
        'choose/saveRecipe': () => ({ file: '/recipes/prune.yaml' }),
      },
    );
    await row(12).locator('td.name-column').click();
    await page.click('#prune');
    await eventually(async () => (await text('#message'))?.includes('the disk is full'), true);
    await page.click('#save-recipe');
    await eventually(async () => (await text('#message'))?.includes('/recipes/prune.yaml'), true);
  });

  it('measures the speed on demand', async () => {
    const { page, row, fact } = await open(
      {},
      { 'choose/speed': () => ({ baseMs: 1300, prunedMs: 1000, nTokens: 1024 }) },
    );
    await row(12).locator('td.name-column').click();
    await eventually(() => fact('Speed-up'), 'Speed-up× 1.03estimated measure');
    await page.click('#facts >> text=measure');
    await eventually(() => fact('Speed-up'), 'Speed-up× 1.30measured');
  });

  it('measures nothing else while it measures the speed', async () => {
    let answer = (_: { baseMs: number; prunedMs: number; nTokens: number }): void => {};
    const { page, row, fact, asked } = await open(
      { analysis: { ...report, suggestions: null } },
      { 'choose/speed': () => new Promise((resolve) => (answer = resolve)) },
    );
    const nAsked = () => asks({ asked }, 'choose/ask').length;
    await row(12).locator('td.name-column').click();
    // Before that, other facts have the word too.
    await eventually(() => fact('Speed-up'), 'Speed-up× 1.03estimated measure');
    await page.click('#facts >> text=measure');
    await eventually(async () => (await fact('Speed-up'))?.includes('measuring'), true);
    const before = nAsked();
    await page.click('text=Measure all');
    await page.waitForTimeout(300);
    expect(nAsked()).toBe(before);
    answer({ baseMs: 1300, prunedMs: 1000, nTokens: 1024 });
    await eventually(() => fact('Speed-up'), 'Speed-up× 1.30measured');
    await eventually(async () => nAsked() > before, true);
  });

  it('comes back after a reload with what was chosen', async () => {
    let choice = stateOf(report, model).choice;
    const { page, row, dropped, kept } = await open(
      {},
      {
        'page/open': () => ({ page: 'chooseBlocks', state: stateOf(report, model, { choice }) }),
        'choose/keep': (params) => {
          choice = params.choice;
          return null;
        },
      },
    );
    await row(3).locator('td.name-column').click();
    await row(5).locator('td.name-column').click();
    await eventually(async () => kept().at(-1), [3, 5]);
    const memory = await page.evaluate(() =>
      (globalThis as never as { sessionStorage: { getItem(name: string): string } }).sessionStorage.getItem('state'),
    );
    expect(JSON.parse(memory)).toMatchObject({
      page: 'chooseBlocks',
      folder: model.folder,
      choice: { drop: { blocks: [3, 5] } },
    });
    await page.reload();
    await page.waitForSelector('#blocks');
    await eventually(dropped, [3, 5]);
  });

  it('offers to measure, and grows as the parts arrive', async () => {
    const held = { ...plan, weights: 'int8', whyWeights: 'the widest that fits in 1.50 GB' } as const;
    const offer = { measure: measureAll, weights: null, plan: held, textName: 'wiki.test.raw' };
    const { page, text, asked, notify } = await open(
      { analysis: null, run: null, offer },
      { 'choose/analyze': () => ({ runId: 'r' }), 'choose/weights': () => null },
    );
    expect((await text('#empty'))?.replace(/\s+/g, ' ')).toContain(
      'About 2 min 20 s, 1.5 GB of memory, matrices as int8, chosen by auto: the widest that fits in 1.50 GB. Nothing is written to the model folder.',
    );
    await page.click('#weights');
    await page.click('#weights vscode-option[value="f16"]');
    await expect
      .poll(() => asked.find(({ method }) => method === 'choose/weights')?.params)
      .toEqual({ weights: 'f16' });
    await page.click('#analyze');
    await expect
      .poll(() => asked.find(({ method }) => method === 'choose/analyze')?.params)
      .toEqual({ measure: measureAll });
    const running = runOf({ state: 'running', step: 'removals', fraction: 0.2 });
    const { methods, lossNats, removals } = report;
    await notify('choose/state', stateOf({ methods, lossNats }, model, { run: running, offer }));
    await page.waitForSelector('#blocks .predicted');
    expect(await page.locator('#blocks rect.measured').count()).toBe(0);
    expect((await text('#running'))?.replace(/\s+/g, ' ')).toContain('Loss without each block18 of 30');
    await notify(
      'choose/state',
      stateOf({ methods, lossNats, removals: { ...removals!, attention: null, mlp: null } }, model, {
        run: running,
        offer,
      }),
    );
    await eventually(() => page.locator('#blocks rect.measured').count(), 30);
    await notify('choose/state', stateOf(report, model, { run: runOf({ state: 'done' }) }));
    await page.waitForSelector('#running', { state: 'detached' });
    await page.waitForSelector('#surprises');
  });

  it.each([
    { connection: { state: 'reconnecting', attempt: 3 } as const, says: 'trying again (3)' },
    {
      connection: { state: 'failed', message: 'Node 18 is too old; choose another in the settings.' } as const,
      says: 'Node 18 is too old',
    },
    { connection: { state: 'stopped' } as const, says: 'is stopped' },
  ])('says that the connection is $connection.state, and lets nothing be written', async ({ connection, says }) => {
    const { text, page, row, questions } = await open({ connection });
    expect(await text('#connection')).toContain(says);
    await row(3).locator('td.name-column').click();
    await row(4).locator('td.name-column').click();
    await page.waitForTimeout(250);
    expect(await page.locator('#prune').getAttribute('disabled')).not.toBeNull();
    expect(questions()).toEqual([]);
  });

  it('renders at most thirty times a second however much arrives', async () => {
    const { page } = await open();
    const state = stateOf(report, model);
    const changesPerSecond = await page.evaluate(
      async (message) => {
        const it = globalThis as never as Browser;
        let changes = 0;
        const watch = new it.MutationObserver(() => changes++);
        watch.observe(it.document.querySelector('#facts'), { subtree: true, characterData: true, childList: true });
        const began = it.performance.now();
        for (let i = 0; i < 400; i++) {
          message.params.analysis!.perplexity = 30 + i;
          it.postMessage(message, '*');
          await new Promise((done) => setTimeout(done, 4));
        }
        return (1000 * changes) / (it.performance.now() - began);
      },
      { jsonrpc: '2.0', method: 'choose/state', params: state },
    );
    expect(changesPerSecond).toBeGreaterThan(3);
    expect(changesPerSecond).toBeLessThanOrEqual(31);
  });

  it('paints once and moves nothing for those who want no motion', async () => {
    const { page, told } = await open(
      { run: runOf({ state: 'running', step: 'removals', fraction: 0.2 }), analysis: null },
      {},
      { reducedMotion: true },
    );
    await expect.poll(() => told['page/painted'].length).toBe(1);
    const animation = await page
      .locator('.spin')
      .first()
      .evaluate(
        (it) =>
          (globalThis as never as { getComputedStyle(of: unknown): { animationName: string } }).getComputedStyle(it)
            .animationName,
      );
    expect(animation).toBe('none');
  });
});

/** What the rate is measured with, in the page. */
interface Browser {
  document: { querySelector(at: string): unknown };
  performance: { now(): number };
  postMessage(message: unknown, origin: string): void;
  MutationObserver: new (changed: () => void) => { observe(at: unknown, how: Record<string, boolean>): void };
}
