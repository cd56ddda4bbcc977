// Every command from end to end on the bundled model: what it prints, what it writes with --json, how it ends. In this process,
// but for what the program and its engine are as processes.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Suggestion } from '../../server/cli/suggest';
import { forwardMethodNames } from '../../server/shared/methods';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { PerplexityReport } from '../../server/recipes/perplexity/recipe';
import type { PruneReport } from '../../server/recipes/prune/recipe';
import { modelFolder, repoRoot } from '../fixtures';
import { espalier as espalierProcess, program } from './espalier';
import { espalier } from './inProcess';

const model = modelFolder('stories260k');
const ids = join(repoRoot, 'test/fixtures/reference/stories260k.json');
const reference = JSON.parse(readFileSync(ids, 'utf8'));
const root = mkdtempSync(join(tmpdir(), 'cli-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A text that the bundled model's tokenizer makes a few thousand tokens of. */
const text = join(root, 'story.txt');
writeFileSync(text, Array.from({ length: 200 }, (_, i) => `Once there was a dog who had ${i} red balls.\n`).join(''));

let nReports = 0;
/** Runs a command that has to succeed; gives back what it wrote with --json. */
const report = <R>(...args: string[]) => reportBy<R>(espalier, args);
async function reportBy<R>(run: typeof espalier, args: string[]): Promise<R & { stdout: string; stderr: string }> {
  const file = join(root, `${nReports++}.json`);
  const { code, stdout, stderr } = await run([...args, '--json', file]);
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  return { ...(JSON.parse(readFileSync(file, 'utf8')) as R), stdout, stderr };
}

const runFacts = {
  timing: {
    elapsedMs: expect.any(Number),
    loadMs: expect.any(Number),
    compileMs: expect.any(Number),
    tokenizeMs: expect.any(Number),
    writeMs: expect.any(Number),
    tokens: expect.any(Number),
  },
  peakMemoryBytes: expect.any(Number),
  threads: 2,
  versions: { espalier: expect.any(String), onnxruntime: expect.any(String), node: process.version },
};
const twoThreads = ['--threads', '2'];

describe('the program', () => {
  it('can be started by its name', () => {
    accessSync(program, constants.X_OK);
    expect(readFileSync(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it.each([
    [['--version'], /^\d+\.\d+\.\d+\n$/],
    [['--help'], /inspect[\s\S]*analyze[\s\S]*prune[\s\S]*perplexity[\s\S]*generate[\s\S]*suggest/],
    [['help', 'prune'], /--drop <blocks>[\s\S]*--device <name>[\s\S]*--out <folder>[\s\S]*--repair <how>/],
    [['perplexity', '--help'], /--preset <tokens>[\s\S]*--json <file>[\s\S]*--memory-limit/],
  ])('%j', async (args, expected) => {
    const { code, stdout, stderr } = await espalierProcess(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(expected);
  });

  it('shows its help on stderr when nothing is asked of it', async () => {
    const { code, stdout, stderr } = await espalierProcess([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^Usage: espalier/);
  });

  it('does not mind a reader that has seen enough, and still writes the report', async () => {
    const file = join(root, 'read-by-head.json');
    const child = spawn(process.execPath, [program, 'analyze', model, '--ids', ids, '--json', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (more: string) => (stderr += more));
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(stderr.trimEnd().split('\n')).toHaveLength(2); // the device and the plan
    expect(JSON.parse(readFileSync(file, 'utf8')).kind).toBe('analyze');
  });

  it.skipIf(process.platform !== 'linux')('says when its output cannot be written', () => {
    const script = `"${process.execPath}" "${program}" inspect "${model}" 2>&1 > /dev/full; echo "exit $?"`;
    const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
    expect(said).toMatch(/^espalier: The output cannot be written \(ENOSPC\);.*\nexit 2\n$/);
  });
});

describe('inspect', () => {
  it('tells what a model is made of', async () => {
    const { stdout, ...found } = await report('inspect', model);
    expect(found).toMatchObject({
      kind: 'inspect',
      model: { name: 'stories260k', folder: model, family: 'llama', nBlocks: 5, nParameters: 260032, dtype: 'F32' },
    });
    expect(stdout).toMatch(/^model +stories260k\nfamily +llama\nblocks +5\nparameters +260.0 k \(45.4 k a block\)\n/);
  });
});

describe('analyze', () => {
  it('scores every block by every method', async () => {
    const args = ['analyze', model, '--ids', ids, ...twoThreads];
    const found = await reportBy<AnalyzeReport>(espalierProcess, args);
    expect(found).toMatchObject({
      kind: 'analyze',
      ...runFacts,
      device: 'cpu',
      memory: 'resident',
      source: { nSequences: 8, tokensPerSequence: 256, idsSha256: reference.settings.ids_sha256_int32_le },
      transfers: { readBytes: { weight: 0 } },
    });
    expect(found.lossNats).toBeCloseTo(reference.dense.loss, 5);
    expect(found.perplexity).toBeCloseTo(reference.dense.perplexity, 3);
    expect(found.timing.tokens).toBe(8 * 256);
    expect(found.peakMemoryBytes).toBeGreaterThan(5e7); // two processes
    expect(found.peakMemoryBytes).toBeLessThan(5e8);
    expect(Object.keys(found.methods)).toEqual(forwardMethodNames);
    for (const { unit, of, paper, scores, standardErrors } of Object.values(found.methods)) {
      expect([unit, of, paper].every((word) => word.length > 0)).toBe(true);
      expect(scores).toHaveLength(5);
      expect(standardErrors).toHaveLength(5);
    }
    for (const part of ['loss 4.6775 nats', 'blockInfluence by block', '◀ least', 'best 4 in a row', 'peak memory'])
      expect(found.stdout).toContain(part);
    expect(found.stderr).toMatch(
      /^auto is the CPU, .*\nstories260k: 2048 tokens on cpu with 2 threads, weights resident; about .*\n$/,
    );
  });

  it('scores by the methods that are named', async () => {
    const found = await report<AnalyzeReport>(
      'analyze',
      model,
      '--ids',
      ids,
      '--methods',
      'mlpInfluence,angularDistance',
    );
    expect(Object.keys(found.methods)).toEqual(['mlpInfluence', 'angularDistance']);
  });

  it('takes 16 sequences of a text, or as many as there are, and others when asked', async () => {
    const common = ['analyze', model, '--text', text, '--methods', 'blockInfluence'];
    const all = await report<AnalyzeReport>(...common, '--tokens', '512');
    expect(all.source.nSequences).toBeGreaterThan(1);
    expect(all.source.nSequences).toBeLessThan(16);
    expect((await report<AnalyzeReport>(...common, '--tokens', '64')).source.nSequences).toBe(16);
    const cut = await report<AnalyzeReport>(
      ...common,
      '--tokens',
      '32',
      '--sequences',
      '3',
      '--start',
      '7',
      '--bos',
      'each',
    );
    expect(cut.source).toMatchObject({ nSequences: 3, tokensPerSequence: 32, start: 7, bos: 'each' });
    const [first, second] = [all, cut].map(({ source }) => source.files[0]!.sha256);
    expect(first).toBe(second);
  });

  it('draws the same sequences from the same seed', async () => {
    const drawn = async (seed: string) => {
      const random = ['--sampling', 'random', '--sequences', '4', '--tokens', '64', '--seed', seed];
      const { source, lossPerSequence, methods } = await report<AnalyzeReport>(
        'analyze',
        model,
        '--text',
        text,
        ...random,
      );
      return { source, lossPerSequence, methods };
    };
    const first = await drawn('1');
    expect(await drawn('1')).toEqual(first);
    expect((await drawn('2')).source.idsSha256).not.toBe(first.source.idsSha256);
  });

  it('measures losses when asked, and says how much of the model it took', async () => {
    const asked = ['--removals', '--sublayers', '--greedy', '2', '--suggestions', '2', '--what-if', '1,3;2a,4m'];
    const { removals, greedy, suggestions, whatIf, work, stdout } = await report<AnalyzeReport>(
      'analyze',
      model,
      '--ids',
      ids,
      '--methods',
      'blockInfluence',
      ...asked,
    );
    expect(removals!.blocks[3]!.lossNats).toBeCloseTo(reference.loss_without_block[3]!, 5);
    expect(removals!.attention![0]!.lossNats).toBeCloseTo(reference.loss_without_attention[0]!, 5);
    expect(removals!.mlp).toHaveLength(5);
    expect(greedy!.order).toEqual(reference.greedy.order.slice(0, 2));
    expect(suggestions!.map((it) => `${it.method} ${it.count}`)).toContain('removal 2');
    expect(whatIf!.map((it) => it.drop)).toEqual([
      { blocks: [1, 3], attention: [], mlp: [] },
      { blocks: [], attention: [2], mlp: [4] },
    ]);
    expect(whatIf![0]!.lossNats).toBeCloseTo(greedy!.lossNats[1]!, 5);
    expect(stdout).toMatch(/^without, nats +the block +its attention +its MLP\n0 +\+1\.5748 ±/m);
    expect(stdout).toMatch(/^1 +block 3 +5\.2856 +\+0\.6082 ±0\.\d+ +5$/m);
    expect(stdout).toMatch(/^attention 2; mlp 4 +\d/m);
    expect(stdout).toContain(`all took ${work!.blockRuns} block runs and ${work!.headRuns} head runs`);
  });

  it('holds matrices in the widest that fits, and says why', async () => {
    const asked = ['analyze', model, '--ids', ids, '--sequences', '2', '--weights', 'auto'];
    const { stdout, ...found } = await report<AnalyzeReport>(...asked);
    expect(found).toMatchObject({ weights: 'f32', whyWeights: expect.stringMatching(/^it fits in [\d.]+ GB$/) });
    expect(stdout).toMatch(/matrices held as f32, chosen by auto: it fits in [\d.]+ GB\n$/);
  });

  it('streams weights when asked', async () => {
    const { memory, lossNats } = await report<AnalyzeReport>('analyze', model, '--ids', ids, '--memory', 'streaming');
    expect(memory).toBe('streaming');
    expect(lossNats).toBeCloseTo(reference.dense.loss, 5);
  });
});

describe('suggest', () => {
  it('chooses from a report and says how to carry it out', async () => {
    const measured = ['--removals', '--greedy', '3'];
    const {
      stdout: _,
      stderr: __,
      ...analysis
    } = await report<AnalyzeReport>('analyze', model, '--ids', ids, ...measured);
    const file = join(root, 'analysis.json');
    writeFileSync(file, JSON.stringify(analysis));
    const rows: [string[], number[], RegExp][] = [
      [['--method', 'blockInfluence', '--count', '2'], [3, 4], /^drop 3,4\nblock +1 - cosine\n3 +0\.124\n4 +0\.126\n/],
      [['--method', 'blockInfluence', '--count', '2', '--protect', '3'], [2, 4], /^drop 2,4\n/],
      [['--method', 'angularDistance', '--count', '3'], [2, 3, 4], /^drop 2-4 \(0\.304 half turns across the span\)\n/],
      [['--method', 'deepest', '--count', '2'], [2, 3], /^drop 2,3\n/],
      [['--method', 'removal', '--count', '2'], [2, 3], /^drop 2,3\nblock +nats\n3 +5\.29\n2 +5\.30\n/],
      [['--method', 'greedy', '--count', '3'], [1, 2, 3], /^drop 1-3\nblock +nats\n3 +5\.29\n1 +6\.05\n2 +7\.19\n/],
    ];
    for (const [args, dropSet, shown] of rows) {
      const found = await report<{ kind: string; dropSet: number[]; command: string }>('suggest', file, ...args);
      expect(found).toMatchObject({ kind: 'suggestion', dropSet });
      expect(found.stdout).toMatch(shown);
      const [, folder] = /^to write it: espalier prune (\S+) --drop \S+ --out FOLDER$/m.exec(found.stdout)!;
      expect(resolve(folder!)).toBe(model);
    }
  });
});

describe('suggest, for a size', () => {
  it('finds what fits, and what it says to type writes a folder of that size', async () => {
    const {
      stdout: _,
      stderr: __,
      ...analysis
    } = await report<AnalyzeReport>('analyze', model, '--ids', ids, '--removals');
    const file = join(root, 'for-a-size.json');
    writeFileSync(file, JSON.stringify(analysis));
    const rows: [string[], number[], string][] = [
      [['--parameters', '214592'], [3], '--drop 3 --out'],
      [['--fit', '868kB'], [3], '--drop 3 --out'],
      [['--fit', '800kB'], [3], '--drop 3 --mlp-width 150 --text FILE --out'],
      [['--fit', '400kB', '--dtype', 'bf16'], [3], '--drop 3 --mlp-width 148 --text FILE --dtype bf16 --out'],
      [['--fit', '800kB', '--whole-blocks'], [2, 3], '--drop 2,3 --out'],
      [['--fit', '1MB'], [], '--mlp-width 160 --text FILE --out'],
    ];
    for (const [size, dropSet, options] of rows) {
      const found = await report<Suggestion>('suggest', file, '--method', 'removal', ...size);
      expect(found.dropSet, size.join(' ')).toEqual(dropSet);
      expect(found.command).toContain(options);
      const { weightBytes, parameters } = found.budget!.fitting;
      const out = join(root, `of-${size.join('')}`);
      const [, typed] = /espalier prune \S+ (.*) --out FOLDER/.exec(found.command)!;
      const pruned = await report<PruneReport>(
        ...([
          'prune',
          model,
          ...typed!.replace('--text FILE', `--ids ${ids}`).split(' '),
          '--out',
          out,
          ...twoThreads,
        ] as const),
      );
      expect(pruned.nParamsAfter).toBe(parameters);
      const written = statSync(join(out, 'model.safetensors')).size;
      expect(written).toBeLessThanOrEqual(weightBytes);
      expect(written).toBeGreaterThan(0.99 * weightBytes);
    }
  });
});

describe('suggest, after a search among sublayers', () => {
  it('names the sublayers, and how to drop them', async () => {
    const search = ['--methods', 'none', '--greedy', '3', '--greedy-of', 'sublayers'];
    const {
      stdout: _,
      stderr: __,
      ...analysis
    } = await report<AnalyzeReport>('analyze', model, '--ids', ids, ...search);
    const file = join(root, 'sublayers.json');
    writeFileSync(file, JSON.stringify(analysis));
    const found = await report<{ droppedSublayers: { attention: number[]; mlp: number[] }; command: string }>(
      ...(['suggest', file, '--method', 'greedy', '--count', '3'] as const),
    );
    const { attention, mlp } = found.droppedSublayers;
    expect(attention.length + mlp.length).toBe(3);
    const [, options] = /espalier prune \S+ (.*) --out FOLDER/.exec(found.command)!;
    const out = join(root, 'without-sublayers');
    const pruned = await report<PruneReport>('prune', model, ...options!.split(' '), '--out', out, ...twoThreads);
    expect(pruned).toMatchObject({ dropSet: [], droppedSublayers: { attention, mlp } });
    const { models } = await report<PerplexityReport>('perplexity', out, '--ids', ids);
    expect(models[0]!.lossNats).toBeCloseTo(analysis.greedy!.lossNats[2]!, 4);
  });
});

describe('prune', () => {
  it('writes the folder that is asked for', async () => {
    const out = join(root, 'pruned');
    const mergekit = join(root, 'mergekit.yaml');
    const args = ['prune', model, '--drop', '1,3', '--out', out, '--mergekit', mergekit, ...twoThreads];
    const found = await reportBy<PruneReport>(espalierProcess, args);
    expect(found).toMatchObject({
      kind: 'prune',
      ...runFacts,
      out,
      dropSet: [1, 3],
      keptBlocks: [0, 2, 4],
      removedBlocks: [1, 3],
      nParamsBefore: 260032,
      nParamsAfter: 260032 - 2 * 45440,
      weightFiles: ['model.safetensors'],
    });
    expect(found.stdout).toMatch(/^blocks +5 -> 3$/m);
    expect(found.stdout).toContain('(34.9 % fewer)');
    expect(parse(readFileSync(mergekit, 'utf8')).slices).toHaveLength(3);
    expect(readdirSync(out).sort()).toEqual(
      [
        ...readdirSync(model).filter((name) => /json$|^LICENSE|^NOTICE/.test(name)),
        'espalier.json',
        'model.safetensors',
      ].sort(),
    );
    const { model: pruned, stdout } = await report<{ model: object }>('inspect', out);
    expect(pruned).toMatchObject({ nBlocks: 3, prunedFrom: { model: 'stories260k', removedBlocks: [1, 3] } });
    expect(stdout).toMatch(/\nmade from +stories260k, without blocks 1,3\n/);
  });

  it('by a method, in another dtype and in shards, the report inside the folder', async () => {
    const out = join(root, 'by-method');
    const [rule, how] = [
      ['--method', 'relativeMagnitude', '--count', '2', '--protect', '0,3'],
      ['--dtype', 'bf16'],
    ];
    const { code, stderr } = await espalier([
      ...['prune', model, ...rule, '--ids', ids, ...how, '--shard-size', '1'],
      ...['--out', out, '--json', join(out, 'report.json'), '--quiet'],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const found = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as PruneReport;
    expect(found.dropSet).toEqual([2, 4]);
    expect(found.sizeBytesAfter).toBe(2 * found.nParamsAfter);
    expect(JSON.parse(readFileSync(join(out, 'espalier.json'), 'utf8')).steps[0].scores).toHaveLength(2);
  });
});

describe('perplexity', () => {
  it('compares models, on one source', async () => {
    const out = join(root, 'compared');
    await espalier(['prune', model, '--drop', '2', '--out', out]);
    const { models, stdout, ...rest } = await report<PerplexityReport>(
      'perplexity',
      model,
      out,
      '--ids',
      ids,
      ...twoThreads,
    );
    expect(rest).toMatchObject({ kind: 'perplexity', ...runFacts });
    expect(models).toHaveLength(2);
    const definition =
      'token perplexity, 8 sequences of 256 tokens, consecutive, stride 256, no bos, 255 predictions a sequence';
    expect(models[0]).toMatchObject({ name: 'stories260k', dropSet: [], nBlocks: 5, nTokens: 2048, definition });
    expect(models[0]!.lossNats).toBeCloseTo(reference.dense.loss, 5);
    expect(models[0]!.perplexity).toBeCloseTo(reference.dense.perplexity, 3);
    expect(models[1]).toMatchObject({ name: 'compared', nBlocks: 4, definition });
    expect(models[1]!.lossNats).toBeCloseTo(reference.loss_without_block[2], 5);
    expect(stdout).toContain(definition);
    expect(stdout).toMatch(/compared +4 +5\.3041 ±\S+ +201\.\d+ +\+0\.6267\n/);
  });

  it('leaves blocks out without writing', async () => {
    const { models, stdout } = await report<PerplexityReport>('perplexity', model, '--ids', ids, '--drop', '3');
    expect(models[0]).toMatchObject({ dropSet: [3], nBlocks: 4 });
    expect(models[0]!.lossNats).toBeCloseTo(reference.loss_without_block[3], 5);
    expect(stdout).toContain('stories260k without 3');
  });

  it('takes the whole text, by the sequences of the literature', async () => {
    const [own, preset] = [
      await report<PerplexityReport>('perplexity', model, '--text', text, '--tokens', '128'),
      await report<PerplexityReport>('perplexity', model, '--text', text, '--preset', '128'),
    ];
    expect(own.models[0]!.source).toMatchObject({ tokensPerSequence: 128, bos: 'none' });
    expect(preset.models[0]!.source).toMatchObject({ tokensPerSequence: 128, bos: 'tokenizer' });
    const { nTokensInText, nSequences } = own.models[0]!.source;
    expect(nSequences).toBe(Math.floor(nTokensInText! / 128));
  });
});

describe('generate', () => {
  it('writes on from the prompt', async () => {
    const args = ['generate', model, '--prompt', 'Once upon a time', '--bos', 'each', '--max-tokens', '20'];
    const found = await reportBy<{ text: string }>(espalierProcess, [...args, ...twoThreads]);
    expect(found).toMatchObject({ kind: 'generate', ...runFacts, nNewTokens: 20, stoppedBy: 'maxTokens', dropSet: [] });
    expect(found.text).toMatch(/^, there was a little girl named Lily\./);
    expect(found.stdout).toMatch(
      new RegExp(`^Once upon a time${found.text}\n20 tokens, \\S+ a second, ended by --max-tokens\n$`),
    );
    const uncached = await report<{ text: string }>(...args, '--no-cache');
    expect(uncached.text).toBe(found.text);
    const dropped = await report<{ text: string }>(...args, '--drop', '1-2');
    expect(dropped).toMatchObject({ dropSet: [1, 2] });
    expect(dropped.text).not.toBe(found.text);
  });
});

describe('--quiet', () => {
  const out = join(root, 'quiet');
  it.each([
    [['inspect', model]],
    [['analyze', model, '--ids', ids]],
    [['suggest', join(root, 'quiet.json'), '--method', 'blockInfluence', '--count', '1']],
    [['prune', model, '--method', 'blockInfluence', '--count', '1', '--ids', ids, '--out', out]],
    [['perplexity', model, out, '--ids', ids]],
    [['generate', model, '--prompt', 'Once', '--max-tokens', '5']],
  ])('%j prints nothing', async (args) => {
    if (args[0] === 'suggest')
      await espalier(['analyze', model, '--ids', ids, '--quiet', '--json', join(root, 'quiet.json')]);
    expect(await espalier([...args, '--quiet'])).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });
});
