// An engine that stays: it analyses, keeps the hidden states, and answers one question after another over IPC.
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { EngineEvent, EngineRequest } from '../../server/protocol/engine';
import type { AnalyzeRecipe } from '../../server/recipes/analyze/recipe';
import type { DropSet } from '../../server/protocol/recipes';
import type { Estimate } from '../../server/protocol/reports';
import { leastInTurns } from '../../server/recipes/analyze/speed';
import { ofBlocks, parseDropSet } from '../../server/shared/dropSets';
import { finiteLoss } from '../finiteLoss';
import { modelFolder, repoRoot } from '../fixtures';
import { noLosses, onCpu, runHere } from './runHere';

const source = { kind: 'ids', file: join(repoRoot, 'test/fixtures/reference/stories260k.json') } as const;
const recipe: AnalyzeRecipe = {
  kind: 'analyze',
  model: modelFolder('stories260k'),
  source,
  methods: ['blockInfluence'],
  measure: noLosses,
  stay: true,
  compute: onCpu,
};

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

/** An engine after its work, with what it told. */
async function staying(change: Partial<AnalyzeRecipe> = {}) {
  const child = fork(join(repoRoot, 'dist/engine.cjs'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.add(child);
  const events: EngineEvent[] = [];
  const waiting = new Set<() => void>();
  child.on('message', (event: EngineEvent) => {
    events.push(event);
    for (const look of waiting) look();
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const send = (request: EngineRequest) => child.send(request);
  const until = <T>(find: () => T | undefined) =>
    new Promise<T>((resolve) => {
      const look = () => {
        const found = find();
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const answerTo = (question: number) =>
    until(() =>
      events.find(
        (it) =>
          (it.kind === 'estimate' && it.question === question && it.estimate.final) ||
          ((it.kind === 'timed' || it.kind === 'refused') && it.question === question),
      ),
    );
  send({ kind: 'start', roots: null, hubToken: null, recipe: { ...recipe, ...change } });
  await until(() => events.find((it) => it.kind === 'done' || it.kind === 'failed'));
  return {
    events,
    ended,
    send,
    answerTo,
    estimatesOf: (question: number): Estimate[] =>
      events.flatMap((it) => (it.kind === 'estimate' && it.question === question ? [it.estimate] : [])),
    async ask(question: number, drop: DropSet) {
      send({ kind: 'ask', question, drop });
      return answerTo(question);
    },
  };
}

describe('an engine that stays', () => {
  it('answers with better and better values, the last one that of a whole measurement', async () => {
    const engine = await staying();
    const drop = parseDropSet('1,4m');
    await engine.ask(1, drop);
    const estimates = engine.estimatesOf(1);
    expect(estimates.map((it) => it.nSequences)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(estimates.map((it) => it.final)).toEqual([false, false, false, false, false, false, false, true]);
    const { whatIf, lossNats } = await runHere({ ...recipe, stay: false, measure: { ...noLosses, whatIf: [drop] } });
    const [last, expected] = [finiteLoss(estimates[7]!), finiteLoss(whatIf![0]!)];
    expect(last.lossNats).toBeCloseTo(expected.lossNats, 5);
    expect(last.costNats).toBeCloseTo(expected.lossNats - lossNats, 4);
    // The first interval says something about the last value.
    const first = finiteLoss(estimates[0]!);
    expect(first.standardError).toBeNull();
    expect(Math.abs(first.costNats - last.costNats)).toBeLessThan(5 * first.costStandardError);
  });

  it('knows an answer the second time', async () => {
    const engine = await staying();
    await engine.ask(1, ofBlocks([2]));
    await engine.ask(2, ofBlocks([2]));
    const again = engine.estimatesOf(2);
    expect(again).toHaveLength(1);
    expect(again[0]).toMatchObject({ lossNats: engine.estimatesOf(1).at(-1)!.lossNats, final: true });
  });

  it('gives up an older question for a newer one', async () => {
    const engine = await staying();
    engine.send({ kind: 'ask', question: 1, drop: ofBlocks([0]) });
    engine.send({ kind: 'ask', question: 2, drop: ofBlocks([1]) });
    engine.send({ kind: 'ask', question: 3, drop: ofBlocks([3]) });
    expect(await engine.answerTo(3)).toMatchObject({ kind: 'estimate', estimate: { final: true } });
    expect(await engine.answerTo(1)).toMatchObject({ kind: 'refused', code: 'superseded' });
    expect(await engine.answerTo(2)).toMatchObject({ kind: 'refused', code: 'superseded' });
  });

  it('refuses a set that does not fit, and goes on', async () => {
    const engine = await staying();
    expect(await engine.ask(1, ofBlocks([5]))).toMatchObject({
      kind: 'refused',
      code: 'badChoice',
      message: expect.stringContaining('There is no block 5'),
    });
    expect(await engine.ask(2, ofBlocks([]))).toMatchObject({ kind: 'estimate', estimate: { costNats: 0 } });
  });

  it('times the original beside what is left of it, on one micro-batch', async () => {
    const engine = await staying();
    engine.send({ kind: 'time', question: 1, drop: ofBlocks([1, 2, 3, 4]) });
    const timed = await engine.answerTo(1);
    if (timed?.kind !== 'timed') throw new Error(`not timed: ${JSON.stringify(timed)}`);
    const { baseMs, prunedMs, nTokens } = timed.speed;
    expect(prunedMs).toBeGreaterThan(0);
    expect(prunedMs).toBeLessThan(baseMs);
    expect(nTokens % 128).toBe(0);
    engine.send({ kind: 'time', question: 2, drop: ofBlocks([5]) });
    expect(await engine.answerTo(2)).toMatchObject({ kind: 'refused', code: 'badChoice' });
  });

  it.each(['ask', 'time'] as const)('gives up a timing for a newer question, to %s', async (kind) => {
    const engine = await staying();
    engine.send({ kind: 'time', question: 1, drop: ofBlocks([0]) });
    engine.send({ kind, question: 2, drop: ofBlocks([1]) });
    expect(await engine.answerTo(2)).toMatchObject({ kind: kind === 'time' ? 'timed' : 'estimate' });
    expect(await engine.answerTo(1)).toMatchObject({ kind: 'refused', code: 'superseded' });
    expect(engine.events.filter((it) => it.kind === 'timed')).toHaveLength(kind === 'time' ? 1 : 0);
  });

  it('gives up a question that is withdrawn, and no other', async () => {
    const engine = await staying();
    engine.send({ kind: 'time', question: 1, drop: ofBlocks([0]) });
    engine.send({ kind: 'withdraw', question: 7 });
    engine.send({ kind: 'withdraw', question: 1 });
    expect(await engine.answerTo(1)).toMatchObject({ kind: 'refused', code: 'superseded' });
    engine.send({ kind: 'ask', question: 2, drop: ofBlocks([0]) });
    engine.send({ kind: 'withdraw', question: 1 });
    expect(await engine.answerTo(2)).toMatchObject({ kind: 'estimate', estimate: { final: true } });
  });

  it('tells done once, and ends when it is cancelled', async () => {
    const engine = await staying();
    await engine.ask(1, ofBlocks([1]));
    engine.send({ kind: 'cancel' });
    expect(await engine.ended).toBe(0);
    expect(engine.events.filter((it) => it.kind === 'done')).toHaveLength(1);
    expect(engine.events.filter((it) => it.kind === 'failed')).toHaveLength(0);
  });
});

describe('two things taken in turns', () => {
  const turns = async (timesMs: readonly number[]) => {
    const taken: string[] = [];
    const take = (name: string, factor: number) => async () => {
      taken.push(name);
      return factor * timesMs[Math.min(Math.floor((taken.length - 1) / 2), timesMs.length - 1)]!;
    };
    const least = await leastInTurns(take('a', 2), take('b', 1));
    return { least, taken: taken.join('') };
  };
  it.each([
    { what: 'are warmed up, and then go on for a second', timesMs: [1, 99, 98, 97, 97], rounds: 4, least: 97 },
    { what: 'are taken three times where they are slow', timesMs: [1, 400, 300, 200], rounds: 3, least: 200 },
    { what: 'are not waited for long', timesMs: [1, 2000, 1], rounds: 1, least: 2000 },
  ])('$what', async ({ timesMs, rounds, least }) => {
    const found = await turns(timesMs);
    expect(found.least).toEqual([2 * least, least]);
    expect(found.taken).toBe('ab'.repeat(1 + rounds));
  });
});

it('an engine that does not stay ends after its work, and answers nothing', async () => {
  const engine = await staying({ stay: false });
  expect(await engine.ended).toBe(0);
});
