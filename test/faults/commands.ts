// What is swept: commands of the command line, carried out in this process. Thousands of them are, each of which computes the same,
// so that graphs are compiled and charts are drawn once, and the speed of the machine is not measured.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { espalier } from '../cli/inProcess';
import { modelFolder } from '../fixtures';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { single } from '../hub/models';
import type { StudyReport } from '../../server/recipes/study/recipe';
import type * as Charts from '../../server/reporting/studyCharts';
import type * as Sessions from '../../server/runtime/sessions';
import { storyText } from '../recipes/healing';
import { findings } from '../recipes/studies';
import { installFaults } from './layer';
import { type Ended, hashOf, type Scenario } from './rehearsal';

vi.mock('../../server/runtime/speed', () => ({ measureOperationsPerSecond: async () => 1e9 }));
vi.mock('../../server/runtime/programCheck', () => ({ openProgramCheck: () => () => {} }));
vi.mock('../../server/reporting/studyCharts', async (original) => {
  const actual = await original<typeof Charts>();
  let drawn: ReturnType<typeof actual.studyCharts> | null = null;
  return { ...actual, studyCharts: (report: StudyReport) => (drawn ??= actual.studyCharts(report)) };
});
vi.mock('../../server/runtime/sessions', async (original) => {
  const { compilingOnce } = await import('./compiled');
  const actual = await original<typeof Sessions>();
  return { ...actual, openSessions: compilingOnce(actual.openSessions) };
});

async function run(command: readonly string[], folder: string): Promise<Ended> {
  const { code, stderr } = await espalier([...command, '--quiet'], folder);
  return code === 0 ? { done: true } : { done: false, said: stderr };
}

async function done(command: readonly string[], folder: string): Promise<void> {
  const ended = await run(command, folder);
  if (!ended.done) throw new Error(ended.said);
}

/** A text, and three blocks of the tiny model: fewer would leave nothing to choose, and each has nine tensors that are read. */
async function putInputs(folder: string): Promise<void> {
  cpSync(modelFolder('stories260k'), join(folder, 'whole'), { recursive: true });
  await done(['prune', join(folder, 'whole'), '--drop', '1,2', '--out', join(folder, 'in/model')], folder);
  rmSync(join(folder, 'whole'), { recursive: true });
  writeFileSync(join(folder, 'in/text.txt'), storyText(30));
}

const commandScenario = (
  name: string,
  command: Scenario['command'],
  rest: Pick<Scenario, 'result'> & Partial<Scenario>,
): Scenario => ({ name, nPerKind: 1, prepare: putInputs, command, again: command, run, ...rest });

/** A folder that is whole already, where only the report could not be written, stands in the way of the next run. */
const withoutOutput = (out: string, command: Scenario['command']) => (folder: string) => {
  rmSync(join(folder, out), { recursive: true, force: true });
  return command(folder);
};

const prune = (folder: string): string[] => [
  ...['prune', join(folder, 'in/model'), '--drop', '1', '--out', join(folder, 'pruned')],
  ...['--shard-size', '1', '--json', join(folder, 'report.json')],
];

const pruning = commandScenario('prune', prune, {
  nPerKind: 3,
  again: withoutOutput('pruned', prune),
  result: (folder) => (existsSync(join(folder, 'pruned')) ? hashOf(join(folder, 'pruned')) : null),
});

const heal = (folder: string): string[] => [
  ...['heal', join(folder, 'in/pruned'), '--data', join(folder, 'in/text.txt'), '--dense', join(folder, 'in/model')],
  ...['--tokens', '16', '--steps', '3', '--evaluate-every', '2', '--save-every', '1', '--warmup', '0', '--rank', '1'],
  ...['--targets', 'q_proj', '--micro-batch', '1', '--holdout', '0.02', '--threads', '1'],
  ...['--out', join(folder, 'healed'), '--json', join(folder, 'report.json')],
];
const resume = (folder: string): string[] => [
  ...heal(folder),
  ...(existsSync(join(folder, 'healed/run')) ? ['--resume'] : []),
];

/** But for how fast steps were; the table says what the lines say. */
const withoutTimes = (name: string, bytes: Buffer): string =>
  name.endsWith('metrics.csv')
    ? ''
    : name.endsWith('metrics.jsonl')
      ? bytes.toString().replace(/"tokensPerSecond":[^,}]+|"\w+":"[0-9a-f]{8,64}"/g, '')
      : bytes.toString('base64');

