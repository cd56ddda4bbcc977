// What is swept: commands of the command line, carried out in this process.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { espalier } from '../cli/inProcess';
import { modelFolder } from '../fixtures';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { single } from '../hub/models';
import type { StudyReport } from '../../server/recipes/study/recipe';
import { storyText } from '../recipes/healing';
import { findings } from '../recipes/studies';
import { installFaults } from './layer';
import { type Ended, hashOf, type Scenario } from './sweep';

async function command(args: readonly string[], cwd: string): Promise<Ended> {
  const { code, stderr } = await espalier([...args, '--quiet'], cwd);
  if (code === 0) return { done: true };
  // What is said of a model before the work is no part of the refusal.
  return { done: false, said: stderr };
}

function putInputs(folder: string): void {
  cpSync(modelFolder('stories260k'), join(folder, 'in/model'), { recursive: true });
  writeFileSync(join(folder, 'in/text.txt'), storyText(60));
}

const commandScenario = (
  name: string,
  args: (folder: string) => string[],
  rest: Pick<Scenario, 'result'> & Partial<Scenario>,
): Scenario => ({
  name,
  nPerKind: 1,
  prepare: async (folder) => putInputs(folder),
  run: (folder) => command(args(folder), folder),
  again: (folder) => command(args(folder), folder),
  ...rest,
});

const pruneArguments = (folder: string): string[] => [
  ...['prune', join(folder, 'in/model'), '--drop', '3', '--out', join(folder, 'pruned')],
  ...['--shard-size', '1', '--json', join(folder, 'report.json')],
];

/** A folder that is whole already, where only the report could not be written, stands in the way of the next run. */
const withoutOutput = (out: string, args: (folder: string) => string[]) => (folder: string) => {
  rmSync(join(folder, out), { recursive: true, force: true });
  return command(args(folder), folder);
};

const pruning = commandScenario('prune', pruneArguments, {
  nPerKind: 3,
  again: withoutOutput('pruned', pruneArguments),
  result: (folder) => (existsSync(join(folder, 'pruned')) ? hashOf(join(folder, 'pruned')) : null),
});

const healArguments = (folder: string): string[] => [
  ...['heal', join(folder, 'in/pruned'), '--data', join(folder, 'in/text.txt'), '--dense', join(folder, 'in/model')],
  ...['--tokens', '16', '--steps', '3', '--evaluate-every', '2', '--save-every', '1', '--warmup', '0', '--rank', '1'],
  ...['--targets', 'q_proj', '--micro-batch', '1', '--holdout', '0.02', '--threads', '1'],
  ...['--out', join(folder, 'healed'), '--json', join(folder, 'report.json')],
];

const hasRun = (folder: string) => existsSync(join(folder, 'healed/run'));

/** But for how fast steps were; the table says what the lines say. */
const withoutTimes = (name: string, bytes: Buffer): string =>
  name.endsWith('metrics.csv')
    ? ''
    : name.endsWith('metrics.jsonl')
      ? bytes.toString().replace(/"tokensPerSecond":[^,}]+|"\w+":"[0-9a-f]{8,64}"/g, '')
      : bytes.toString('base64');

const healing: Scenario = {
  ...commandScenario('heal', healArguments, {
    again: (folder) => command([...healArguments(folder), ...(hasRun(folder) ? ['--resume'] : [])], folder),
    result: (folder) => (isHealed(folder) ? hashOf(join(folder, 'healed'), withoutTimes) : null),
  }),
  async prepare(folder) {
    putInputs(folder);
    await done(command(['prune', join(folder, 'in/model'), '--drop', '3', '--out', join(folder, 'in/pruned')], folder));
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
    await interrupted(folder, () => command(healArguments(folder), folder));
  },
  run: healing.again,
};

/** Carries out most of the writes, and then the disk is full. */
async function interrupted(folder: string, work: () => Promise<Ended>): Promise<void> {
  const whole = installFaults(folder);
  await done(work()).finally(whole.remove);
  const nWrites = whole.counts.get('write')!;
  rmSync(join(folder, 'healed'), { recursive: true });
  const full = installFaults(folder, { kind: 'write', n: Math.floor(0.7 * nWrites), how: 'ENOSPC', lasting: true });
  const ended = await work().finally(full.remove);
  if (ended.done) throw new Error('the disk was not full');
}

async function done(ended: Promise<Ended>): Promise<void> {
  const how = await ended;
  if (!how.done) throw new Error(how.said);
}

const studyArguments = (folder: string): string[] => ['run', join(folder, 'in/study.yaml')];

const study: Scenario = {
  ...commandScenario('study', studyArguments, {
    result: (folder) => (existsSync(join(folder, 'study/report.json')) ? findingsIn(folder) : null),
  }),
  async prepare(folder) {
    putInputs(folder);
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

async function pullModel(folder: string): Promise<Ended> {
  const { endpoint } = await (hub ??= openFakeHub({ 'o/n': single }));
  const variables = { HF_ENDPOINT: endpoint, HF_HUB_CACHE: join(folder, 'cache'), HF_HOME: join(folder, 'in') };
  Object.assign(process.env, variables);
  try {
    return await command(['pull', 'o/n', '--json', join(folder, 'report.json')], folder);
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

const pulling: Scenario = {
  name: 'pull',
  nPerKind: 2,
  prepare: async () => {},
  run: pullModel,
  again: pullModel,
  result(folder) {
    const model = join(folder, 'cache/models--o--n');
    return existsSync(join(model, 'refs/main')) ? hashOf(join(model, 'snapshots')) : null;
  },
};

export const scenarios: readonly Scenario[] = [pruning, healing, resuming, study, pulling];
