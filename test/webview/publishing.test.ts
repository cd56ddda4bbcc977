// The publish page in a real browser, with the test as its host: what may be done when, and what is asked of the host.
import { describe, expect, it } from 'vitest';
import type { PublishState } from '../../server/protocol/pages/publish';
import { available } from '../fixtures';
import { type Answers, chromiumFile } from './harness/browser';
import { checkedPages } from './harness/checkedPages';
import { publishedFolder, publishReport, publishRun, publishState } from './harness/publishing';

describe.skipIf(!available(chromiumFile))('the publish page', () => {
  const openChecked = checkedPages();
  async function open(state: PublishState, answers: Answers = {}) {
    const opened = await openChecked({
      page: 'publish',
      answers: { 'page/open': () => ({ page: 'publish', state }), 'publish/settings': () => null, ...answers },
    });
    await opened.page.waitForSelector('#publish');
    return opened;
  }
  const failing = publishedFolder.checks.map((check, i) =>
    i === 3 ? { ...check, outcome: 'failed' as const } : check,
  );
  const { settings } = publishState();

  it.each([
    { what: 'nothing was looked at', state: publishState({ preview: null }), preview: true, publish: false },
    { what: 'all is well', state: publishState(), preview: true, publish: true },
    {
      what: 'a check failed',
      state: publishState({
        preview: { settings, report: { ...publishReport, published: [{ ...publishedFolder, checks: failing }] } },
      }),
      preview: true,
      publish: false,
    },
    {
      what: 'nobody is logged in',
      state: publishState({
        preview: { settings, report: { ...publishReport, published: [{ ...publishedFolder, creates: null }] } },
      }),
      preview: true,
      publish: false,
    },
    { what: 'it goes on', state: publishState({ run: publishRun() }), preview: false, publish: false },
    {
      what: 'something was changed',
      state: publishState({ settings: { ...settings, tag: 'v2' } }),
      preview: true,
      publish: false,
    },
    {
      what: 'no repository is named',
      state: publishState({ settings: { ...settings, repository: 'me' } }),
      preview: false,
      publish: false,
    },
    {
      what: 'the server is away',
      state: publishState({ connection: { state: 'stopped' } }),
      preview: false,
      publish: false,
    },
  ])('lets a person go on, where $what: preview $preview, publish $publish', async ({ state, preview, publish }) => {
    const { page } = await open(state);
    const may = async (id: string) => (await page.locator(id).getAttribute('disabled')) === null;
    expect({ preview: await may('#preview'), publish: await may('#publish') }).toEqual({ preview, publish });
  });

  it('publishes by the keyboard what was typed and looked at', async () => {
    const { page, asked, notify } = await open(publishState(), {
      'publish/preview': () => null,
      'publish/start': () => null,
    });
    await page.locator('#words textarea').fill('Mine.');
    await page.locator('#public').click();
    await page.locator('#publish[disabled]').waitFor(); // drawn anew: what was looked at is another
    const next = { ...settings, words: 'Mine.', isPublic: true };
    await page.locator('#preview').focus();
    await page.keyboard.press('Enter');
    await expect
      .poll(() => asked.find(({ method }) => method === 'publish/preview')?.params)
      .toEqual({ settings: next });
    await notify('publish/state', publishState({ settings: next, preview: { report: publishReport, settings: next } }));
    // The toolkit's button follows its element a moment later, and takes no focus until then.
    await page.locator('#publish button:not([disabled])').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => asked.find(({ method }) => method === 'publish/start')?.params).toEqual({ settings: next });
  });

  it('says how far it is, and cancels', async () => {
    const { page, asked } = await open(publishState({ run: publishRun() }), { 'run/cancel': () => null });
    expect(await page.locator('#state').innerText()).toMatch(/Publishing: Running[\s\S]*40.% of what is sent/);
    await page.click('#cancel');
    await expect.poll(() => asked.at(-1)?.method).toBe('run/cancel');
  });
});
