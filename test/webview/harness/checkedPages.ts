// Pages for the tests of one file. Whatever a test did, its page broke no rule and no promise.
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type Harness, type OpenOptions, type OpenPage, type PageRequests, startHarness } from './browser';

/** To be called in a describe. The pages that are opened by what it gives are checked and closed after each test. */
export function checkedPages(): (options: OpenOptions) => Promise<OpenPage> {
  let harness: Harness;
  const opened: OpenPage[] = [];
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());
  afterEach(async () => {
    for (const { told, complaints, close } of opened.splice(0)) {
      await close();
      expect(told).toMatchObject({ 'page/violation': [], 'page/error': [] });
      expect(complaints).toEqual([]);
    }
  });
  return async (options) => {
    const page = await harness.open(options);
    opened.push(page);
    return page;
  };
}

export const eventually = async (look: () => Promise<unknown>, is: unknown): Promise<void> =>
  expect.poll(look).toEqual(is);

/** What the page has asked by this method so far, each with its params. */
export const asks = ({ asked }: Pick<OpenPage, 'asked'>, method: keyof PageRequests): unknown[] =>
  asked.filter((it) => it.method === method).map(({ params }) => params);
