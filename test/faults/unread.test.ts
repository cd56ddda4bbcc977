// A file of ours that the system does not give at the moment is there all the same: it is not taken for damaged or missing, nothing is
// written in its place, and a sentence names it. When it is asked for again all goes on as if nothing had been.
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { withOwner } from '../../server/files/owner';
import { protocolName } from '../../server/protocol/compatibility';
import { lockPath, serverIdentityOf, serverLives } from '../../server/protocol/serverLock';
import { modelFolder } from '../fixtures';
import { adapterBytes, openHealings } from '../recipes/healing';
import { runHere } from '../recipes/runHere';
import { openStudies } from '../recipes/studies';
import type { Fault } from './kinds';
import { installFaults } from './layer';
import { hashOf } from './rehearsal';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'unread-')));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const refusals = [
  // What is replaced while it is opened is opened again.
  { kind: 'open', how: 'EMFILE', lasting: true },
  { kind: 'read', how: 'EIO', lasting: false },
] as const;

/** Carries it out while the first such call on the file fails. */
async function failing(
  folder: string,
  fault: Omit<Fault, 'n'> & Partial<Fault>,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const layer = installFaults(folder, { n: 0, ...fault });
  try {
    return await work();
  } finally {
    layer.remove();
    expect(layer.hit()).toContain(fault.how);
  }
}

const unread = (path: string, how: string) =>
  expect.objectContaining({
    code: 'cannotRead',
    message: expect.stringMatching(new RegExp(`^Cannot read ${path.replaceAll('.', '\\.')} \\(${how}\\): [^\\n]+\\.$`)),
  });

const { heal, place } = openHealings();
const loop = { steps: 4, evaluateEverySteps: 2, saveEverySteps: 2 };
const begun = { out: '', adapter: '' };
beforeAll(async () => {
  const { out } = await heal({ loop }, (event, tell) => {
    if (event.kind === 'step' && event.step.step === 2) tell('stopAndSave');
  });
  const whole = place();
  cpSync(out, whole, { recursive: true });
  await heal({ out: whole, resume: true, loop });
  Object.assign(begun, { out: realpathSync(out), adapter: adapterBytes(whole) });
});

const ofHealings = ['recipe.json', 'state.json', 'state-3.safetensors', 'metrics.jsonl', 'best.json']
  .map((name) => `run/${name}`)
  .concat('adapter_model.safetensors');

describe('a healing that is resumed', () => {
  it.each(ofHealings.flatMap((file) => refusals.map((refusal) => ({ file, ...refusal }))))(
    'leaves $file as it is: $kind, $how',
    async ({ file, how, ...fault }) => {
      const before = hashOf(begun.out);
      const resumed = failing(begun.out, { ...fault, how, at: `/${file}` }, () =>
        heal({ out: begun.out, resume: true, loop }),
      );
      await expect(resumed).rejects.toEqual(unread(join(begun.out, file), how));
      expect(hashOf(begun.out)).toBe(before);
    },
  );

  it('goes on when they are read', async () => {
    const out = place();
    cpSync(begun.out, out, { recursive: true });
    const { report } = await heal({ out, resume: true, loop });
    expect(report.warning ?? '').not.toContain('damaged');
    expect(adapterBytes(out)).toBe(begun.adapter);
  });
});

describe('a study that is gone on with', () => {
  const { root: studies, studyOf } = openStudies();
  const recipe = studyOf({
    ...{ methods: ['blockInfluence'], counts: [1], repairs: ['none'], healing: null, evaluate: null },
    out: join(realpathSync(studies), 'small'),
  });
  beforeAll(async () => void (await runHere(recipe)));

  it.each(['study.json', 'steps/analyze.json'].flatMap((file) => refusals.map((refusal) => ({ file, ...refusal }))))(
    'leaves $file as it is: $kind, $how',
    async ({ file, how, ...fault }) => {
      const before = hashOf(recipe.out);
      const again = failing(recipe.out, { ...fault, how, at: `/${file}` }, () => runHere(recipe));
      await expect(again).rejects.toEqual(unread(join(recipe.out, file), how));
      expect(hashOf(recipe.out)).toBe(before);
    },
  );

  it('whose folder cannot be looked at is not taken for another thing', async () => {
    const again = failing(recipe.out, { kind: 'stat', how: 'EIO', at: '/study.json' }, () => runHere(recipe));
    await expect(again).rejects.toEqual(unread(join(recipe.out, 'study.json'), 'EIO'));
  });
});

it.each(refusals)('weights of a model are not damaged: $kind, $how', async ({ how, ...fault }) => {
  const model = join(root, `model-${how}`);
  cpSync(modelFolder('stories260k'), model, { recursive: true });
  const opening = failing(model, { ...fault, how, at: '/model.safetensors' }, () => openCheckpoint(model));
  await expect(opening).rejects.toEqual(unread(join(model, 'model.safetensors'), how));
});

describe('a lock that is not given is that of somebody who lives', () => {
  const elsewhere = { ...serverIdentityOf(process.pid), place: 'another boot' };

  it.each(refusals)('of an output: $kind, $how', async ({ kind, how }) => {
    const [outer, lock] = [join(root, `outer-${kind}`), join(root, `.outer-${kind}.espalier-lock`)];
    mkdirSync(outer);
    writeFileSync(lock, JSON.stringify({ ...elsewhere, work: 'heal', sinceEpochMs: 0 }));
    const own = () => withOwner(join(outer, 'inner'), 'prune', async () => 'owned');
    await expect(own()).rejects.toThrow('Another run is writing');
    const owning = failing(root, { kind, how, at: lock }, own);
    await expect(owning).rejects.toEqual(unread(lock, how));
  });

  it('of a server, whose time is asked for', async () => {
    const data = join(root, 'data');
    const path = lockPath(data, elsewhere);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, JSON.stringify({ ...elsewhere, port: 1, token: 't', protocol: protocolName, build: 'b' }));
    expect(serverLives(data, elsewhere)).toBe(true);
    // It is read first.
    const fault: Fault = { kind: 'open', how: 'EMFILE', at: path, n: 1 };
    expect(await failing(data, fault, async () => serverLives(data, elsewhere))).toBe(true);
  });
});