const healing: Scenario = {
  ...commandScenario('heal', heal, {
    again: resume,
    result: (folder) => (isHealed(folder) ? hashOf(join(folder, 'healed'), withoutTimes) : null),
  }),
  async prepare(folder) {
    await putInputs(folder);
    await done(['prune', join(folder, 'in/model'), '--drop', '1', '--out', join(folder, 'in/pruned')], folder);
  },
};

/** It is there from its first moment on; it is whole when the newest state is that after the last step, and nothing lies beside. */
function isHealed(folder: string): boolean {
  const run = join(folder, 'healed/run');
  const states = existsSync(run) ? readdirSync(run).filter((name) => /partial|state-\d/.test(name)) : [];
  return (
    states.sort().join() === 'state-2.safetensors,state-3.safetensors' &&
    readFileSync(join(run, 'state.json'), 'utf8').includes('state-3.safetensors')
  );
}

const resuming: Scenario = {
  ...healing,
  name: 'heal --resume',
  async prepare(folder) {
    await healing.prepare(folder);
    await interrupted(folder);
  },
  command: resume,
};

/** Carries out most of the writes of a healing, and then the disk is full. */
async function interrupted(folder: string): Promise<void> {
  const whole = installFaults(folder);
  await done(heal(folder), folder).finally(whole.remove);
  const nWrites = whole.counts.get('write')!;
  for (const name of ['healed', 'report.json']) rmSync(join(folder, name), { recursive: true });
  const full = installFaults(folder, { kind: 'write', n: Math.floor(0.7 * nWrites), how: 'ENOSPC', lasting: true });
  const ended = await run(heal(folder), folder).finally(full.remove);
  if (ended.done) throw new Error('the disk was not full');
}

const study: Scenario = {
  ...commandScenario('study', (folder) => ['run', join(folder, 'in/study.yaml')], {
    result: (folder) => (existsSync(join(folder, 'study/report.json')) ? findingsIn(folder) : null),
  }),
  async prepare(folder) {
    await putInputs(folder);
    writeFileSync(join(folder, 'in/study.yaml'), studyRecipe);
  },
};

const studyRecipe = `kind: study
model: model
out: ../study
source: { kind: text, files: [text.txt], windows: 1, tokens: 16 }
methods: [blockInfluence]
counts: [1]
perplexity: { kind: text, files: [text.txt], windows: 1, tokens: 16 }
keepModels: all
healing:
  methods: [blockInfluence]
  data: { files: [text.txt], tokens: 16, heldOutFraction: 0.02 }
  adapter: { rank: 1, targets: [q_proj] }
  loop: { steps: 2, microBatchWindows: 1, saveEverySteps: 1, evaluateEverySteps: 2 }
compute: { threads: 1 }
`;

/** What it says, but for how long things took, and the models that stay. */
function findingsIn(folder: string): string {
  const report = JSON.parse(readFileSync(join(folder, 'study/report.json'), 'utf8')) as StudyReport;
  return JSON.stringify([findings(report), hashOf(join(folder, 'study/models'))]);
}

/** One for all rows and processes of the tests; it keeps nobody from ending. */
let hub: Promise<FakeHub> | null = null;

async function pullModel(command: readonly string[], folder: string): Promise<Ended> {
  const { endpoint } = await (hub ??= openFakeHub({ 'o/n': single }));
  const variables = { HF_ENDPOINT: endpoint, HF_HUB_CACHE: join(folder, 'cache'), HF_HOME: join(folder, 'in') };
  Object.assign(process.env, variables);
  try {
    return await run(command, folder);
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

const pulling = commandScenario('pull', (folder) => ['pull', 'o/n', '--json', join(folder, 'report.json')], {
  nPerKind: 2,
  prepare: async () => {},
  run: pullModel,
  result(folder) {
    const model = join(folder, 'cache/models--o--n');
    return existsSync(join(model, 'refs/main')) ? hashOf(join(model, 'snapshots')) : null;
  },
});

const exporting = commandScenario(
  'export',
  (folder) => [
    ...['export', join(folder, 'in/model'), '--gguf', 'q8_0', '--out', join(folder, 'model.gguf')],
    ...['--json', join(folder, 'report.json')],
  ],
  {
    // It warns of the tokenizer before it fails.
    async run(command, folder) {
      const ended = await run(command, folder);
      return ended.done ? ended : { done: false, said: ended.said.replace(/^Warning: .*\n/gm, '') };
    },
    result(folder) {
      const file = join(folder, 'model.gguf');
      return existsSync(file) ? createHash('sha256').update(readFileSync(file)).digest('hex') : null;
    },
  },
);

/** What is made by computing, and lies in folders without links. */
export const computing: readonly Scenario[] = [pruning, healing, resuming, study];
export const scenarios: readonly Scenario[] = [...computing, pulling, exporting];
