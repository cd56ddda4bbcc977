// What was removed from the original, and how that was chosen.
import type { TokenSourceReport } from '../../protocol/recipes';
import { blockRanges, dropSetInWords, isEmpty } from '../../shared/dropSets';
import { choosingMethods, importanceMethods, isChoosingMethod, isImportanceMethod } from '../../shared/methods';
import { counted, plain } from '../../shared/numbers';
import { markdownTable, marked } from '../../reporting/reportMarkdown';
import { blockStrip } from './blockStrip';
import { type CardFacts, isThis, reportsOf } from './facts';
import { code, factList, fenced, section, withArxivLinks } from './markdown';
import { type StepOf, stepsOf } from './steps';

export function removedSection(facts: CardFacts): string | null {
  const { cut } = facts;
  const sparsified = stepsOf(facts, 'sparsify');
  const narrowed = stepsOf(facts, 'prune').flatMap(({ mlpWidth }) => (mlpWidth === undefined ? [] : [mlpWidth]));
  if (isEmpty(cut) && sparsified.length + narrowed.length === 0) return null;
  const strip = blockStrip(cut);
  const of = cut.nBlocks === null ? '' : `, which has ${counted(cut.nBlocks, 'block')}`;
  const attention = cut.attention.length > 0 || cut.mlp.length > 0;
  return section(
    'What was removed',
    isEmpty(cut)
      ? null
      : `From ${marked(cut.original)}${of}: **${dropSetInWords(cut)}** (the first block is 0). What stays keeps its order and is numbered anew.`,
    strip && fenced('text', strip),
    attention
      ? 'Where attention or MLP was removed alone, its output projection is zero, so that every program can load it.'
      : null,
    narrowed.length > 0
      ? `Every MLP has ${narrowed.at(-1)} channels${channelsBefore(facts)}: those of the heaviest weights.`
      : null,
    ...sparsified.map(
      ({ ratio }) =>
        `In every projection of a block the smallest weights are zero: ${plain(100 * ratio, 1)} % of each.`,
    ),
  );
}

const channelsBefore = (facts: CardFacts): string => {
  const channels = reportsOf(facts, 'prune').find(({ out }) => isThis(facts, { folder: out, name: out }))?.channels;
  return channels ? ` of ${channels.before}` : '';
};

export function chosenSection(facts: CardFacts): string | null {
  const steps = stepsOf(facts, 'prune').filter(
    ({ removedBlocks, removedHalves }) => removedBlocks.length > 0 || removedHalves,
  );
  if (steps.length === 0) return null;
  return section(
    'How it was chosen',
    ...steps.flatMap((step, i) => [howChosen(step), scoreTable(step, i === 0), repaired(step)]),
  );
}

function howChosen({ rule, calibration, removedBlocks, removedHalves }: StepOf<'prune'>): string {
  const what = dropSetInWords({
    blocks: removedBlocks,
    attention: removedHalves?.attention ?? [],
    mlp: removedHalves?.mlp ?? [],
  });
  return factList([
    ['removed', what],
    ['by', ruleInWords(rule)],
    ['on', calibration && textInWords(calibration)],
    ['sha256 of its token ids', calibration && code(calibration.idsSha256)],
  ]);
}

function ruleInWords(rule: StepOf<'prune'>['rule']): string | null {
  if (!rule) return null;
  if (rule.kind === 'chosen') return 'the choice of a person';
  if (rule.kind === 'deepest') return 'depth: the last blocks but the very last';
  if (isImportanceMethod(rule.method)) {
    const { label, unit, paper } = importanceMethods[rule.method];
    return `${marked(label)} (${code(rule.method)}: ${marked(unit)}; ${withArxivLinks(marked(paper))}), the lowest scores`;
  }
  return isChoosingMethod(rule.method) ? withArxivLinks(marked(choosingMethods[rule.method])) : code(rule.method);
}

/** `wiki.train.raw, 16 sequences of 512 tokens from token 0 on, consecutive`. */
function textInWords(source: TokenSourceReport): string {
  const { files, nSequences, tokensPerSequence, start, sampling, seed } = source;
  const cut = sampling === 'random' ? `drawn at random with seed ${seed}` : 'consecutive';
  const from = start > 0 ? ` from token ${start} on` : '';
  return `${files.map(({ name }) => marked(name)).join(', ')}: ${counted(nSequences, 'sequence')} of ${tokensPerSequence} tokens${from}, ${cut}`;
}

/** Scores are by the numbers of the model that was pruned, which are the original's the first time. */
function scoreTable({ scores, order, rule }: StepOf<'prune'>, isFirst: boolean): string | null {
  if (!isFirst || scores.length === 0 || rule?.kind !== 'method') return null;
  if (scores.length !== order.length) return `Score of the range ${blockRanges(order)}: ${digits(scores[0]!)}.`;
  return markdownTable(
    ['block', 'score'],
    order.map((block, i) => [`${block}`, digits(scores[i]!)]),
    0,
  );
}

const digits = (value: number) => plain(value, Math.abs(value) >= 100 ? 1 : 4);

function repaired({ repair }: StepOf<'prune'>): string | null {
  if (!repair) return null;
  const { ridge, lossBefore, lossAfter, heldOutBefore, heldOutAfter } = repair;
  const change = (before: number, after: number) => `${plain(before, 4)} → ${plain(after, 4)} nats`;
  return [
    'A linear map, fitted by least squares, was folded into the output projection before each gap:',
    factList([
      ['ridge', `${ridge}`],
      ['loss on its text', change(lossBefore, lossAfter)],
      ['loss held out', heldOutBefore === null || heldOutAfter === null ? null : change(heldOutBefore, heldOutAfter)],
    ]),
  ].join('\n\n');
}
