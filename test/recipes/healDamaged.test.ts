// A healing of which one file was damaged: it goes on to the same numbers, with less only where that file was all there was, and says
// so in one sentence. One run is made, and stopped after seven steps with states after five and seven; copies are damaged.
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { begunIn } from '../../server/recipes/heal/folder';
import type { HealReport } from '../../server/recipes/heal/recipe';
import { readSavedState } from '../../server/recipes/heal/savedState';
import { type Damage, damageNames, damages } from '../damage';
import { adapterBytes, openHealings, stepsOf } from './healing';

const { root, heal } = openHealings();
const loop = { steps: 9, evaluateEverySteps: 3, saveEverySteps: 5 };
let begun: string;
let expected: { report: HealReport; adapter: string };
let nCopies = 0;

beforeAll(async () => {
  const stopped = await heal({ loop }, (event, tell) => {
    if (event.kind === 'step' && event.step.step === 6) tell('stopAndSave');
  });
  begun = stopped.out;
  const out = copy();
  const { report } = await heal({ out, resume: true, loop });
  expected = { report, adapter: adapterBytes(out) };
  expect(report.evals.map(({ step }) => step)).toEqual([0, 3, 6, 7, 9]);
});

function copy(): string {
  const out = join(root, `copy-${nCopies++}`);
  cpSync(begun, out, { recursive: true });
  return out;
}

/** Goes on with a copy that was damaged. */
async function resumed(harm: (out: string) => void) {
  const out = copy();
  harm(out);
  const { report, events } = await heal({ out, resume: true, loop });
  const said = events.flatMap((event) => (event.kind === 'warning' ? [event.text.replaceAll(`${out}/`, '')] : []));
  return { report, said, adapter: adapterBytes(out), out };
}

const older = (file: string) => `run/${file} is damaged; the run goes on from the state before it, after 5 steps.`;
const restored = 'run/recipe.json was damaged; it is written anew from the saved state.';
const files = ['run/state.json', 'run/state-7.safetensors', 'run/recipe.json'] as const;
const sentences = {
  'run/state.json': older('state.json'),
  'run/state-7.safetensors': older('state-7.safetensors'),
  'run/recipe.json': restored,
};

describe('of the saved states the newest that is whole is taken', () => {
  const rows = files.slice(0, 2).flatMap((file) => damageNames.map((damage) => ({ file, damage })));
  it.each(rows)('$file, $damage', async ({ file, damage }) => {
    const out = copy();
    damages[damage](join(out, file));
    const { state, said } = await readSavedState(join(out, 'run'));
    const isHarmless = file === 'run/state.json' && damage === 'withoutItsLineEnd';
    // Without state.json the state before it is the newest that is known.
    const isSilent = isHarmless || (file === 'run/state.json' && damage === 'gone');
    expect(state!.progress.step).toBe(isHarmless ? 7 : 5);
    expect(said.map((text) => text.replaceAll(`${out}/`, ''))).toEqual(isSilent ? [] : [sentences[file]]);
  });

  it.each(damageNames)('and what it was begun with from either: %s', async (damage) => {
    const out = copy();
    const whole = await begunIn(out);
    damages[damage](join(out, 'run/recipe.json'));
    expect(await begunIn(out)).toEqual(whole);
  });
});

