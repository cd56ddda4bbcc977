// A model that is overwritten while a recipe reads it: refused, and nothing is kept of a mixture of two.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { type Kind, type Recipe, recipeSchema } from '../../server/recipes/kinds';
import { runRecipe } from '../../server/recipes/runRecipe';
import { childrenOf, start, until } from '../cli/espalier';
import { modelFolder } from '../fixtures';
import { newFolder } from '../rpc/client';
import { storyText } from './healing';

const root = newFolder();
const at = (...names: string[]) => join(root, ...names);
const [text, long, data, original, adapter] = ['text.txt', 'long.txt', 'data', 'original', 'lora'].map((name) =>
  at(name),
);
beforeAll(async () => {
  writeFileSync(text!, storyText(400));
  writeFileSync(long!, storyText(30_000));
  mkdirSync(join(data!, 'piqa'), { recursive: true });
  const row = (i: number) => `{"goal":"go ${i}","sol1":"a dog","sol2":"a cat","label":0}\n`;
  writeFileSync(join(data!, 'piqa/validation.jsonl'), Array.from({ length: 30 }, (_, i) => row(i)).join(''));
  cpSync(modelFolder('stories260k'), original!, { recursive: true });
  await carryOut(recipeOf('heal', { model: original, out: adapter }), () => {});
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const source = { kind: 'text', files: [text], sequences: 8, tokens: 64 };
const loop = { steps: 3, saveEverySteps: 1, evaluateEverySteps: 1 };
/** What each kind needs beside model and output. */
const rest: { [K in Kind]?: object } = {
  analyze: { source },
  prune: { rule: { kind: 'method', method: 'removal', count: 1, protected: [] }, source },
  sparsify: { ratio: 0.5 },
  perplexity: { source },
  generate: { prompt: 'Once', maxTokens: 8 },
  heal: { data: { files: [text], tokens: 64 }, loop },
  merge: { adapter },
  evaluate: { tasks: ['piqa'], data },
  study: { source, methods: ['blockInfluence'], counts: [1], perplexity: source },
};
function recipeOf(kind: Kind, { model, out }: { model: unknown; out: unknown }): Recipe {
  const models = kind === 'perplexity' || kind === 'evaluate' ? { models: [model] } : { model };
  const outputs = kind === 'evaluate' ? { samples: out } : kinds.includes(kind) ? { out } : {};
  return recipeSchema.parse({ kind, ...models, ...rest[kind], ...outputs });
}
const kinds: readonly Kind[] = ['prune', 'sparsify', 'merge', 'heal', 'study'];

/** `change` is called once, when the work is under way. */
function carryOut(recipe: Recipe, change: () => void): Promise<unknown> {
  let isChanged = false;
  const emit = ({ kind }: { kind: string }) => {
    if (isChanged || !['plan', 'progress', 'step'].includes(kind)) return;
    isChanged = true;
    change();
  };
  return runRecipe(recipe, { signal: new AbortController().signal, emit });
}

const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'accepted',
    (error) => {
      if (isUserError(error)) return `${error.code}: ${error.message}`;
      throw error;
    },
  );

const changes: Record<string, { file: string; change: (path: string) => void }> = {
  'its weights, written over in place': {
    file: 'model.safetensors',
    change(path) {
      const bytes = readFileSync(path);
      bytes.fill(7, bytes.length - 1000);
      writeFileSync(path, bytes);
    },
  },
  'its weights, replaced by others of the same size': {
    file: 'model.safetensors',
    change(path) {
      const bytes = readFileSync(path);
      writeFileSync(`${path}.new`, bytes.fill(7, bytes.length - 1000));
      renameSync(`${path}.new`, path);
    },
  },
  'its tokenizer': { file: 'tokenizer.json', change: (path) => writeFileSync(path, '{}') },
  'its config.json': { file: 'config.json', change: (path) => writeFileSync(path, readFileSync(path)) },
};

let n = 0;
const place = () => {
  const folder = at(`${n++}`);
  cpSync(original!, join(folder, 'model'), { recursive: true });
  return { folder, model: join(folder, 'model'), out: join(folder, 'out') };
};
const rows = [...Object.keys(rest)].flatMap((kind) =>
  Object.keys(changes)
    .filter((what, i) => i === 0 || kind === 'prune' || (what === 'its tokenizer' && kind === 'evaluate'))
    .map((what) => ({ kind: kind as Kind, what })),
);

describe('a model that is changed meanwhile', () => {
  it.each(rows)('$kind: $what', async ({ kind, what }) => {
    const { folder, model, out } = place();
    const { file, change } = changes[what]!;
    const refused = await refusal(carryOut(recipeOf(kind, { model, out }), () => change(join(model, file))));
    expect(refused).toBe(
      `damagedCheckpoint: ${join(model, file)} was changed while it was being read, so that nothing is kept; begin again when nothing writes there.`,
    );
    // A healing and a study keep what was there before, to go on from.
    if (kind !== 'heal' && kind !== 'study') expect(readdirSync(folder)).toEqual(['model']);
    else expect(existsSync(join(out, 'run/state.json')) || existsSync(join(out, 'report.json'))).toBe(false);
  });

  it('merge: the adapter', async () => {
    const { folder, model, out } = place();
    const own = join(folder, 'lora');
    cpSync(adapter!, own, { recursive: true });
    const recipe = { ...recipeOf('merge', { model, out }), adapter: own } as Recipe;
    const change = () => changes['its weights, written over in place']!.change(join(own, 'adapter_model.safetensors'));
    expect(await refusal(carryOut(recipe, change))).toContain('adapter_model.safetensors was changed while');
    expect(existsSync(out)).toBe(false);
  });

  it.each(Object.keys(rest) as Kind[])('%s is carried out where something else in its folder changes', async (kind) => {
    const { model, out } = place();
    await carryOut(recipeOf(kind, { model, out }), () => writeFileSync(join(model, 'README.md'), 'a model'));
  });

  it.skipIf(process.platform !== 'linux')(
    'as processes see it: the engine waits while the model is replaced',
    async () => {
      const { folder, model, out } = place();
      const options = ['--method', 'removal', '--count', '2', '--text', long!, '--sequences', '100', '--tokens', '256'];
      const started = start(['prune', model, ...options, '--out', out]);
      await until('it computes', () => started.stderr().includes('on cpu'));
      const engine = childrenOf(started.pid)[0]!;
      process.kill(engine, 'SIGSTOP');
      try {
        changes['its weights, replaced by others of the same size']!.change(join(model, 'model.safetensors'));
      } finally {
        process.kill(engine, 'SIGCONT');
      }
      const { code, stderr } = await started.ended;
      expect({ code }, stderr).toEqual({ code: 2 });
      expect(stderr).toContain('model.safetensors was changed while it was being read');
      expect(readdirSync(folder)).toEqual(['model']);
    },
  );
});
