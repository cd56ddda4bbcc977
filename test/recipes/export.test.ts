// export, end to end: the tiny model as it is, pruned, and with sublayers dropped.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf } from '@huggingface/gguf';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../server/protocol/engine';
import type { ExportReport } from '../../server/recipes/export/recipe';
import { runExport } from '../../server/recipes/export/export';
import { recipeSchema } from '../../server/recipes/kinds';
import { espalier } from '../cli/inProcess';
import { modelFolder, repoRoot } from '../fixtures';

const stories = modelFolder('stories260k');
let folder: string;
const at = (name: string) => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-export-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const read = (path: string) => gguf(path, { allowLocalFile: true });

/** The bytes of a tensor by its name. */
async function tensorOf(path: string, name: string): Promise<Uint8Array> {
  const { tensorInfos, tensorDataOffset } = await read(path);
  const places = tensorInfos.map(({ offset }) => Number(tensorDataOffset + offset));
  const i = tensorInfos.findIndex((tensor) => tensor.name === name);
  const bytes = readFileSync(path);
  return bytes.subarray(places[i], places[i + 1] ?? bytes.length);
}

describe('a pruned model', () => {
  let report: ExportReport;
  let said: string;
  beforeAll(async () => {
    await espalier(['prune', stories, '--drop', '1,3', '--out', at('pruned'), '--quiet'], folder);
    const ended = await espalier(
      ['export', at('pruned'), '--gguf', 'q8_0', '--out', at('pruned.gguf'), '--json', at('report.json')],
      folder,
    );
    expect(ended.code).toBe(0);
    said = ended.stdout;
    report = JSON.parse(readFileSync(at('report.json'), 'utf8'));
  });

  it('has the tensors of the blocks that stay', async () => {
    const { metadata, tensorInfos } = await read(at('pruned.gguf'));
    expect(metadata).toMatchObject({ 'llama.block_count': 3, 'general.name': 'Pruned', 'general.file_type': 7 });
    expect(tensorInfos).toHaveLength(2 + 3 * 9);
    const [ours, whole] = [at('pruned.gguf'), at('whole.gguf')];
    await espalier(['export', stories, '--gguf', 'q8_0', '--out', whole, '--quiet'], folder);
    for (const part of ['attn_q.weight', 'ffn_down.weight', 'ffn_norm.weight'])
      expect(await tensorOf(ours, `blk.1.${part}`)).toEqual(await tensorOf(whole, `blk.2.${part}`));
  });

  it('is reported with what it was cut from', () => {
    expect(report).toMatchObject({
      kind: 'export',
      architecture: 'llama',
      preTokenizer: 'default',
      nTensors: 29,
      sizeBytes: readFileSync(at('pruned.gguf')).length,
      cut: { original: 'stories260k', removedBlocks: [1, 3] },
      storedAsHalves: ['blk.0.ffn_down.weight', 'blk.1.ffn_down.weight', 'blk.2.ffn_down.weight'],
    });
    expect(report.warnings).toEqual([
      expect.stringMatching(/no tokenizer\.model/),
      expect.stringMatching(/3 matrices .* stored as f16/),
    ]);
  });

  it('is said to be opened by these lines', () => {
    expect(said).toContain(`llama-cli -m ${at('pruned.gguf')}`);
    expect(said).toContain(`echo 'FROM ${at('pruned.gguf')}' > Modelfile && ollama create pruned -f Modelfile`);
    expect(said).toContain(`lms import ${at('pruned.gguf')}`);
    expect(said).toContain('llama-quantize --prune-layers 1,3 ORIGINAL.gguf PRUNED.gguf COPY');
  });
});

it('a model with narrower MLPs is no cut that llama-quantize could make', async () => {
  const text = ['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '1', '--tokens', '32'];
  const narrow = ['prune', stories, '--drop', '1', '--mlp-width', '128', ...text, '--out', at('narrow'), '--quiet'];
  expect((await espalier(narrow, folder)).code).toBe(0);
  const { code, stdout } = await espalier(
    ['export', at('narrow'), '--gguf', 'f16', '--out', at('narrow.gguf')],
    folder,
  );
  expect(code).toBe(0);
  expect(stdout).toContain('llama-cli -m');
  expect(stdout).not.toContain('--prune-layers');
});

describe('a model with dropped sublayers', () => {
  it('adds nothing through them in llama.cpp', async () => {
    await espalier(
      ['prune', stories, '--drop-attention', '2', '--drop-mlp', '4', '--out', at('halves'), '--quiet'],
      folder,
    );
    const { code } = await espalier(['export', at('halves'), '--gguf', 'q8_0', '--out', at('halves.gguf')], folder);
    expect(code).toBe(0);
    const zero = async (name: string) => (await tensorOf(at('halves.gguf'), name)).every((byte) => byte === 0);
    expect(await zero('blk.2.attn_output.weight')).toBe(true);
    expect(await zero('blk.4.ffn_down.weight')).toBe(true);
    expect(await zero('blk.4.attn_output.weight')).toBe(false);
    expect(await zero('blk.2.ffn_down.weight')).toBe(false);
  });
});

describe('what cannot be', () => {
  const events: EngineEvent[] = [];
  const exporting = (model: string, out: string, signal = new AbortController().signal) => {
    const recipe = recipeSchema.parse({ kind: 'export', model, gguf: 'f16', out });
    if (recipe.kind !== 'export') throw new Error('no export');
    return runExport(recipe, { signal, emit: (event) => events.push(event) });
  };

  it('leaves what was there before', async () => {
    writeFileSync(at('before.gguf'), 'before');
    const ended = new AbortController();
    ended.abort();
    const names = readdirSync(folder);
    await expect(exporting(stories, at('before.gguf'), ended.signal)).rejects.toMatchObject({ code: 'cancelled' });
    expect(readFileSync(at('before.gguf'), 'utf8')).toBe('before');
    expect(readdirSync(folder)).toEqual(names);
  });

  it('is refused before anything is read', async () => {
    await expect(exporting(stories, join(folder, 'none/model.gguf'))).rejects.toMatchObject({ code: 'cannotWrite' });
    await expect(exporting(stories, folder)).rejects.toThrow(/it is a folder/);
  });

  it('and progress ends at the whole', async () => {
    await exporting(stories, at('whole-again.gguf'));
    const last = events.filter((event) => event.kind === 'progress').at(-1);
    expect(last).toMatchObject({ step: 'write', fraction: 1 });
  });
});
