// The roots of a connection, without one: what a link in Hugging Face's cache stands for.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { kinds } from '../../server/recipes/kinds';
import { rootsOf } from '../../server/rpc/roots';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'roots-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const inside = join(root, 'inside');
mkdirSync(join(inside, 'blobs'), { recursive: true });
mkdirSync(join(inside, 'snapshot'));
writeFileSync(join(inside, 'blobs/ab12'), '{"text":"a"}');
writeFileSync(join(root, 'secret'), 'x');
symlinkSync('../blobs/ab12', join(inside, 'snapshot/rows.jsonl'));
symlinkSync('../blobs/ab12', join(inside, 'snapshot/rows'));
symlinkSync(join(root, 'secret'), join(inside, 'snapshot/secret.jsonl'));
symlinkSync(join(inside, 'snapshot'), join(inside, 'latest'));

const resolved = (name: string) =>
  rootsOf([inside]).resolveRecipe(
    kinds.analyze.schema.parse({
      kind: 'analyze',
      model: inside,
      source: { kind: 'text', files: [join(inside, name)], sequences: 1 },
    }),
  );

it.each([
  ['snapshot/rows.jsonl', 'snapshot/rows.jsonl'],
  ['latest/rows.jsonl', 'snapshot/rows.jsonl'],
  ['snapshot/rows', 'blobs/ab12'],
])('%s is read as %s, whose ending says what it holds', (name, read) => {
  expect(resolved(name)).toMatchObject({ source: { files: [join(inside, read)] } });
});

it('a link that leads out is refused, whatever its ending', () => {
  expect(() => resolved('snapshot/secret.jsonl')).toThrow(/lies outside the folders that are open here/);
});
