// The jobs that a device has to do as the CPU does them, short enough for devices in software: their numbers, and the facts of
// their runs.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ComputeOptions } from '../../server/protocol/recipes';
import type { RunFacts } from '../../server/protocol/reports';
import { ofBlocks } from '../../server/shared/dropSets';
import { fixtures } from '../evaluation/golden';
import { healing, storyText } from '../recipes/healing';
import { noLosses, runHere } from '../recipes/runHere';

export interface JobSetting {
  readonly model: string;
  /** Sequences in tokens, of the analysis. */
  readonly ids: readonly (readonly number[])[];
  /** What is continued; empty: from the token that begins a text, where the tokenizer has one. */
  readonly prompt: string;
  /** A healing's text is cut in pieces of so many tokens. */
  readonly healedTokens: number;
  /** Where files may be made. */
  readonly scratch: string;
  readonly compute: ComputeOptions;
}

/** What a job found. Losses are means over tokens. */
export interface Numbers {
  readonly lossesNats: readonly number[];
  /** Scores, gradients and log-likelihoods by name, of any size. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
  readonly text: string;
}

export type Job = (setting: JobSetting) => Promise<{ readonly facts: RunFacts; readonly numbers: Numbers }>;

const place = ({ scratch }: JobSetting, name: string) => join(mkdtempSync(join(scratch, 'job-')), name);

async function analysis(setting: JobSetting) {
  const file = place(setting, 'ids.json');
  writeFileSync(file, JSON.stringify(setting.ids));
  const { model, compute } = setting;
  const source = { kind: 'ids', file } as const;
  const asked = { model, source, methods: ['all', 'taylor'], measure: noLosses, stay: false, compute };
  const report = await runHere({ kind: 'analyze', ...asked });
  const scores = Object.entries(report.methods).map(([name, { scores: found }]) => [name, found.flat() as number[]]);
  return {
    facts: report,
    numbers: { lossesNats: report.lossPerSequence, scores: Object.fromEntries(scores), text: '' },
  };
}

/**
 * Two steps of all projections, and the loss on held-out text before and after. A graphics device has one graph of nearly all
 * blocks and the head; the CPU goes block by block.
 */
async function heal(setting: JobSetting) {
  const activations = setting.compute.device === 'cpu' ? ('recompute' as const) : ('keep' as const);
  const text = place(setting, 'text.txt');
  writeFileSync(text, storyText(setting.healedTokens));
  const report = await runHere(
    healing(setting.model, text, place(setting, 'healed'), {
      data: { tokens: setting.healedTokens, heldOutFraction: 0.02 },
      loop: { steps: 2, microBatchSequences: 1, accumulate: 1, evaluateEverySteps: 2, activations },
      optimizer: { warmupSteps: 0 },
      compute: setting.compute,
    }),
  );
  const losses = [...report.steps, ...report.evals].map(({ lossNats }) => lossNats);
  const gradNorm = report.steps.map((step) => step.gradNorm);
  return { facts: report, numbers: { lossesNats: losses, scores: { gradNorm }, text: '' } };
}

/** The first item of a task whose two endings are long. */
async function evaluation(setting: JobSetting) {
  const samples = place(setting, 'samples.jsonl');
  const report = await runHere({
    ...{ kind: 'evaluate', models: [setting.model], drops: [], tasks: ['winogrande'], data: join(fixtures, 'data') },
    ...{ items: { first: 0, end: 1 }, fewShot: 0, maxTokens: null, generate: false },
    ...{ samples, compute: setting.compute },
  });
  const { logLikelihoods } = JSON.parse(readFileSync(samples, 'utf8')) as { logLikelihoods: number[] };
  return { facts: report, numbers: { lossesNats: [], scores: { logLikelihoods }, text: '' } };
}

async function generation({ model, prompt, compute }: JobSetting) {
  const report = await runHere({
    ...{ kind: 'generate', model, prompt, maxTokens: 4, drop: ofBlocks([]), bos: 'tokenizer', cache: true },
    compute,
  });
  return { facts: report, numbers: { lossesNats: [], scores: {}, text: report.text } };
}

export const jobs: Readonly<Record<string, Job>> = { analysis, healing: heal, evaluation, generation };
