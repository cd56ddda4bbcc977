// Runs of every kind, killed at moments drawn by a seed with all their processes, then run again as a person would: the report is
// that of a run that nobody killed, and nothing is left lying about. Prints how many were killed in the middle of what.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { contentsOf, espalier, isRunning, start, until } from '../cli/espalier';
import { long, modelFolder, repoRoot } from '../fixtures';
import { storyText } from '../recipes/healing';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'killed-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const text = ['--text', 'text.txt', '--sequences', '24', '--tokens', '128'];
const compute = ['--threads', '2'];
const tasks = join(repoRoot, 'test/fixtures/evaluation/data');

interface Kind {
  /** @param out a folder of its own, in which `made` is the output and report.json the report */
  args(out: string): string[];
  /** What makes it go on where it was killed. */
  resumes?: (out: string) => string[];
}
const kinds: Record<string, Kind> = {
  prune: {
    args: (out) => ['prune', 'base', '--method', 'blockInfluence', '--count', '1', ...text, '--out', `${out}/made`],
  },
  repair: {
    args: (out) => ['prune', 'base', '--drop', '2', '--repair', 'linear', ...text, '--out', `${out}/made`],
  },
  sparsify: { args: (out) => ['sparsify', 'base', '--ratio', '0.5', '--out', `${out}/made`] },
  analyze: { args: () => ['analyze', 'base', '--removals', '--sublayers', ...text] },
  greedy: { args: () => ['analyze', 'base', '--greedy', '3', ...text] },
  perplexity: { args: () => ['perplexity', 'base', '--text', 'text.txt', '--sequences', '64', '--tokens', '128'] },
  evaluate: {
    args: () => ['evaluate', 'base', 'pruned', '--tasks', 'hellaswag,arc_easy', '--data', tasks, '--items', '0:20'],
  },
  merge: { args: (out) => ['merge', 'pruned', 'adapter', '--out', `${out}/made`] },
  heal: {
    args: (out) => [
      ...['heal', 'pruned', '--data', 'text.txt', '--tokens', '64', '--rank', '4', '--steps', '20'],
      ...['--save-every', '3', '--evaluate-every', '6', '--out', `${out}/made`],
    ],
    resumes: (out) => (existsSync(join(root, out, 'made')) ? ['--resume'] : []),
  },
  study: { args: (out) => ['run', `${out}/study.yaml`] },
};

const studyIn = (out: string) => `
kind: study
model: ../base
out: made
source: { kind: text, files: [../text.txt], tokens: 64, sequences: 4 }
methods: [blockInfluence, greedy]
counts: [1, 2]
healing:
  counts: [1]
  data: { files: [../text.txt], tokens: 64, start: 512 }
  adapter: { rank: 4 }
  loop: { steps: 6, microBatchSequences: 2, saveEverySteps: 3, evaluateEverySteps: 6 }
perplexity: { kind: text, files: [../text.txt], tokens: 64, sequences: 4, start: 256 }
compute: { device: cpu, threads: 2 }
# ${out}
`;

function commandOf(name: string, out: string): string[] {
  const { args } = kinds[name]!;
  const common = name === 'study' ? [] : compute;
  return [...args(out), ...common, '--json', `${out}/report.json`];
}

function prepare(out: string): void {
  mkdirSync(join(root, out));
  writeFileSync(join(root, out, 'study.yaml'), studyIn(out));
}

/** What depends on the moment and on the place, but for which two reports are equal. */
const incidental = new Set([
  ...[
    'timing',
    'peakMemoryBytes',
    'peakTensorBytes',
    'transfers',
    'elapsedMs',
    'tokensPerSecond',
    'remainingSeconds',
    'estimatedSeconds',
  ],
  ...['operationsPerSecond', 'doneBefore', 'date', 'seconds', 'memoryBytes', 'speed', 'createdAt', 'spent'],
  'total_evaluation_time_seconds',
]);
function withoutIncidental(value: unknown, out: string): unknown {
  const text = JSON.stringify(value, (key, inner) => (incidental.has(key) ? undefined : inner));
  return JSON.parse(text.replaceAll(join(root, out), 'OUT').replaceAll(`${out}/`, 'OUT/'));
}
const reportOf = (out: string) =>
  withoutIncidental(JSON.parse(readFileSync(join(root, out, 'report.json'), 'utf8')), out);
