import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTrainingData } from '../../server/data/trainingData';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { modelFolder, repoRoot } from '../fixtures';

// What transformers makes of each row, or the word that a refusal names; make_rows.py makes it.
const fixtures = join(repoRoot, 'test/fixtures/templates');
type Row = { name: string; row: unknown } & ({ ids: number[]; counted: number[] } | { refused: string });
const text = readFileSync(join(fixtures, 'rows.json'), 'utf8');
const rows: Row[] = JSON.parse(text);
// Lines as they are, since 1.0 is not 1.
const lines = text.split('\n').slice(1, -2);
const rowOf = (i: number) => /"row": (\{.*\}), "(?:ids|refused)": /.exec(lines[i]!)![1]!;

const folder = mkdtempSync(join(tmpdir(), 'espalier-rows-'));
const marked = readFileSync(join(fixtures, 'stories.jinja'), 'utf8');
const templates = {
  'answers are marked by the template': marked,
  'answers are found': marked
    .replace('{% generation %}', '')
    .replace('{% endgeneration %}', '{% if true %}{% endif %}'),
};

for (const [how, template] of Object.entries(templates))
  describe(how, () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      const model = mkdtempSync(join(tmpdir(), 'espalier-chatty-'));
      writeFileSync(join(model, 'tokenizer.json'), readFileSync(join(modelFolder('stories260k'), 'tokenizer.json')));
      const names = { bos_token: '<s>', eos_token: '</s>', chat_template: template };
      writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify(names));
      tokenizer = await openTokenizer(model);
    });
    const read = (i: number) => {
      const file = join(folder, `row${i}.jsonl`);
      writeFileSync(file, rowOf(i));
      const data = { field: null, format: 'auto', tokens: 512, start: 0, bos: 'none', order: 'sequential' } as const;
      const limits = { contextLength: 512, vocabularySize: 512 };
      return readTrainingData({ ...data, files: [file], heldOutFraction: 0, seed: 0 }, tokenizer, limits);
    };

    test.each(rows.map((row, i) => [row.name, row, i] as const))('%s', async (_, row, i) => {
      if ('refused' in row)
        return expect(read(i)).rejects.toMatchObject({
          code: 'badData',
          message: expect.stringContaining(row.refused),
        });
      const { training } = await read(i);
      const [first, ...others] = training;
      expect(others).toEqual([]);
      const counted = [...(first?.counted ?? [])];
      // What follows the last answer is left out, since nothing in it counts.
      const end = row.counted.lastIndexOf(1) + 1;
      expect(counted.lastIndexOf(1) + 1).toBe(end);
      expect([...(first?.ids ?? [])].slice(0, end)).toEqual(row.ids.slice(0, end));
      expect(counted.slice(0, end)).toEqual(row.counted.slice(0, end));
    });
  });

afterAll(() => {
  const nRefused = rows.filter((row) => 'refused' in row).length;
  console.log(
    `${rows.length} rows: ${rows.length - nRefused} have the ids and masks of transformers, ${nRefused} are refused.`,
  );
});
