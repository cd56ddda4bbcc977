// A healing that is killed at any moment goes on as if nothing had been: the same numbers to the last bit, the same adapter,
// and nothing left lying about. Moments are drawn by a seed.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mulberry32 } from '../../server/data/random';
import { long, modelFolder } from '../fixtures';
import { childrenOf, contentsOf, espalier, isRunning, start, until } from './espalier';
import { storyText } from '../recipes/healing';

const root = mkdtempSync(join(tmpdir(), 'heal-interrupted-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const heal = (out: string) => [
  ...['heal', 'pruned', '--data', 'text.txt', '--out', out, '--tokens', '64', '--rank', '4', '--lr', '5e-3'],
  ...['--dropout', '0.1', '--steps', '30', '--save-every', '4', '--evaluate-every', '10', '--threads', '2', '--quiet'],
];

/** What a run says of itself, but for how fast it was. */
function numbersOf(out: string) {
  const read = (file: string) => readFileSync(join(root, out, file));
  const lines = read('run/metrics.jsonl').toString().trim().split('\n');
  const metrics = lines.map((line) => JSON.parse(line));
  for (const line of metrics) {
    delete line.checksum;
    if (line.step) delete line.step.tokensPerSecond;
  }
  return {
    metrics,
    csv: read('run/metrics.csv')
      .toString()
      .split('\n')
      .map((line) => line.split(',').toSpliced(4, 1).join()),
    state: JSON.parse(read('run/state.json').toString()),
    adapter: read('adapter_model.safetensors').toString('base64'),
    tensors: read('run/state-30.safetensors').toString('base64'),
    files: contentsOf(join(root, out)),
  };
}

let expected: ReturnType<typeof numbersOf>;
beforeAll(async () => {
  // The original lies beside the pruned one, so that references are recorded too.
  cpSync(modelFolder('stories260k'), join(root, 'stories260k'), { recursive: true });
  writeFileSync(join(root, 'text.txt'), storyText(400));
  mkdirSync(join(root, 'runs'));
  await espalier(['prune', 'stories260k', '--drop', '3', '--dtype', 'f32', '--out', 'pruned', '--quiet'], root);
  const { code, stderr } = await espalier(heal('runs/whole'), root);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expected = numbersOf('runs/whole');
});

/** Kills the run's whole process group; what was made by then. */
async function killed(args: string[], out: string, after: 'start' | 'step', delayMs: number): Promise<string> {
  const metrics = join(root, out, 'run/metrics.jsonl');
  const nSteps = () => (existsSync(metrics) ? (readFileSync(metrics, 'utf8').match(/^\{"step"/gm)?.length ?? 0) : 0);
  const before = nSteps();
  const started = start(args, root);
  let over = false;
  void started.ended.then(() => (over = true));
  if (after === 'step') await until('another step is made', () => over || nSteps() > before);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  const ended = over;
  if (!ended) process.kill(-started.pid, 'SIGKILL');
  await started.ended;
  await until('all of it is gone', () => !isRunning(started.pid));
  return ended ? 'after its end' : `${delayMs} ms after the ${after}, at ${before} + ${nSteps() - before} steps`;
}

const random = mulberry32(20);
const trials = Array.from({ length: long ? 20 : 3 }, (_, trial) => ({
  trial,
  // Every other run is killed twice. Processes need some 250 ms to come to their first step, and 800 to their last.
  kills: Array.from({ length: 1 + (trial % 2) }, () =>
    random() < 0.3
      ? { after: 'start' as const, delayMs: Math.round(100 + 700 * random()) }
      : { after: 'step' as const, delayMs: Math.round(800 * random()) },
  ),
}));

describe.skipIf(process.platform !== 'linux')('a healing that is killed', () => {
  it('has something to be equal in', () => {
    expect(expected.metrics).toHaveLength(1 + 30 + 4);
    const losses = expected.metrics.flatMap(({ step }) => (step ? [step.lossNats] : []));
    expect(new Set(losses).size).toBe(30);
    expect(expected.state).toMatchObject({ step: 30, evaluatedAtStep: 30 });
    expect(expected.files.filter((file) => file.includes('partial'))).toEqual([]);
  });

  it.each(trials)('goes on to the same end, $trial: $kills', { timeout: 120_000 }, async ({ trial, kills }) => {
    const out = `runs/${trial}`;
    // Killed before it had a folder, it begins again.
    const args = () => [...heal(out), ...(existsSync(join(root, out)) ? ['--resume'] : [])];
    const told: string[] = [];
    for (const { after, delayMs } of kills) told.push(await killed(args(), out, after, delayMs));
    if (existsSync(join(root, out))) expect(contentsOf(join(root, out))).toContain('adapter_model.safetensors');
    const { code, stderr } = await espalier(args(), root);
    console.log(`run ${trial}: killed ${told.join(', then ')}; went on with ${code}`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(numbersOf(out)).toEqual(expected);
    expect(contentsOf(join(root, 'runs')).filter((file) => file.includes('partial'))).toEqual([]);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s says how it goes on, and does', async (signal, exits) => {
    const out = `runs/${signal}`;
    const started = start(heal(out), root);
    await until('it is under way', () => existsSync(join(root, out, 'run/state.json')));
    process.kill(-started.pid, signal);
    const { code, stdout, stderr } = await started.ended;
    expect({ code, stdout, stderr }).toEqual({
      code: exits,
      stdout: '',
      stderr: `espalier: Cancelled; the run in ${out} goes on from its last saved state with --resume.\n`,
    });
    expect(await espalier([...heal(out), '--resume'], root)).toMatchObject({ code: 0, stderr: '' });
    expect(numbersOf(out)).toEqual(expected);
  });

  it('before it has begun says that nothing was written', async () => {
    const started = start(heal('runs/early'), root);
    await until('the engine is started', () => childrenOf(started.pid).length > 0);
    process.kill(started.pid, 'SIGINT');
    const { code, stderr } = await started.ended;
    const begun = existsSync(join(root, 'runs/early'));
    expect(code).toBe(130);
    expect(stderr).toBe(
      `espalier: Cancelled; ${begun ? 'the run in runs/early goes on from its last saved state with --resume' : 'nothing was written'}.\n`,
    );
  });
});
