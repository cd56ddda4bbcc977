// What a healing refuses, as a person types it: one sentence, exit code 2, nothing written and nothing lost. And a disk that
// fills up under it: the folder stays whole, and the run goes on when there is room.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readAdapter } from '../../server/checkpoint/adapter';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { modelFolder } from '../fixtures';
import { storyText } from '../recipes/healing';
import { contentsOf, espalier as espalierProcess } from './espalier';
import { espalier } from './inProcess';

/** Every command is run in this folder. */
const root = mkdtempSync(join(tmpdir(), 'heal-refused-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = (name: string, contents: string) => writeFileSync(join(root, name), contents);

const settings = ['--tokens', '64', '--steps', '12', '--save-every', '4', '--threads', '2'];
const heal = (out: string, ...more: string[]) => [
  ...['heal', 'pruned', '--out', out, ...settings, ...more],
  ...(more.includes('--data') ? [] : ['--data', 'text.txt']),
];
const begun = (...more: string[]) => heal('begun', '--resume', ...more);

beforeAll(async () => {
  file('text.txt', storyText(400));
  file('other.txt', storyText(500));
  file('short.txt', 'Once upon a time');
  file('empty.txt', '');
  file('chat.jsonl', '{"instruction": "Say hi.", "output": "Hi."}\n');
  file('odd.jsonl', '{"question": "Say hi.", "reply": "Hi."}\n');
  mkdirSync(join(root, 'taken'));
  file('taken/something', '');
  // Apart from the original, so that nobody finds it.
  for (const [drop, name] of [
    ['3', 'pruned'],
    ['2,3', 'smaller'],
  ])
    await espalier(
      ['prune', modelFolder('stories260k'), '--drop', drop!, '--dtype', 'f32', '--out', name!, '--quiet'],
      root,
    );
  const { code, stderr } = await espalierProcess([...heal('begun'), '--quiet'], root);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  cpSync(join(root, 'begun'), join(root, 'damaged'), { recursive: true });
  for (const name of ['recipe', 'state', 'state-before']) file(`damaged/run/${name}.json`, '{');
});

type Row = [what: string, args: string[], sentence: RegExp];
const commandLines: Row[] = [
  ['no data', ['heal', 'pruned', '--out', 'out'], /required option '--data/],
  ['no output', ['heal', 'pruned', '--data', 'text.txt'], /required option '--out/],
  ['no step', heal('out', '--steps', '0'), /^--steps 0 makes no sense; give a whole number of at least 1\.$/],
  ['no sequence', heal('out', '--micro-batch', '0'), /^--micro-batch 0 makes no sense/],
  ['no micro-batch', heal('out', '--accumulate', '0'), /^--accumulate 0 makes no sense/],
  ['a negative rate', heal('out', '--lr', '-1'), /'-1' is invalid\. It must be a number of 0 or more/],
  ['a rate beyond reason', heal('out', '--lr', '11'), /^--lr 11 makes no sense; give a number from 0 up to 10\.$/],
  ['a schedule that is none', heal('out', '--schedule', 'sine'), /Allowed choices are constant, linear, cosine\.$/],
  ['a memory of 1', heal('out', '--beta1', '1'), /'1' is invalid/],
  ['no epsilon', heal('out', '--epsilon', '0'), /^--epsilon 0 makes no sense; give a number above 0\.$/],
  ['no patience', heal('out', '--patience', '0'), /'0' is invalid/],
  ['all held out', heal('out', '--holdout', '1'), /'1' is invalid/],
  ['all dropped', heal('out', '--dropout', '1'), /'1' is invalid/],
  ['ranks that are none', heal('out', '--rank-pattern', 'q_proj'), /must be names with numbers/],
  [
    'no temperature',
    heal('out', '--objective', 'distillation', '--temperature', '0'),
    /^--temperature 0 makes no sense/,
  ],
];
const adapters: Row[] = [
  [
    'an unknown target',
    heal('out', '--targets', 'q_proj,gates'),
    /^gates is no target of an adapter; choose from q_proj, /,
  ],
  ['no rank', heal('out', '--rank', '0'), /^A rank of 0 makes no sense; give a whole number of at least 1/],
  [
    'a block that is not there',
    heal('out', '--blocks', '4'),
    /^Block 4 cannot get an adapter; the model has blocks 0 to 3\.$/,
  ],
  ['a rank for nobody', heal('out', '--rank-pattern', 'x_proj=3'), /x_proj/],
  ['no adapter to begin with', heal('out', '--init', 'taken'), /^taken has no adapter_config\.json; give the folder/],
  [
    "another model's adapter",
    ['heal', 'smaller', ...heal('out', '--init', 'begun').slice(2)],
    /but the model has blocks 0 to 2; is it the adapter of another model\?$/,
  ],
];
const data: Row[] = [
  ['no such data', heal('out', '--data', 'none.txt'), /none\.txt/],
  ['an empty file', heal('out', '--data', 'empty.txt'), /^There is no text in empty\.txt; give files with text\.$/],
  [
    'too short a text',
    heal('out', '--data', 'short.txt'),
    /^The text has 4 tokens, from 0 on enough for 0 sequences of 64/,
  ],
  [
    'chats for a model without a template',
    heal('out', '--data', 'chat.jsonl'),
    /^The data is instructions, but the model has no chat template/,
  ],
  [
    'columns that we do not know',
    heal('out', '--data', 'odd.jsonl'),
    /^odd\.jsonl has the columns question, reply, but we know/,
  ],
  ['sequences longer than the context', heal('out', '--tokens', '513'), /longer than the model's context of 512/],
  ['nothing to evaluate on', heal('out', '--held-out-text', 'none.txt'), /^There is no file none\.txt/],
  ['a start beyond the end', heal('out', '--start', '999999'), /^The start 999999 lies beyond/],
  [
    'distillation from nobody',
    heal('out', '--objective', 'distillation'),
    /^Distillation learns from the original model: say where it is by --dense FOLDER\.$/,
  ],
  [
    'an original that is smaller',
    heal('out', '--dense', 'smaller'),
    /^smaller has 3 blocks, fewer than the 4 of pruned; give/,
  ],
  ['an original that is none', heal('out', '--dense', 'taken'), /taken has no config\.json/],
  [
    'too little memory',
    heal('out', '--memory-limit', '100'),
    /^Training needs \d+ MB .*only 100 MB may be used: use fewer --tokens/,
  ],
];
const outputs: Row[] = [
  ['a taken output', heal('taken'), /taken exists and is not empty; choose another folder or delete it\.$/],
  ['the output of another run', heal('begun'), /begun exists and is not empty/],
  ['a file as output', heal('short.txt'), /short\.txt is a file/],
  ['an output in the model', heal('pruned/out'), /lies inside/],
  ['its own text as output', heal('text.txt'), /text\.txt is being read; choose another place/],
  ['nothing to resume', heal('nowhere', '--resume'), /nowhere holds no run to resume; leave out --resume to begin one/],
  ['no run in what is to be resumed', heal('taken', '--resume'), /taken holds no run to resume/],
  [
    'another rate',
    begun('--lr', '1'),
    /begun was begun with optimizer\.learningRate = 0\.0005, not 1; resume it with that, or begin another/,
  ],
  ['more steps', begun('--steps', '20'), /was begun with loop\.steps = 12, not 20/],
  ['other data', begun('--data', 'other.txt'), /was begun with other data; resume it with the same files/],
  [
    'another model',
    ['heal', 'smaller', ...begun().slice(2)],
    /was begun on stories260k without blocks? \d+, not on stories260k/,
  ],
  [
    'a damaged run',
    heal('damaged', '--resume'),
    /damaged\/run\/recipe\.json is damaged, so that its run cannot be resumed/,
  ],
];

/** All files under the folder with what they are. */
const everything = () =>
  contentsOf(root).map((path) => {
    const stats = statSync(join(root, path));
    return stats.isFile() ? `${path} ${readFileSync(join(root, path)).subarray(-3000).toString('base64')}` : path;
  });

describe.each<[string, Row[]]>([
  ['a command line', commandLines],
  ['an adapter', adapters],
  ['data', data],
  ['an output', outputs],
])('%s', (_, rows) => {
  it.each(rows)('%s', async (_, args, sentence) => {
    const before = everything();
    const { code, signal, stdout, stderr } = await espalier(args, root);
    expect({ code, signal, stdout }, stderr).toEqual({ code: 2, signal: null, stdout: '' });
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+|undefined|NaN|\[object/);
    expect(stderr.slice('espalier: '.length, -1)).toMatch(sentence);
    expect(everything()).toEqual(before);
  });

  const [what, args] = rows.at(-1)!;
  it(`${what}, as a program`, async () => {
    const before = everything();
    expect(await espalierProcess(args, root)).toEqual(await espalier(args, root));
    expect(everything()).toEqual(before);
  });
});

describe('a full disk', () => {
  /** The adapter and one state fit beside each other, a second state does not. */
  it('under a run leaves it whole, and it goes on when there is room', async ({ skip }) => {
    const disk = join(root, 'disk');
    mkdirSync(disk);
    const mount = (...options: string[]) => execFileSync('mount', [...options, disk], { stdio: 'ignore' });
    try {
      mount('-t', 'tmpfs', '-o', 'size=460k', 'tmpfs');
    } catch {
      if (process.env.CI === 'true') throw new Error('under CI every test has to run, and this one needs root');
      skip('mounting needs root');
    }
    try {
      const full = await espalierProcess(heal('disk/out', '--quiet'), root);
      expect({ code: full.code, stdout: full.stdout }, full.stderr).toEqual({ code: 2, stdout: '' });
      expect(full.stderr).toMatch(
        /^espalier: The run in .*disk\/out cannot be recorded \(.*ENOSPC[^\n]*make room and go on from its last saved state with --resume\.\n$/,
      );
      expect(contentsOf(disk).filter((path) => path.includes('partial'))).toEqual([]);
      const checkpoint = await openCheckpoint(join(root, 'pruned'));
      await checkpoint.close();
      expect((await readAdapter(join(disk, 'out'), checkpoint.config)).modules).toHaveLength(28);
      const again = await espalierProcess([...heal('disk/out', '--quiet'), '--resume'], root);
      expect(again.code).toBe(2);
      mount('-o', 'remount,size=4m');
      const rest = await espalierProcess([...heal('disk/out', '--quiet'), '--resume'], root);
      expect({ code: rest.code, stderr: rest.stderr }).toEqual({ code: 0, stderr: '' });
      const adapter = (out: string) => readFileSync(join(root, out, 'adapter_model.safetensors'));
      // begun is the same run on a disk with room.
      expect(adapter('disk/out').equals(adapter('begun'))).toBe(true);
      expect(contentsOf(join(disk, 'out'))).toEqual(contentsOf(join(root, 'begun')));
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
