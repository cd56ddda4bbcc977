// suggest: a drop set from a report that is already there.
import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import type { Command } from 'commander';
import { refuseOverwriting } from '../checkpoint/readPlaces';
import { parsedOr } from '../data/jsonRows';
import { UserError } from '../errors';
import { type Choice, choose } from '../pruning/choose';
import { resolvedRule } from '../pruning/budgetRule';
import { budgetOptions, pruneKind } from '../recipes/prune/recipe';
import { budgetInWords, sizesOf, usualForm } from '../shared/budget';
import { dropSetOf, formatBlockList, formatDropSet } from '../shared/dropSets';
import { parameters, size } from '../shared/numbers';
import type { Fitting } from '../protocol/reports';
import type { AskedRule, Budget, DropRule, DropSet, Dtype } from '../protocol/recipes';
import type { AnalyzeReport } from '../recipes/analyze/recipe';
import { rowOf } from '../shared/rowOf';
import { askedCount, ruleOf, type SizeFlags } from './completions';
import { checkReport, forPeople, reportFile, writeReport } from './jsonReport';
import { blocksOption, type OutputFlags, withOutputOptions } from './options';
import { dtype as readDtype, positive } from './readings';
import { optionOf } from './recipeCommands';
import { digits } from './render';
import { table } from './table';

interface SuggestFlags extends OutputFlags, SizeFlags {
  method: string;
  protect: number[];
  dtype?: Dtype;
}

export function addSuggest(program: Command): Command {
  const command = withOutputOptions(program.command('suggest').argument('<report>', 'what analyze --json wrote'))
    .description('which blocks a method would drop')
    .requiredOption('--method <name>', 'a method of the report, removal or greedy where they were measured, or deepest')
    .option('--count <n>', 'how many blocks', positive);
  for (const row of budgetOptions) command.addOption(optionOf(row, pruneKind));
  return command
    .option('--dtype <name>', 'with --fit: as what the weights will be written (default: as they are)', readDtype)
    .addOption(blocksOption('--protect <blocks>', 'blocks that stay, such as 0,1,29'))
    .action(async (path: string, { method, protect, json, quiet, dtype, ...flags }: SuggestFlags) => {
      const asked = askedCount(flags);
      if (asked === null)
        throw new UserError('usage', 'Say how much goes: add --count N, --fit SIZE or --parameters N.');
      const file = reportFile(json);
      if (file !== undefined) await refuseOverwriting(file, [{ path, as: 'data' }]);
      await checkReport(json);
      const suggestion = suggest(await readReport(path), ruleOf(method, asked, protect), dtype ?? null);
      if (!quiet) forPeople(json).write(`${renderSuggestion(suggestion)}\n`);
      await writeReport(json, suggestion);
    });
}

export interface Suggestion extends Omit<Choice, 'drop'> {
  readonly kind: 'suggestion';
  /** The blocks, and the sublayers that a search among them chose. */
  readonly dropSet: number[];
  readonly droppedSublayers: { attention: number[]; mlp: number[] };
  readonly rule: DropRule;
  readonly unit: string | null;
  /** What was asked for in the place of a count, in which dtype, and what meets it. Channels go by no measured score. */
  readonly budget?: Budget & { readonly dtype: string; readonly fitting: Fitting };
  /** What to type to carry it out. */
  readonly command: string;
}

/** @param dtype as what the weights will be written; null: as they are */
export function suggest(report: AnalyzeReport, asked: AskedRule, dtype: Dtype | null = null): Suggestion {
  const { rule, met } = resolvedRule(asked, () => sizesOf(report.model, { ...usualForm, dtype }));
  const { drop, ...choice } = choose(met ? searchedFar(rule, report) : rule, report.model.nBlocks, report);
  const unit = rule.kind === 'method' ? (rowOf(report.methods, rule.method)?.unit ?? 'nats') : null;
  const mlpWidth = met?.fitting.mlpWidth ?? null;
  const options = [
    ...optionsFor(drop),
    ...(mlpWidth === null ? [] : [`--mlp-width ${mlpWidth} --text FILE`]),
    ...(dtype === null ? [] : [`--dtype ${dtype}`]),
  ];
  return {
    kind: 'suggestion',
    rule,
    unit,
    dropSet: drop.blocks,
    droppedSublayers: { attention: drop.attention, mlp: drop.mlp },
    ...choice,
    ...(met && { budget: { ...met.budget, dtype: dtype ?? report.model.dtype, fitting: met.fitting } }),
    command: `espalier prune ${relative(process.cwd(), report.model.folder) || '.'} ${options.join(' ')} --out FOLDER`,
  };
}

/**
 * A search may have dropped sublayers on its way. Their place is kept, with zeros, and takes as much room: where a budget asks for
 * blocks, the search is followed until as many whole ones are gone.
 */
function searchedFar(rule: DropRule, { greedy }: AnalyzeReport): DropRule {
  if (rule.kind !== 'method' || rule.method !== 'greedy' || !greedy) return rule;
  const found = greedy.order.findIndex((_, i) => dropSetOf(greedy.order.slice(0, i + 1)).blocks.length >= rule.count);
  // What the search lacks, `choose` says.
  return { ...rule, count: found < 0 ? greedy.order.length + 1 : found + 1 };
}

/** `--drop 3,5 --drop-mlp 7`. */
const optionsFor = ({ blocks, attention, mlp }: DropSet): string[] =>
  Object.entries({ '--drop': blocks, '--drop-attention': attention, '--drop-mlp': mlp }).flatMap(([option, list]) =>
    list.length > 0 ? [`${option} ${formatBlockList(list)}`] : [],
  );

export function renderSuggestion({
  dropSet,
  droppedSublayers,
  order,
  scores,
  unit,
  budget,
  command,
}: Suggestion): string {
  const single = scores.length === 1 && order.length > 1;
  const rows = order.map((block, i) => [`${block}`, single ? '' : scores[i] === undefined ? '' : digits(scores[i])]);
  return [
    `drop ${formatDropSet({ blocks: dropSet, ...droppedSublayers })}${single ? ` (${digits(scores[0]!)} ${unit} across the span)` : ''}`,
    ...(scores.length > 1 || (order.length === 1 && scores.length === 1)
      ? [table([['block', unit ?? ''], ...rows])]
      : []),
    ...(budget ? [budgetLine(budget)] : []),
    `to write it: ${command}`,
  ].join('\n');
}

function budgetLine({ dtype, fitting, ...budget }: NonNullable<Suggestion['budget']>): string {
  const { mlpWidth, parameters: left, weightBytes, cacheBytes, nearest } = fitting;
  const channels = mlpWidth === null ? '' : `, with ${mlpWidth} channels of every MLP`;
  const cache = cacheBytes > 0 ? ` and ${size(cacheBytes)} for the cache` : '';
  const fits = `for ${budgetInWords(budget)}: ${parameters(left)} parameters${channels}, ${size(weightBytes)} as ${dtype.toLowerCase()}${cache}`;
  return nearest === null ? fits : `${fits}\n${nearest}`;
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
