// The card of a folder as the command makes it: what it reads of the folder, its original and reports, and what it refuses.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { espalier } from '../cli/inProcess';
import { modelFolder, repoRoot } from '../fixtures';
import { strangeNumbers } from './cardNumbers';

const root = mkdtempSync(join(tmpdir(), 'card-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (...names: string[]) => join(root, ...names);
const text = join(repoRoot, 'media/demo/tinystories.txt');

async function run(line: string): Promise<{ stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await espalier(line.split(' '), root);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return { stdout, stderr };
}
const refused = async (line: string) => {
  const { code, stderr } = await espalier(line.split(' '), root);
  expect(code).toBe(2);
  return stderr;
};
const json = (name: string): unknown => JSON.parse(readFileSync(at(name), 'utf8'));

beforeAll(async () => {
  cpSync(modelFolder('stories260k'), at('stories260k'), { recursive: true });
  writeFileSync(at('stories260k/README.md'), '---\nlicense: mit\nlanguage: en\n---\n# stories260K\n');
  const cut = `--text ${text} --sequences 2 --tokens 32`;
  await run(`prune stories260k --method relativeMagnitude --count 1 ${cut} --out pruned --json prune.json --quiet`);
  await run(`perplexity stories260k pruned ${cut} --json perplexity.json --quiet`);
  await run(`heal pruned --data ${text} --tokens 32 --steps 2 --micro-batch 1 --out adapter --json heal.json --quiet`);
  await run('merge pruned adapter --out healed --quiet');
});

describe('the card', () => {
  it('of a pruned folder is on standard output, with what is missing beside it', async () => {
    const { stdout, stderr } = await run('card pruned --report prune.json perplexity.json --base o/stories260K');
    expect(parse(stdout.split('---\n')[1]!)).toMatchObject({
      base_model: ['o/stories260K'],
      license: 'mit',
      language: ['en'],
    });
    expect(stdout).toContain('## How it was chosen');
    expect(stderr).toContain('You have written nothing about what the model is for');
    const sources = [
      json('prune.json'),
      json('perplexity.json'),
      json('pruned/espalier.json'),
      json('pruned/config.json'),
    ];
    await run('inspect pruned --json inspect.json --quiet');
    expect(strangeNumbers(stdout, [...sources, json('inspect.json')])).toEqual([]);
    expect(stdout).not.toContain(root);
  });

  it('of a healed folder tells how, and keeps what a person wrote', async () => {
    await run('card healed --report heal.json --out card.md');
    const card = readFileSync(at('card.md'), 'utf8');
    writeFileSync(at('card.md'), card.replace(/_Write here[^\n]*/, 'It tells stories.'));
    await run('card healed --report heal.json --repo me/stories --out card.md');
    const again = readFileSync(at('card.md'), 'utf8');
    expect(again).toContain('\nIt tells stories.\n');
    expect(again).toMatch(/^# stories$/m);
    const { stdout } = await run('card healed --prose card.md');
    expect(stdout).toContain('\nIt tells stories.\n');
    expect(stdout).toContain('rank 8, alpha 16');
  });

  it('of an adapter goes with a configuration that names no folder of this machine', async () => {
    await run('card adapter --report heal.json --base o/pruned --json card.json --quiet');
    const { files } = json('card.json') as { files: { name: string; text: string }[] };
    expect(files.map(({ name }) => name)).toEqual(['README.md', 'adapter_config.json', 'LICENSE', 'NOTICE.txt']);
    expect(JSON.parse(files[1]!.text)).toMatchObject({ base_model_name_or_path: 'o/pruned', peft_type: 'LORA' });
    expect(JSON.stringify(files)).not.toContain(root);
  });
});

describe('a proof on the command line', () => {
  it('lists its checks and ends with 0', async () => {
    const { stdout } = await run(`prove pruned --report perplexity.json --text ${text}`);
    expect(stdout).toMatch(/^✓ {2}it predicts what the original predicts without the blocks/m);
    expect(stdout).toContain('The model is what its runs made.');
  });

  it('that fails says so with the code 2, and leaves its report', async () => {
    cpSync(at('pruned'), at('unfit'), { recursive: true });
    writeFileSync(at('unfit/run.sh'), '#!/bin/sh');
    expect(await refused('prove unfit --original stories260k --json proof.json')).toContain(
      'unfit is not fit to be published: run.sh is a program, which can run when the folder is opened; remove it.',
    );
    expect(json('proof.json')).toMatchObject({ kind: 'prove', passed: false });
  });
});

describe('a card is refused', () => {
  it('for a Llama model without a Llama name', async () => {
    cpSync(at('pruned'), at('tiny'), { recursive: true });
    writeFileSync(at('tiny/LICENSE'), 'LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n');
    const line = 'card tiny --original tiny --repo me/tiny';
    expect(await refused(line)).toContain(
      'me/tiny is made of a model under the licence llama3.2, whose name has to begin with Llama; call it --repo OWNER/Llama-tiny.',
    );
    const { stdout } = await run(`${line.replace('me/tiny', 'me/Llama-3.2-tiny')}`);
    expect(stdout).toContain('**Built with Llama**');
  });

  it.each([
    { what: 'no report', make: '{"kind": "x"}', says: 'is no whole report of x' },
    { what: 'half a report', make: '{"kind": "heal"}', says: 'is no whole report of heal' },
    { what: 'no JSON', make: 'x', says: 'is no report; give what --json of a run wrote.' },
  ])('for $what', async ({ make, says }) => {
    writeFileSync(at('other.json'), make);
    expect(await refused('card pruned --report other.json')).toContain(says);
  });

  it('for a report that is not there', async () => {
    mkdirSync(at('empty'));
    expect(await refused('card pruned --report none.json')).toContain('There is no report none.json');
    expect(await refused('card pruned --report empty')).toContain('There is no report empty/report.json');
  });

  it('into the folder that it describes', async () => {
    expect(await refused('card pruned --out pruned/README.md')).toMatch(/being read/);
  });
});
