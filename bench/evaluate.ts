// Evaluation against the real harness, and of variants together against the least that they need.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EvaluateReport } from '../server/recipes/evaluate/recipe';
import { peers } from './peers';
import type { Setting } from './setting';

const nItems = 100;
const rows = [
  { section: 'lmeval_hellaswag', task: 'hellaswag', fewShot: 0, asked: 2 },
  { section: 'lmeval_arc_easy', task: 'arc_easy', fewShot: 0, asked: 3 },
  { section: 'lmeval_mmlu', task: 'mmlu_medical_genetics', fewShot: 5, asked: 5 },
] as const;

/** Without loading the model on either side; with tokenising on both, and with compiling on ours. */
export async function benchEvaluate(setting: Setting): Promise<void> {
  const python = peers(
    setting,
    rows.map(({ section }) => section),
    { repeat: 1 },
  );
  for (const { section, task, fewShot, asked } of rows) {
    const runs = Array.from({ length: setting.rounds }, () => evaluate(setting, task, ['--fewshot', `${fewShot}`]));
    const ours = Math.min(...runs.map(({ seconds }) => seconds));
    const theirs = evaluationSeconds(python, section);
    const { nTokens, nPlainTokens } = runs[0]!.report.work;
    console.log(
      `evaluate ${task}, ${fewShot} shots, ${nItems} items: ${ours.toFixed(1)} s, lm_eval ${theirs.toFixed(1)} s, ` +
        `ratio ${(theirs / ours).toFixed(2)} (asked ${asked}); ${nTokens} tokens computed of ${nPlainTokens} asked for`,
    );
  }
}

const drops = '12-15;12-16;12-17;12-18;12-23';

/** What the original and five variants take together, over the original alone, against the operations that both need. */
export async function benchVariants(setting: Setting): Promise<void> {
  const ratios: number[] = [];
  let bound = Number.NaN;
  for (let round = 0; round < setting.rounds; round++) {
    const base = evaluate(setting, 'hellaswag', []);
    const all = evaluate(setting, 'hellaswag', ['--drops', drops]);
    bound = all.report.work.operations / all.report.work.base.operations;
    ratios.push(all.seconds / base.seconds);
  }
  const ratio = Math.min(...ratios);
  console.log(
    `variants: original and 5 drop sets together take ${ratio.toFixed(2)} times as long as the original ` +
      `(${ratios.map((r) => r.toFixed(2)).join(', ')}); the blocks and heads that they need are ${bound.toFixed(2)} times ` +
      `the original's; ratio to that ${(ratio / bound).toFixed(3)} (asked at most 1.1); six runs alone would be about ` +
      `${plainly.toFixed(2)}`,
  );
}

/** Six models without sharing, by their blocks: 30, 26, 25, 24, 23 and 18 of 30. */
const plainly = (30 + 26 + 25 + 24 + 23 + 18) / 30;

function evaluate({ model, data, threads }: Setting, task: string, more: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-evaluate-'));
  try {
    const json = join(folder, 'report.json');
    const what = ['--tasks', task, '--data', join(data, 'data'), '--limit', `${nItems}`, ...more];
    const how = ['--threads', `${threads}`, '--json', json, '--quiet'];
    execFileSync(process.execPath, ['dist/espalier.cjs', 'evaluate', model, ...what, ...how]);
    const report = JSON.parse(readFileSync(json, 'utf8')) as Pick<EvaluateReport, 'timing' | 'work'>;
    const { elapsedMs, compileMs, tokenizeMs } = report.timing;
    return { report, seconds: (elapsedMs + compileMs + tokenizeMs) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function evaluationSeconds(results: Record<string, Record<string, unknown>>, section: string): number {
  const found = Object.values(results[section] ?? {}).find(
    (row): row is { evaluation_only: number } => typeof row === 'object' && row !== null && 'evaluation_only' in row,
  );
  if (!found) throw new Error(`the peers' benchmark has no ${section}: ${JSON.stringify(results)}`);
  return found.evaluation_only;
}
