// How soon a panel shows something in a window that has come to rest, beside a bare webview in the same one: nobody's page
// can be sooner. In a window that still starts it takes as long as the rest of the window does.
import { describe, expect, it } from 'vitest';
import { meanAndError } from '../../server/execution/sequenceStatistics';
import { runInHost } from './hostSuite';
import { barePainted, pages, type Painted, paintOrder } from './inHost/paintOrder';
import { workbenchAvailable } from './vsix';

const limitMs = 1000;
const long = process.env.ESPALIER_LONG === '1';

interface Figure {
  name: Painted;
  /** From the making of the panel to its first paint. */
  openedMs: number;
  /** Of that, since the page's own document began. */
  documentMs: number | null;
}

/** A workbench of its own in which these are opened, one after the other. */
async function paint(order: readonly Painted[]): Promise<Figure[]> {
  const { lines, ourLog } = await runInHost('test/workbench/inHost/paint.ts', paintOrder.write(order));
  const bare = lines.map(barePainted.read).filter((ms) => ms !== null);
  const painted = [...ourLog.matchAll(/page (\w+) painted (\d+) ms after it was opened, its script took (\d+) ms/g)];
  const figures = order.map((name): Figure => {
    if (name === 'bare') return { name, openedMs: bare.shift()!, documentMs: null };
    const at = painted.findIndex(([, page]) => page === name);
    const [found] = painted.splice(at, at < 0 ? 0 : 1);
    if (!found) throw new Error(`${name} was never painted:\n${ourLog}`);
    return { name, openedMs: Number(found[2]), documentMs: Number(found[3]) };
  });
  for (const { name, openedMs, documentMs } of figures)
    console.log(
      `${name.padEnd(14)} ${openedMs} ms after it was opened${documentMs === null ? '' : `, ${documentMs} ms of its own`}`,
    );
  return figures;
}

// Something else may take the machine for a moment: a page has a second chance, the mean of all has none.
describe.skipIf(!workbenchAvailable())('the first paint of a panel', () => {
  it('is within a second, for every panel', async () => {
    const figures = (await paint(['bare', ...pages, 'bare', ...pages])).filter(({ name }) => name !== 'bare');
    for (const page of pages) {
      const times = figures.filter(({ name }) => name === page).map(({ openedMs }) => openedMs);
      expect(Math.min(...times), page).toBeLessThan(limitMs);
    }
    expect(meanAndError(figures.map(({ openedMs }) => openedMs)).mean).toBeLessThan(limitMs);
  }, 240_000);

  // The first webview of a window also starts what VS Code needs for all of them, which a slow machine takes seconds for:
  // ours is what comes after. The whole is held where nothing else is at work.
  it.each(long ? pages : pages.slice(0, 1))(
    'is soon where %s is the first webview of all',
    async (page) => {
      let [openedMs, documentMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      for (let attempt = 0; attempt < 3 && (long ? openedMs : documentMs) >= limitMs; attempt++) {
        const [figure] = await paint([page]);
        openedMs = Math.min(openedMs, figure!.openedMs);
        documentMs = Math.min(documentMs, figure!.documentMs!);
      }
      expect(documentMs).toBeLessThan(limitMs);
      if (long) expect(openedMs).toBeLessThan(limitMs);
    },
    240_000,
  );
});
