// Which files of a workspace are offered as texts, and in which order.
import { describe, expect, it } from 'vitest';
import { textCandidates, tokensByTheirSize } from '../../extension/textCandidates';

const weights = ['/w/model/model-00001-of-00002.safetensors', '/w/healed/adapter_model.safetensors'];
const offered = (files: Record<string, number>) =>
  textCandidates(
    Object.entries(files).map(([path, sizeBytes]) => ({ path, sizeBytes })),
    weights,
  ).map(({ path }) => path);

describe('texts of a workspace', () => {
  it.each<[what: string, files: Record<string, number>, expected: string[]]>([
    [
      'the largest first',
      { '/w/a.txt': 10, '/w/b.jsonl': 30, '/w/c.parquet': 20 },
      ['/w/b.jsonl', '/w/c.parquet', '/w/a.txt'],
    ],
    ['of one size by name', { '/w/b.txt': 10, '/w/a.txt': 10 }, ['/w/a.txt', '/w/b.txt']],
    ['nothing of a model', { '/w/model/NOTICE.txt': 10, '/w/model/merges.txt': 90, '/w/a.txt': 1 }, ['/w/a.txt']],
    [
      'nothing of an adapter and its run',
      { '/w/healed/x.txt': 9, '/w/healed/run/metrics.csv': 9, '/w/a.txt': 1 },
      ['/w/a.txt'],
    ],
    ['what lies in another run folder', { '/w/texts/run/a.txt': 1 }, ['/w/texts/run/a.txt']],
    ['what lies below a model', { '/w/model/texts/a.txt': 1 }, ['/w/model/texts/a.txt']],
    [
      'no licence and the like',
      { '/w/LICENSE.txt': 5, '/w/Readme.md': 5, '/w/NOTICE.txt': 5, '/w/third-party.txt': 5 },
      [],
    ],
    ['no empty file', { '/w/a.txt': 0 }, []],
  ])('%s', (_, files, expected) => expect(offered(files)).toEqual(expected));

  it.each([
    ['/w/a.txt', 4000, 1000],
    ['/w/a.MD', 1_234_567, 310_000],
    ['/w/a.parquet', 4000, null],
    ['/w/a.jsonl', 4000, null],
  ])('%s of %i bytes has about %s tokens', (path, sizeBytes, expected) =>
    expect(tokensByTheirSize({ path, sizeBytes })).toBe(expected),
  );
});
