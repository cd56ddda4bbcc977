// Names that every object of JavaScript inherits, as names of anything that strangers name: no table has a row for them by
// accident. Each is refused in a sentence like any other unknown name, or taken like any other name.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAdapterConfig } from '../../server/checkpoint/adapterConfig';
import { openRows } from '../../server/data/rows';
import { readDocuments } from '../../server/data/textSource';
import { harnessResults } from '../../server/evaluation/harnessResults';
import { harnessTable } from '../../server/evaluation/harnessTable';
import { reportOf } from '../../server/evaluation/reportFromHarness';
import { tasksNamed } from '../../server/evaluation/tasks';
import { isFamilyName } from '../../server/model/families';
import { readModelConfig } from '../../server/model/readConfig';
import { choose } from '../../server/pruning/choose';
import { parseRecipe } from '../../server/recipes/recipeFile';
import { isMethod } from '../../server/rpc/methods';
import { isChoosingMethod, isImportanceMethod } from '../../server/shared/methods';
import { isMetric } from '../../server/shared/metrics';
import { rowOf } from '../../server/shared/rowOf';
import { specialTokensOf } from '../../server/tokenizer/specialTokens';
import { tokenizerClassOf } from '../../server/tokenizer/tokenizerClass';
import { madeReport } from '../evaluation/madeReport';
import { modelFolder, repoRoot } from '../fixtures';
import { refusal } from '../refusal';

const folder = mkdtempSync(join(tmpdir(), 'inherited-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const names = Object.getOwnPropertyNames(Object.prototype);
const json = (file: string) => JSON.parse(readFileSync(join(modelFolder('stories260k'), file), 'utf8'));
const config = json('config.json');
const rule = (method: string) => ({ kind: 'method' as const, method, count: 1, protected: [] });
const recipe = readFileSync(join(repoRoot, 'test/fixtures/recipes/analyze.espalier.yaml'), 'utf8');
const named = (name: string) => ({ named: name, modelType: name, isByteLevel: false, hasCode: false });
const adapter = (name: string) =>
  parseAdapterConfig(
    `{"peft_type":"LORA","r":4,"lora_alpha":4,"target_modules":["q_proj"],"rank_pattern":{"${name}":2}}`,
    'a',
  );

function reportWith(task: string) {
  const results = harnessResults(madeReport({ nItems: 4 }), 0);
  const tasks = results.tasks.map((each) => ({ ...each, task }));
  return { ...results, tasks };
}

/** What each table answers to such a name. */
const lookups: Record<string, (name: string) => unknown> = {
  'a row of any table': (name) => rowOf({ a: 1 }, name) === undefined,
  'a task': (name) => tasksNamed(name).length === 0,
  'a metric': (name) => !isMetric(name),
  'a method of importance': (name) => !isImportanceMethod(name) && !isChoosingMethod(name),
  'a method of the server': (name) => !isMethod(name),
  'a family': (name) =>
    !isFamilyName(name) &&
    refusal(() => readModelConfig({ ...config, model_type: name })).startsWith('unsupportedModel'),
  'a kind of rope': (name) =>
    refusal(() => readModelConfig({ ...config, rope_scaling: { rope_type: name } })).startsWith('unsupportedModel'),
  'a dtype of config.json': (name) => readModelConfig({ ...config, torch_dtype: name }).nBlocks === 5,
  'a kind of recipe': (name) =>
    refusal(() => parseRecipe(recipe.replace('kind: analyze', `kind: ${name}`), 'a')).startsWith('usage'),
  'a method of a recipe': (name) =>
    refusal(() => parseRecipe(recipe.replace('blockInfluence', name), 'a')).startsWith('usage'),
  'a field of a recipe': (name) => refusal(() => parseRecipe(`${recipe}\n${name}: 1\n`, 'a')).startsWith('usage'),
  'a method of a report': (name) => refusal(() => choose(rule(name), 5, { methods: {} })).startsWith('badChoice'),
  'a class of tokenizers': (name) => tokenizerClassOf(named(name)) === null,
  'a special token': (name) => {
    const files = { json: json('tokenizer.json'), config: JSON.parse(`{"${name}":"<s>"}`), map: null, added: null };
    return [...specialTokensOf(files, null).named.keys()].every((known) => typeof known === 'string');
  },
  // zod leaves out __proto__, which is no module's name.
  'a module of an adapter': (name) => name === '__proto__' || Object.hasOwn(adapter(name).rankPattern, name),
  'a task of a report': (name) => {
    const { report } = reportOf(reportWith(name));
    return report.scores.every((score) => score.task !== name) && harnessTable(reportWith(name)).includes('Tasks');
  },
};

describe('is no row by accident', () => {
  it.each(Object.keys(lookups))('%s', (what) => {
    const wrong = names.filter((name) => lookups[what]!(name) !== true);
    expect(wrong).toEqual([]);
  });
});

describe('a column of such a name', () => {
  const files: Record<string, (name: string) => string> = {
    'rows.jsonl': (name) => `{"${name}":"a"}\n{"${name}":"b"}\n`,
    'rows.json': (name) => `[{"${name}":"a"},{"${name}":"b"}]`,
    'rows.csv': (name) => `${name}\na\nb\n`,
  };
  it.each(Object.keys(files))('is read of %s', async (file) => {
    for (const name of names) {
      const path = join(folder, file);
      writeFileSync(path, files[file]!(name));
      expect((await readDocuments(path, name)).documents).toEqual(['a', 'b']);
      const rows = (await openRows(path))!;
      expect(rows.columns).toEqual([name]);
      expect((await rows.read([name])).map(({ values }) => Object.entries(values))).toEqual([
        [[name, 'a']],
        [[name, 'b']],
      ]);
    }
  });

  it('is missed where it is not there', async () => {
    const path = join(folder, 'others.jsonl');
    writeFileSync(path, '{"text":"a"}\n');
    for (const name of names) await expect(readDocuments(path, name)).rejects.toThrow(`has no field "${name}"`);
  });
});
