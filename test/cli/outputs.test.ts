// No output goes over an input. The options that write come from the commands themselves, so that a new one cannot be forgotten.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { writeStagedFile } from '../../server/checkpoint/stagedFile';
import { espalierProgram } from '../../server/cli/program';
import { fieldFacts } from '../../server/recipes/defaults';
import { type Kind, kinds } from '../../server/recipes/kinds';
import { replaceMeant } from '../../server/recipes/meanings';
import { checkOutputPlaces } from '../../server/recipes/outputs';
import type { RecipeKind } from '../../server/recipes/recipeKind';
import { modelFolder } from '../fixtures';
import { espalier } from './espalier';

const root = mkdtempSync(join(tmpdir(), 'outputs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);

const model = at('model');
cpSync(modelFolder('stories260k'), model, { recursive: true });
const [text, ids, recipeFile] = [at('text.txt'), at('ids.json'), at('recipe.yaml')];
writeFileSync(text, 'Once upon a time there was a small dog. '.repeat(20));
writeFileSync(ids, '[[1, 2, 3]]');
writeFileSync(recipeFile, `kind: prune\nmodel: model\nrule: { kind: chosen, blocks: [1] }\nout: out\n`);
const data = at('data');
mkdirSync(join(data, 'piqa'), { recursive: true });
const rows = join(data, 'piqa/validation.jsonl');
writeFileSync(rows, '{"goal":"g","sol1":"a","sol2":"b","label":0}\n');
const adapter = at('adapter');
mkdirSync(adapter);
const adapterConfig = join(adapter, 'adapter_config.json');
writeFileSync(adapterConfig, '{"peft_type": "LORA", "r": 1}');
const analysis = at('analysis.json');
writeFileSync(analysis, '{"kind": "analyze", "model": {}}');

const [config, weights] = [join(model, 'config.json'), join(model, 'model.safetensors')];
/** What is typed for each command, and the files that it then reads. */
const commands: Record<string, { args: string[]; reads: string[] }> = {
  inspect: { args: [model], reads: [config, weights] },
  analyze: { args: [model, '--text', text], reads: [text, config] },
  prune: { args: [model, '--text', text, '--drop', '1', '--out', at('out')], reads: [text, weights] },
  sparsify: { args: [model, '--ids', ids, '--ratio', '0.5', '--out', at('out')], reads: [ids, config] },
  perplexity: { args: [model, '--text', text], reads: [text, weights] },
  generate: { args: [model], reads: [config, join(model, 'tokenizer.json')] },
  heal: {
    args: [model, '--data', text, '--init', adapter, '--held-out-text', ids, '--out', at('out')],
    reads: [text, ids, adapterConfig, weights],
  },
  merge: { args: [model, adapter, '--out', at('out')], reads: [adapterConfig, weights] },
  export: { args: [model, '--gguf', 'f16', '--out', at('out')], reads: [weights, config] },
  evaluate: { args: [model, '--tasks', 'piqa', '--data', data], reads: [rows, weights] },
  suggest: { args: [analysis, '--method', 'deepest', '--count', '1'], reads: [analysis] },
  run: { args: [recipeFile], reads: [recipeFile, config] },
  report: { args: [analysis], reads: [analysis] },
  graph: { args: [model, '--block', '1'], reads: [config, weights] },
  serve: { args: [], reads: [] },
  pull: { args: ['owner/name'], reads: [] },
  card: { args: [model, '--original', model, '--prose', text], reads: [config, text] },
  prove: { args: [model, '--original', model, '--text', text], reads: [config, weights, text] },
  publish: { args: [model, '--repo', 'o/n'], reads: [config, weights] },
  devices: { args: [], reads: [] },
};

/** What becomes of the file or folder that an option is given. */
const options: Record<string, 'read' | 'written'> = {
  '--json': 'written',
  '--out': 'written',
  '--mergekit': 'written',
  '--samples': 'written',
  '--text': 'read',
  '--ids': 'read',
  '--data': 'read',
  '--held-out-text': 'read',
  '--init': 'read',
  '--dense': 'read',
  '--original': 'read',
  '--report': 'read',
  '--prose': 'read',
};

const all = espalierProgram().commands.flatMap((command) =>
  command.options
    .filter(({ flags }) => /<(file|folder)/.test(flags))
    .map((option) => ({ command: command.name(), option: option.long! })),
);

/** Runs a command in this process. */
function run(command: string, ...args: string[]): Promise<Command> {
  return espalierProgram().parseAsync([command, ...args], { from: 'user' });
}

/** Nothing is written, and what the command reads stays as it was. */
async function isRefused(command: string, args: string[], reads: string[], sentence: RegExp): Promise<void> {
  const before = reads.map((path) => readFileSync(path, 'latin1'));
  await expect(run(command, ...args)).rejects.toThrow(sentence);
  expect(reads.map((path) => readFileSync(path, 'latin1'))).toEqual(before);
}

describe('every option that takes a file', () => {
  it('is known, in every command', () => {
    expect([...new Set(all.map(({ option }) => option))].sort()).toEqual(Object.keys(options).sort());
    expect(Object.keys(commands).sort()).toEqual(
      espalierProgram()
        .commands.map((command) => command.name())
        .sort(),
    );
  });

  it.each(Object.keys(kinds) as Kind[])('of %s is declared as what it is', (kind) => {
    const { command, schema }: RecipeKind = kinds[kind];
    for (const { flags, field } of command?.options ?? []) {
      if (field === undefined || !/<(file|folder)/.test(flags)) continue;
      expect(() => fieldFacts(schema, field)).not.toThrow();
      const found: string[] = [];
      for (const value of ['p', ['p']])
        replaceMeant(
          schema,
          field.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value),
          (part, meaning) => {
            if (meaning.is === 'path' && part === 'p') found.push(meaning.to);
            return part;
          },
        );
      expect(found.map((to) => (to.startsWith('output') ? 'written' : 'read'))).toEqual([
        options[/--[\w-]+/.exec(flags)![0]],
      ]);
    }
  });

  const attempts = all
    .filter(({ option }) => options[option] === 'written')
    .flatMap(({ command, option }) =>
      commands[command]!.reads.map((read) => ({ command, option, read, name: basename(read) })),
    );
  it('is tried below wherever it writes', () => expect(attempts.length).toBeGreaterThan(20));
  it.each(attempts)('$command $option does not go over $name, which it reads', ({ command, option, read }) =>
    isRefused(
      command,
      [...commands[command]!.args, option, read],
      commands[command]!.reads,
      /is being read|is a file; choose another folder/,
    ),
  );
});

describe('an output', () => {
  const perplexity = (...args: string[]) => [...commands.perplexity!.args, ...args];
  linkSync(config, at('hard.json'));
  symlinkSync(text, at('soft.json'));
  symlinkSync(model, at('linked'));
  mkdirSync(at('snapshot'));
  mkdirSync(at('blobs'));
  cpSync(weights, at('blobs/ab12'));
  symlinkSync(at('blobs/ab12'), at('snapshot/model.safetensors'));
  symlinkSync(config, at('snapshot/config.json'));

  it.each([
    { what: 'a link to a text', json: at('soft.json') },
    { what: 'another name of a file in the model folder', json: at('hard.json') },
    { what: 'a way with dots', json: `${join(root, 'blobs')}/../text.txt` },
    { what: 'a way through a link', json: at('linked/config.json') },
    { what: 'a new file in the model folder', json: join(model, 'new.json') },
    { what: 'a new file there through a link', json: at('linked/new.json') },
    { what: 'a new file in a new folder there', json: join(model, 'new/new.json') },
    { what: 'the model folder itself', json: model },
  ])('is refused at $what', ({ json }) =>
    isRefused('perplexity', perplexity('--json', json), [text, config], /being read/),
  );

  it('is refused at what a link in the model folder leads to', () =>
    isRefused(
      'perplexity',
      [at('snapshot'), '--text', text, '--json', at('blobs/ab12')],
      [at('blobs/ab12')],
      /blobs\/ab12 is a file of .*snapshot, which is being read/,
    ));

  it('is refused where another output goes', () =>
    isRefused(
      'prune',
      [...commands.prune!.args, '--json', at('x.yaml'), '--mergekit', `${join(root, 'blobs')}/../x.yaml`],
      [text],
      /^Two outputs are to go to/,
    ));

  it('is refused as a part of a folder that is made', () =>
    isRefused(
      'prune',
      [...commands.prune!.args, '--json', at('out/config.json')],
      [text],
      /would go over a part of .*out, which is being made/,
    ));

  it('is no standard output unless it is the report', () =>
    isRefused('prune', [...commands.prune!.args, '--mergekit', '-'], [text], /^Only --json - is standard output/));

  it('may take the place of an earlier report in a folder of data, and no other place', async () => {
    const evaluate = [model, '--tasks', 'none', '--data', data];
    const recipe = { kind: 'evaluate', models: [model], tasks: ['piqa'], data } as const;
    const check = (report: string) => checkOutputPlaces(kinds.evaluate.schema.parse(recipe), { report });
    for (const beginning of [
      '{\n "results": {}}',
      '{"kind":"evaluate","x":1}',
      '{"model":"m","task":"t","docId":0}\n',
    ]) {
      writeFileSync(join(data, 'report.json'), beginning);
      await check(join(data, 'report.json'));
    }
    await check(join(data, 'new.json'));
    await isRefused('evaluate', [...evaluate, '--json', rows], [rows], /is a file of .*data, which is being read/);
  });
});

describe('what is no file', () => {
  it('stays a device', async () => {
    const before = statSync('/dev/null').rdev;
    await writeStagedFile('/dev/null', 'x');
    expect(statSync('/dev/null')).toMatchObject({ rdev: before });
  });

  it('stays a pipe, and its reader gets all', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const [said] = await Promise.all([readFile(at('pipe'), 'utf8'), writeStagedFile(at('pipe'), 'a report')]);
    expect(said).toBe('a report');
    expect(statSync(at('pipe')).isFIFO()).toBe(true);
  });

  it('stays a link, and what it leads to is replaced', async () => {
    writeFileSync(at('newest-1.json'), 'earlier');
    symlinkSync('newest-1.json', at('newest.json'));
    await writeStagedFile(at('newest.json'), 'later');
    expect(lstatSync(at('newest.json')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('newest-1.json'), 'utf8')).toBe('later');
  });

  it.each(['-', '/dev/stdout'])('is standard output as --json %s, with the report alone on it', async (place) => {
    const { code, stdout, stderr } = await espalier(['inspect', model, '--json', place]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'inspect', model: { nBlocks: 5 } });
    expect(stderr).toMatch(/blocks/);
  });
});
