// suggest: a drop set from a report that is already there.
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Command } from 'commander';
import { refuseOverwriting } from '../checkpoint/readPlaces';
import { parsedOr } from '../data/jsonRows';
import { UserError } from '../errors';
import { type Choice, choose } from '../pruning/choose';
import { formatBlockList, formatDropSet } from '../shared/dropSets';
import type { DropRule, DropSet } from '../protocol/recipes';
import type { AnalyzeReport } from '../recipes/analyze/recipe';
import { rowOf } from '../shared/rowOf';
import { ruleOf } from './completions';
import { checkReport, forPeople, reportFile, writeReport } from './jsonReport';
import { blocksOption, type OutputFlags, withOutputOptions } from './options';
import { positive } from './readings';
import { digits } from './render';
import { table } from './table';

interface SuggestFlags extends OutputFlags {
  method: string;
  count: number;
  protect: number[];
}

export const addSuggest = (program: Command): Command =>
  withOutputOptions(program.command('suggest').argument('<report>', 'what analyze --json wrote'))
    .description('which blocks a method would drop')
    .requiredOption('--method <name>', 'a method of the report, removal or greedy where they were measured, or deepest')
    .requiredOption('--count <n>', 'how many blocks', positive)
    .addOption(blocksOption('--protect <blocks>', 'blocks that stay, such as 0,1,29'))
    .action(async (path: string, { method, count, protect, json, quiet }: SuggestFlags) => {
      const file = reportFile(json);
      if (file !== undefined) await refuseOverwriting(file, [{ path, as: 'data' }]);
      await checkReport(json);
      const suggestion = suggest(await readReport(path), ruleOf(method, count, protect));
      if (!quiet) forPeople(json).write(`${renderSuggestion(suggestion)}\n`);
      await writeReport(json, suggestion);
    });

export interface Suggestion extends Omit<Choice, 'drop'> {
  readonly kind: 'suggestion';
  /** The blocks, and the sublayers that a search among them chose. */
  readonly dropSet: number[];
  readonly droppedSublayers: { attention: number[]; mlp: number[] };
  readonly rule: DropRule;
  readonly unit: string | null;
  /** What to type to carry it out. */
  readonly command: string;
}

export function suggest(report: AnalyzeReport, rule: DropRule): Suggestion {
  const { drop, ...choice } = choose(rule, report.model.nBlocks, report);
  const unit = rule.kind === 'method' ? (rowOf(report.methods, rule.method)?.unit ?? 'nats') : null;
  return {
    kind: 'suggestion',
    rule,
    unit,
    dropSet: drop.blocks,
    droppedSublayers: { attention: drop.attention, mlp: drop.mlp },
    ...choice,
    command: `espalier prune ${relative(process.cwd(), report.model.folder) || '.'} ${optionsFor(drop)} --out FOLDER`,
  };
}

/** `--drop 3,5 --drop-mlp 7`. */
const optionsFor = ({ blocks, attention, mlp }: DropSet): string =>
  Object.entries({ '--drop': blocks, '--drop-attention': attention, '--drop-mlp': mlp })
    .flatMap(([option, list]) => (list.length > 0 ? [`${option} ${formatBlockList(list)}`] : []))
    .join(' ');

export function renderSuggestion({ dropSet, droppedSublayers, order, scores, unit, command }: Suggestion): string {
  const single = scores.length === 1 && order.length > 1;
  const rows = order.map((block, i) => [`${block}`, single ? '' : scores[i] === undefined ? '' : digits(scores[i])]);
  return [
    `drop ${formatDropSet({ blocks: dropSet, ...droppedSublayers })}${single ? ` (${digits(scores[0]!)} ${unit} across the span)` : ''}`,
    ...(scores.length > 1 || (order.length === 1 && scores.length === 1)
      ? [table([['block', unit ?? ''], ...rows])]
      : []),
    `to write it: ${command}`,
  ].join('\n');
}

/** Reads what analyze --json wrote. Throws UserError for anything else: people edit such files, and mix them up. */
export async function readReport(path: string): Promise<AnalyzeReport> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new UserError('notFound', `${path} cannot be read; give the file that analyze --json wrote.`);
  });
  const json = parsedOr(text);
  // Only this command pays for what checks it.
  const { reportSchema } = await import('./reportSchema');
  const checked = reportSchema.safeParse(json);
  if (checked.success) return json as AnalyzeReport;
  if (checked.error.issues.some(({ path: place }) => place.length > 0 && fieldAt(json, place) === null))
    throw new UserError(
      'notFinite',
      `${path} holds an empty score or loss, which was not finite when it was written; analyze the model again.`,
    );
  throw new UserError('badData', `${path} is not a report of analyze; give the file that analyze --json wrote.`);
}

const fieldAt = (json: unknown, place: readonly PropertyKey[]): unknown =>
  place.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key], json);