describe('a healing goes on to the same numbers', () => {
  it.each(files)('%s, a bit of it', async (file) => {
    const found = await resumed((out) => damages.flippedBit(join(out, file)));
    expect(found.said).toEqual([sentences[file]]);
    expect(stepsOf(found.report)).toEqual(stepsOf(expected.report));
    // What was judged after seven steps was judged because the run was stopped there.
    const judged = ({ evals }: HealReport) => evals.filter(({ step }) => step !== 7);
    expect(judged(found.report)).toEqual(judged(expected.report));
    expect(found.adapter).toBe(expected.adapter);
  });

  const steps = (which: number[]) => stepsOf(expected.report).filter(({ step }) => !which.includes(step));
  // The lines: references, evaluation 0, steps 0 to 2, evaluation 3, steps 3 to 5, evaluation 6, step 6, evaluation 7.
  const lines: { damage: Damage; lost: number[]; said: string[] }[] = [
    { damage: 'zeroed', lost: [0, 1, 2, 3, 4, 5, 6], said: ['steps 0, 1, 2, 3, 4 and 2 more'] },
    { damage: 'withoutItsLastBytes', lost: [], said: ['an evaluation'] },
    { damage: 'withoutItsLineEnd', lost: [], said: [] },
    { damage: 'aLineTwice', lost: [], said: [] },
  ];
  it.each(lines)('run/metrics.jsonl, $damage: the curve lacks $said', async ({ damage, lost, said }) => {
    const found = await resumed((out) => damages[damage](join(out, 'run/metrics.jsonl')));
    expect(found.said).toEqual(
      said.map((what) => `run/metrics.jsonl is damaged; the curve lacks ${what}, and nothing else is lost.`),
    );
    expect(stepsOf(found.report)).toEqual(steps(lost));
    expect(found.report.pruned).toEqual(expected.report.pruned);
    expect(found.adapter).toBe(expected.adapter);
  });

  it('run/metrics.jsonl, a bit of a line: it lacks that step, and its file for spreadsheets does too', async () => {
    const found = await resumed((out) => {
      damages.flippedBit(join(out, 'run/metrics.jsonl'));
      damages.zeroed(join(out, 'run/metrics.csv'));
    });
    const [step] = stepsOf(expected.report).filter(({ step }) => !stepsOf(found.report).some((it) => it.step === step));
    expect(found.said).toEqual([
      `run/metrics.jsonl is damaged; the curve lacks step ${step!.step}, and nothing else is lost.`,
    ]);
    expect(stepsOf(found.report)).toEqual(steps([step!.step]));
    expect(found.report.evals).toEqual(expected.report.evals);
    const csv = readFileSync(join(found.out, 'run/metrics.csv'), 'utf8').trimEnd().split('\n');
    expect(csv).toHaveLength(1 + 8 + 5);
  });

  it.each(['flippedBit', 'gone'] as const)('adapter_model.safetensors, %s', async (damage) => {
    const found = await resumed((out) => damages[damage](join(out, 'adapter_model.safetensors')));
    expect(found.said).toEqual([
      'adapter_model.safetensors is damaged; in its place is the adapter after 7 steps, where the run goes on.',
    ]);
    expect(found.report).toMatchObject({ evals: expected.report.evals, healed: expected.report.healed });
    expect(found.adapter).toBe(expected.adapter);
  });

  it.each(['adapter_config.json', 'run/best.json'])('%s, which is made anew or only looked at', async (file) => {
    const found = await resumed((out) => damages.zeroed(join(out, file)));
    expect(found.said).toEqual([]);
    expect(found.report.healed).toEqual(expected.report.healed);
  });
});

describe('a healing without a whole state', () => {
  const both = ['run/state.json', 'run/state-5.safetensors'];
  it.each([
    { files: both, says: /run\/state\.json is damaged, and so is .*run\/state-5\.safetensors of the state before it;/ },
    {
      files: ['run/state-7.safetensors', 'run/state-before.json'],
      says: /run\/state-7\.safetensors is damaged, and so is .*run\/state-before\.json/,
    },
  ])('is refused by name: $files', async ({ files: harmed, says }) => {
    const found = resumed((out) => {
      for (const file of harmed) damages.flippedBit(join(out, file));
    });
    await expect(found).rejects.toMatchObject({ code: 'badData', message: expect.stringMatching(says) });
  });

  it('and one of an earlier version, without sums, goes on', async () => {
    const { writeFileSync, rmSync } = await import('node:fs');
    const found = await resumed((out) => {
      const at = (file: string) => join(out, 'run', file);
      const { checksum: _, sha256: _s, begun: _b, ...state } = JSON.parse(readFileSync(at('state.json'), 'utf8'));
      writeFileSync(at('state.json'), JSON.stringify(state));
      for (const file of ['recipe.json', 'metrics.jsonl'])
        writeFileSync(at(file), readFileSync(at(file), 'utf8').replace(/,\s*"checksum": ?"[0-9a-f]{16}"/g, ''));
      for (const file of ['best.json', 'state-before.json']) rmSync(at(file));
    });
    expect(found).toMatchObject({ said: [], adapter: expected.adapter });
    expect(stepsOf(found.report)).toEqual(stepsOf(expected.report));
  });
});