/** Weights that were written, to the last bit. */
const weightsOf = (out: string): string[] =>
  contentsOf(join(root, out))
    .filter((file) => /(^|\/)(adapter_)?model\.safetensors$/.test(file))
    .map((file) => `${file} ${readFileSync(join(root, out, file)).toString('base64')}`);
/** Files of tensors that a run keeps for going on are as many as states. */
const filesOf = (out: string) => contentsOf(join(root, out)).filter((file) => !file.startsWith('.'));

const whole = new Map<string, { report: unknown; weights: string[]; files: string[]; tookMs: number }>();
beforeAll(async () => {
  cpSync(modelFolder('stories260k'), join(root, 'base'), { recursive: true });
  writeFileSync(join(root, 'text.txt'), storyText(900));
  const done = async (args: string[]) => {
    const { code, stderr } = await espalier([...args, '--quiet'], root);
    expect({ code, args, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, args, stderr: '' });
  };
  await done(['prune', 'base', '--drop', '3', '--dtype', 'f32', '--out', 'pruned']);
  await done([...kinds.heal!.args('.').slice(0, -1), 'adapter']);
  for (const name of Object.keys(kinds)) {
    const out = `whole-${name}`;
    prepare(out);
    const began = performance.now();
    await done(commandOf(name, out));
    const tookMs = performance.now() - began;
    whole.set(name, { report: reportOf(out), weights: weightsOf(out), files: filesOf(out), tookMs });
  }
}, 300_000);

const random = mulberry32(200);
const nKills = Number(process.env.ESPALIER_KILLS ?? (long ? 200 : 10));
const trials = Array.from({ length: nKills }, (_, trial) => ({
  trial,
  name: Object.keys(kinds)[trial % Object.keys(kinds).length]!,
  /** Of the time that a whole run takes. */
  at: 0.05 + 0.95 * random(),
}));

/** By kind: in the middle of what it was met. */
const met = new Map<string, number>();
afterAll(() => {
  const lines = [...met].sort().map(([what, n]) => `${String(n).padStart(4)}  ${what}`);
  console.log(`${trials.length} moments:\n${lines.join('\n')}`);
});

/** What lies there says how far it had come. */
function middleOf(out: string, over: boolean): string {
  if (over) return 'after its end';
  const files = contentsOf(join(root, out));
  if (files.some((file) => /\.partial-/.test(file))) return 'while it wrote';
  if (files.some((file) => file.startsWith('made/'))) return 'between what it wrote';
  return 'before it wrote';
}

describe.skipIf(process.platform !== 'linux')('a run that is killed', () => {
  it.each(trials)(
    'comes to the same report: $trial, $name at $at',
    { timeout: 240_000 },
    async ({ trial, name, at }) => {
      const out = `run-${trial}`;
      prepare(out);
      const { tookMs, ...expected } = whole.get(name)!;
      const started = start([...commandOf(name, out), '--quiet'], root);
      let over = false;
      void started.ended.then(() => (over = true));
      await new Promise((resolve) => setTimeout(resolve, at * tookMs));
      const hasEnded = over;
      const what = `${name}, ${middleOf(out, hasEnded)}`;
      if (!hasEnded) process.kill(-started.pid, 'SIGKILL');
      await started.ended;
      await until('all of it is gone', () => !isRunning(started.pid));
      met.set(what, (met.get(what) ?? 0) + 1);
      // What is done is not done again by a person.
      if (!hasEnded || name === 'heal' || name === 'study') {
        const again = [...commandOf(name, out), ...(kinds[name]!.resumes?.(out) ?? []), '--quiet'];
        const isWritten = existsSync(join(root, out, 'made')) && !kinds[name]!.resumes && name !== 'study';
        if (isWritten) rmSync(join(root, out, 'made'), { recursive: true });
        const { code, stderr } = await espalier(again, root);
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      }
      expect(reportOf(out)).toEqual(expected.report);
      expect(weightsOf(out)).toEqual(expected.weights);
      expect(filesOf(out)).toEqual(expected.files);
      expect(contentsOf(join(root, out)).filter((file) => /partial|espalier-lock/.test(file))).toEqual([]);
      rmSync(join(root, out), { recursive: true });
    },
  );
});
