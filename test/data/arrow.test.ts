// Arrow files, as Hugging Face's datasets keeps them in its cache and by save_to_disk, are refused by name wherever data is
// read, with what makes another form of them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openRows } from '../../server/data/rows';
import { readDocuments } from '../../server/data/textSource';
import { readQuestions } from '../../server/evaluation/tasks/dataFolder';
import { resolveTasks } from '../../server/evaluation/tasks';

const root = mkdtempSync(join(tmpdir(), 'arrow-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

// save_to_disk writes a stream, whose first word says that its messages are framed; a file of its own begins with its name.
const saved = join(root, 'saved');
mkdirSync(saved);
writeFileSync(join(saved, 'state.json'), '{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}');
writeFileSync(join(saved, 'dataset_info.json'), '{"features": {"text": {"dtype": "string", "_type": "Value"}}}');
const stream = join(saved, 'data-00000-of-00001.arrow');
writeFileSync(stream, Buffer.from('ffffffff10000000', 'hex'));
const file = join(root, 'cache.txt');
writeFileSync(file, Buffer.concat([Buffer.from('ARROW1\0\0'), Buffer.alloc(64)]));

const says = (path: string) => ({
  code: 'badData',
  message: expect.stringContaining(`${path} is an Arrow file, which is not read; write it as Parquet in Python: `),
});

it.each([
  ['a text', () => readDocuments(stream, null), stream],
  ['a text by another name', () => readDocuments(file, null), file],
  ['a folder given as a text', () => readDocuments(saved, null), stream],
  ['training data', async () => (await openRows(stream)) ?? readDocuments(stream, null), stream],
  ['a benchmark', () => readQuestions(saved, resolveTasks(['hellaswag']).tasks[0]!, 'validation'), stream],
])('%s', async (_, read, path) => {
  await expect((async () => read())()).rejects.toMatchObject(says(path));
});
