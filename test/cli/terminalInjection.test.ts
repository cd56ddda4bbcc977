// What strangers wrote into models, data and reports is shown on a terminal, and never acted on by it: no source of a text
// times no kind of sequence brings a control character out.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { madeReport } from '../evaluation/madeReport';
import { available, modelFolder, repoRoot } from '../fixtures';
import { program } from './espalier';
import { espalier } from './inProcess';

const root = mkdtempSync(join(tmpdir(), 'injected-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const sequences = {
  'clipboard and title': '\x1b]52;c;cm0=\x07\x1b]0;title\x1b\\',
  'cursor, colour, C1 and CR': '\x1b[2K\x1b[1A\r\x9b31mdone\x9d\x08\x7f',
  'turned writing and lines': '\u202egnp\u2066x\u2069\u2028\u061c',
};
type Sequence = keyof typeof sequences;

/** What must not arrive: all controls but the line and the tab, and what turns writing around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const acted = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

const model = modelFolder('stories260k');
const recipe = readFileSync(join(repoRoot, 'test/fixtures/recipes/analyze.espalier.yaml'), 'utf8');
let nModels = 0;

/** The bundled model with a field of one of its files changed. */
function changed(file: string, change: (json: Record<string, unknown>) => object): string {
  const folder = join(root, `model-${nModels++}`);
  cpSync(model, folder, { recursive: true });
  const json = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(folder, file), JSON.stringify({ ...json, ...change(json) }));
  return folder;
}

function written(name: string, text: string): string {
  const file = join(root, `${nModels++}-${name}`);
  writeFileSync(file, text);
  return file;
}

const healing = (folder: string, data: string) => [
  'heal',
  folder,
  '--data',
  data,
  '--format',
  'instructions',
  '--out',
  join(root, 'healed'),
  '--steps',
  '1',
];

/** By where the text comes from: the command line that shows it. */
const sources: Record<string, (text: string) => string[]> = {
  'the name of a folder': (text) => {
    const folder = join(root, `a${text}`);
    cpSync(model, folder, { recursive: true });
    return ['inspect', folder];
  },
  'config.json': (text) => [
    'inspect',
    changed('config.json', () => ({ model_type: `a${text}`, architectures: [`a${text}`] })),
  ],
  'the provenance of a pruned model': (text) => {
    const folder = changed('config.json', () => ({}));
    const named = { name: `a${text}`, nBlocks: 5 };
    const blocks = { removedBlocks: [], keptBlocks: [0, 1, 2, 3, 4] };
    const provenance = { format: 1, baseModel: named, sourceModel: named, ...blocks, steps: [] };
    writeFileSync(join(folder, 'espalier.json'), JSON.stringify(provenance));
    return ['inspect', folder];
  },
  'the words of a tokenizer': (text) => {
    const decoder = {
      type: 'Sequence',
      decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: text }, { type: 'Fuse' }],
    };
    return ['generate', changed('tokenizer.json', () => ({ decoder })), '--prompt', 'Once', '--max-tokens', '8'];
  },
  'an error of a chat template': (text) => {
    const chat_template = `{{ raise_exception(${JSON.stringify(text)}) }}`;
    const rows = written('rows.jsonl', `${JSON.stringify({ instruction: 'a', output: 'b' })}\n`.repeat(40));
    return healing(
      changed('tokenizer_config.json', () => ({ chat_template })),
      rows,
    );
  },
  'the header of a CSV file': (text) => ['analyze', model, '--text', written('rows.csv', `"a${text}",b\n1,2\n`)],
  'a recipe': (text) => ['run', written('a.espalier.yaml', `${recipe}\n${JSON.stringify(`a${text}`)}: 1\n`)],
  'a report': (text) => {
    const report = madeReport({ nItems: 4 });
    for (const each of report.models) each.label = `a${text}`;
    return ['report', written('report.json', JSON.stringify(report))];
  },
  'what was typed': (text) => ['inspect', model, `--a${text}`],
};

/** What is left to see of each. */
const seen: Record<Sequence, RegExp> = {
  'clipboard and title': /\]52;c;cm0=/,
  'cursor, colour, C1 and CR': /31mdone/,
  'turned writing and lines': /gnp/,
};

const rows = Object.keys(sources).flatMap((source) =>
  (Object.keys(sequences) as Sequence[]).map((sequence) => ({ source, sequence })),
);

describe('27 injections, none of which reaches the terminal', () => {
  it.each(rows)('$source: $sequence', async ({ source, sequence }) => {
    const { stdout, stderr } = await espalier(sources[source]!(sequences[sequence]));
    const said = stdout + stderr;
    expect(said, 'the text is not shown at all').toMatch(seen[sequence]);
    expect(acted.exec(said)).toBeNull();
  });

  it('are so many', () => expect(rows).toHaveLength(27));
});

describe('and the program itself', () => {
  const all = Object.values(sequences).join('');
  const typed = [process.execPath, program, 'inspect', join(root, 'nowhere'), `--a${all}`];

  it.skipIf(!available('/usr/bin/script'))('shows them in a terminal, too', () => {
    const command = typed.map((word) => `'${word}'`).join(' ');
    const { stdout } = spawnSync('/usr/bin/script', ['-qec', command, '/dev/null'], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    // A terminal begins a line anew by a carriage return.
    const said = stdout.replaceAll('\r\n', '\n');
    expect(said).toMatch(/unknown option .*\]52;c;cm0=.*31mdone.*gnp/);
    expect(acted.exec(said)).toBeNull();
  });
});

describe('machine output', () => {
  it('is JSON that says the same, and brings no control either', async () => {
    const text = Object.values(sequences).join('');
    const folder = changed('config.json', () => ({ torch_dtype: 'float32' }));
    const { stdout, code } = await espalier([
      'generate',
      folder,
      '--prompt',
      `Once${text}`,
      '--max-tokens',
      '1',
      '--json',
      '-',
    ]);
    expect(code).toBe(0);
    expect(acted.exec(stdout)).toBeNull();
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'generate', prompt: `Once${text}` });
  });
});
