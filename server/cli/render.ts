// Reports as text for a terminal: the only place on the command line where numbers become words.
import type { DownloadPlan, Plan } from '../protocol/engine';
import type { MethodScores, ModelSummary } from '../protocol/reports';
import type { AnalyzeReport } from '../recipes/analyze/recipe';
import type { ExportReport } from '../recipes/export/recipe';
import type { GenerateReport } from '../recipes/generate/recipe';
import type { MergeReport } from '../recipes/merge/recipe';
import type { PerplexityReport } from '../recipes/perplexity/recipe';
import type { PruneReport } from '../recipes/prune/recipe';
import type { PullReport } from '../recipes/pull/recipe';
import type { SparsifyReport } from '../recipes/sparsify/recipe';
import { budgetInWords } from '../shared/budget';
import { formatBlockList, formatDropSet, isEmpty } from '../shared/dropSets';
import { notFinite } from '../shared/finite';
import { linesForGguf, pruneLayersLine } from '../shared/ggufUse';
import { tensorNamesInWords } from '../shared/tensorNames';
import { matricesAs } from '../shared/weightWidths';
import { renderMeasured } from './renderMeasured';
import { table } from './table';

export function renderModel(model: ModelSummary): string {
  const rows: [string, string][] = [
    ['model', model.name],
    ['family', model.family],
    ['blocks', `${model.nBlocks}`],
    ['parameters', `${count(model.nParameters)} (${count(model.nParametersPerBlock)} a block)`],
    ['weights', `${bytes(model.sizeBytes)}, ${model.dtype}`],
    ['width', `${model.width}, MLP ${model.mlpWidth}`],
    ['heads', `${model.nHeads} query, ${model.nKeyValueHeads} key/value, width ${model.headWidth}`],
    ['vocabulary', `${model.vocabularySize}${headInWords(model)}`],
    ['context', `${model.contextLength} tokens, rope ${model.rope}`],
  ];
  if (model.unusedTensors.length > 0) rows.push(['not used', tensorNamesInWords(model.unusedTensors)]);
  if (model.prunedFrom) rows.push(['made from', history(model.prunedFrom, model.healed)]);
  return table(rows);
}

const headInWords = ({ tiedEmbeddings, ownHeadDespiteTie }: ModelSummary) =>
  tiedEmbeddings ? ', tied embeddings' : ownHeadDespiteTie ? ', a head of its own, though config.json ties it' : '';

/** `SmolLM2-135M, without blocks 12-16, healed`; of a sparsified model the original alone. */
function history({ model, removedBlocks }: NonNullable<ModelSummary['prunedFrom']>, healed: boolean): string {
  const without = removedBlocks.length > 0 ? [`without blocks ${formatBlockList(removedBlocks)}`] : [];
  return [model, ...without, ...(healed ? ['healed'] : [])].join(', ');
}

export function renderPlan(plan: Plan): string {
  const { stayingBlocks, deviceMemory } = plan;
  const staying = stayingBlocks === undefined ? '' : ` but for ${stayingBlocks} blocks that stay`;
  const { weights, states, activations } = (deviceMemory ?? plan).bytes;
  const parts = `(weights ${bytes(weights)}, hidden states ${bytes(states)}, activations ${bytes(activations)})`;
  const ofDevice =
    deviceMemory && `${bytes(deviceMemory.totalBytes)} of ${bytes(deviceMemory.limitBytes)} on the device ${parts}`;
  const ofHost = `${bytes(plan.totalBytes)} of ${bytes(plan.limitBytes)}`;
  return (
    `${plan.model}: ${plan.nTokens} tokens on ${plan.device} with ${plan.threads} threads, weights ${plan.memory}${staying}${matricesAs(plan)}; ` +
    `about ${seconds(plan.estimatedSeconds)}, ${ofDevice ? `${ofDevice} and ${ofHost} beside it` : `${ofHost} ${parts}`}`
  );
}

export function renderDownload({ sources, cache, ...download }: DownloadPlan): string {
  const { nFiles, sizeBytes, fetchBytes, freeBytes } = download;
  const from = sources.map(({ repository, revision, commit }) => `${repository}@${revision} (${commit.slice(0, 8)})`);
  return (
    `${from.join(', ')}: ${nFiles} files, ${bytes(sizeBytes)}; ` +
    `${bytes(fetchBytes)} to fetch into ${cache}, whose disk has ${bytes(freeBytes)} free`
  );
}

export function renderPull(report: PullReport): string {
  const { sizeBytes, fetchedBytes, elapsedMs } = report;
  const ofData = 'dataSets' in report;
  const pulled = ofData ? report.dataSets : [{ ...report, dataset: report.repository }];
  return table([
    ...pulled.map(({ dataset, commit }): [string, string] => ['pulled', `${dataset}, commit ${commit}`]),
    ['files', `${pulled.flatMap(({ files }) => files).length}, ${bytes(sizeBytes)}`],
    [
      'fetched',
      fetchedBytes === 0 ? 'nothing: all was there' : `${bytes(fetchedBytes)} in ${seconds(elapsedMs / 1000)}`,
    ],
    ofData ? ['read by', `espalier evaluate MODEL --tasks ${report.tasks.join(',')}`] : ['written to', report.out],
  ]);
}

export function renderAnalysis(report: AnalyzeReport): string {
  const lines = [lossLine(report), ''];
  const perBlock = Object.entries(report.methods).filter(([, method]) => method.of !== 'span');
  const shown = perBlock.find(([name]) => name === 'blockInfluence') ?? perBlock[0];
  if (shown) lines.push(...barChart(shown[0], shown[1]), '');
  if (Object.keys(report.methods).length > 0) lines.push(...leastImportant(report), '');
  for (const { method, block } of report.notFinite ?? [])
    lines.push(`${method}: the score of block ${block} is ${notFinite}, so that nothing is chosen by it`, '');
  lines.push(...renderMeasured(report), timingLine(report));
  return lines.join('\n');
}

/** One bar a block, the longest for the highest score, with the standard error behind it. */
function barChart(name: string, method: MethodScores): string[] {
  const scores = method.scores as number[];
  const errors = method.standardErrors as (number | null)[];
  // One outlier (often the first block) must not flatten all others: the scale ends at the second largest but two.
  const sorted = [...scores].sort((a, b) => b - a);
  const scale = sorted[Math.min(2, sorted.length - 1)]! * 1.05 || 1;
  const width = 40;
  return [
    `${name} by block (${method.unit}; ${method.paper}), least important marked`,
    ...scores.map((score, k) => {
      const clipped = score > scale;
      const bar = '█'.repeat(Math.max(1, Math.round((Math.min(score, scale) / scale) * width))) + (clipped ? '▶' : '');
      const error = errors[k] ? ` ±${digits(errors[k])}` : '';
      const rank = scores.filter((other) => other < score).length;
      return `${String(k).padStart(4)} ${bar.padEnd(width + 1)} ${digits(score)}${error}${rank === 0 ? '  ◀ least' : ''}`;
    }),
  ];
}

/** What each method would drop first. */
function leastImportant(report: AnalyzeReport): string[] {
  const rows = Object.entries(report.methods).map(([name, method]) => {
    if (method.of === 'span') {
      const longest = Math.min(5, report.model.nBlocks - 1);
      const row = (method.scores as number[][])[longest - 1]!;
      const first = row.indexOf(Math.min(...row));
      return [name, `best ${longest} in a row: ${first}-${first + longest - 1}`, method.unit];
    }
    const scores = method.scores as number[];
    const order = scores.map((_, k) => k).sort((a, b) => scores[a]! - scores[b]! || a - b);
    return [name, order.slice(0, 10).join(' '), method.unit];
  });
  return [table([['method', 'least important blocks first', 'unit'], ...rows])];
}

export function renderPrune(report: PruneReport): string {
  const share = (1 - report.nParamsAfter / report.nParamsBefore) * 100;
  return table([
    ['dropped', formatDropSet({ blocks: report.dropSet, ...report.droppedSublayers })],
    ['blocks', `${report.model.nBlocks} -> ${report.keptBlocks.length}`],
    ['parameters', `${count(report.nParamsBefore)} -> ${count(report.nParamsAfter)} (${share.toFixed(1)} % fewer)`],
    ['weights', `${bytes(report.sizeBytesBefore)} -> ${bytes(report.sizeBytesAfter)}`],
    ...budgetRows(report),
    ...repairRows(report),
    ...channelRow(report),
    ...roundingRow(report),
    ...(report.model.unusedTensors.length > 0 ? [['left behind', tensorNamesInWords(report.model.unusedTensors)]] : []),
    ...(isWholeBlocks(report) ? [['in a GGUF file', pruneLayersLine(report.dropSet)]] : []),
    ['written to', report.out],
  ]);
}

function budgetRows({ budget }: PruneReport): string[][] {
  if (!budget) return [];
  const { weightBytes, cacheBytes, nearest } = budget.fitting;
  const cache = cacheBytes > 0 ? [`cache ${bytes(cacheBytes)}`] : [];
  const parts = [`weight files ${bytes(weightBytes)}`, ...cache].join(', ');
  return [
    ['asked for', budgetInWords(budget)],
    ['takes', `at most ${parts}`],
    ...(nearest ? [['nearest', nearest]] : []),
  ];
}

function channelRow({ channels }: PruneReport): string[][] {
  if (!channels) return [];
  const { before, after, lossNatsBefore, lossNatsAfter, notMeasured } = channels;
  const cost =
    notMeasured !== undefined
      ? `its cost not measured: ${notMeasured}`
      : lossNatsBefore === null || lossNatsAfter === null
        ? 'its cost not measured (needs a text)'
        : `${lossNatsBefore.toFixed(4)} -> ${lossNatsAfter.toFixed(4)} nats`;
  return [['MLP channels', `${before} -> ${after} in every block, ${cost}`]];
}

const isWholeBlocks = ({ dropSet, droppedSublayers, repair, channels }: PruneReport): boolean =>
  dropSet.length > 0 &&
  droppedSublayers.attention.length + droppedSublayers.mlp.length === 0 &&
  repair === null &&
  !channels;

function repairRows({ repair }: PruneReport): string[][] {
  if (!repair) return [];
  const { ridge, gaps, lossBefore, lossAfter, heldOutBefore, heldOutAfter } = repair;
  const change = (before: number, after: number) => `${before.toFixed(4)} -> ${after.toFixed(4)} nats`;
  const places = gaps.map(({ after: { block, half } }) => `${half} ${block}`).join(', ');
  return [
    ['repair', `linear in ${places}, ridge ${ridge}`],
    ['loss on its text', change(lossBefore, lossAfter)],
    ...(heldOutBefore === null ? [] : [['loss held out', change(heldOutBefore, heldOutAfter!)]]),
  ];
}

function roundingRow({ rounding }: PruneReport): string[][] {
  if (!rounding) return [];
  const { dtype, lossNatsBefore: before, lossNatsAfter: after, notMeasured } = rounding;
  if (notMeasured !== undefined) return [['rounding', `to ${dtype}, its cost not measured: ${notMeasured}`]];
  if (before === null || after === null)
    return [['rounding', `to ${dtype}, its cost not measured (that takes a --text)`]];
  const cost = after - before;
  return [
    [
      'rounding',
      `to ${dtype}: loss ${before.toFixed(5)} -> ${after.toFixed(5)} nats (${cost < 0 ? '' : '+'}${cost.toFixed(5)})`,
    ],
  ];
}

export const renderExport = (report: ExportReport): string =>
  table([
    ['exported', `${report.nTensors} tensors of ${count(report.nParameters)} parameters as ${report.gguf}`],
    ['in llama.cpp', `${report.architecture}, pre-tokenizer ${report.preTokenizer}`],
    ['written to', `${report.out}, ${bytes(report.sizeBytes)} in ${seconds(report.elapsedMs / 1000)}`],
    ...linesForGguf(report.out).map(([program, line]) => [program, line]),
    ...(report.cut ? [[`cut from ${report.cut.original}`, pruneLayersLine(report.cut.removedBlocks)]] : []),
  ]);

export function renderSparsify(report: SparsifyReport): string {
  const { nZeroed, nConsidered, lossBefore, lossAfter, notMeasured } = report;
  const after = lossAfter === null ? `not measured: ${notMeasured}` : `${lossAfter.toFixed(4)} nats`;
  const share = ((nZeroed / Math.max(1, nConsidered)) * 100).toFixed(1);
  return table([
    [
      'zeroed',
      `${count(nZeroed)} of ${count(nConsidered)} weights in ${report.matrices.length} projections (${share} %)`,
    ],
    ...(lossBefore === null ? [] : [['loss', `${lossBefore.toFixed(4)} -> ${after}`]]),
    ['written to', report.out],
  ]);
}

export function renderMerge(report: MergeReport): string {
  const { nMerged, roundingShare, warning } = report;
  const facts = table([
    ['merged', nMerged === 0 ? 'nothing: the adapter changes no weight' : `${nMerged} weights of ${report.model.name}`],
    ...(roundingShare === 0 ? [] : [['rounding', `${digits(roundingShare * 100)} % of the change`]]),
    ['written to', report.out],
  ]);
  return warning ? `${facts}\nWarning: ${warning}` : facts;
}

export function renderPerplexity(report: PerplexityReport): string {
  const base = report.models[0]!;
  const rows = report.models.map((model) => {
    const error = model.lossStandardError === null ? '' : ` ±${digits(model.lossStandardError)}`;
    const change =
      model === base
        ? ''
        : `${model.lossNats >= base.lossNats ? '+' : ''}${(model.lossNats - base.lossNats).toFixed(4)}`;
    const drop = { blocks: model.dropSet, ...model.droppedSublayers };
    const without = isEmpty(drop) ? '' : ` without ${formatDropSet(drop)}`;
    return [
      `${model.name}${without}`,
      `${model.nBlocks}`,
      `${model.lossNats.toFixed(4)}${error}`,
      model.perplexity.toPrecision(5),
      change,
    ];
  });
  const definitions = [...new Set(report.models.map((model) => model.definition))];
  return [
    table([['model', 'blocks', 'loss, nats', 'perplexity', 'against the first'], ...rows]),
    '',
    ...(report.notFinite ?? []).map(({ sentence }) => `Not in the table: ${sentence}`),
    ...definitions,
    timingLine(report),
  ].join('\n');
}

export const renderGeneration = (report: GenerateReport): string =>
  `\n${report.nNewTokens} tokens, ${report.tokensPerSecond.toFixed(1)} a second, ` +
  `ended by ${report.stoppedBy === 'endOfText' ? 'the end of the text' : '--max-tokens'}`;

const lossLine = ({ model, lossNats, lossStandardError, perplexity, source }: AnalyzeReport) =>
  `${model.name}: loss ${lossNats.toFixed(4)} nats${lossStandardError === null ? '' : ` ±${digits(lossStandardError)}`}, ` +
  `perplexity ${perplexity.toPrecision(5)} (${source.nSequences} sequences of ${source.tokensPerSequence} tokens)`;

const timingLine = ({ timing, peakMemoryBytes }: AnalyzeReport | PerplexityReport) =>
  `${timing.tokens} tokens in ${seconds(timing.elapsedMs / 1000)} (${((timing.tokens / timing.elapsedMs) * 1000).toFixed(0)} a second), peak memory ${bytes(peakMemoryBytes)}`;

export const digits = (value: number) => value.toPrecision(3);
const count = (n: number) =>
  n >= 1e9 ? `${(n / 1e9).toFixed(2)} B` : n >= 1e6 ? `${(n / 1e6).toFixed(1)} M` : `${(n / 1e3).toFixed(1)} k`;
const bytes = (n: number) =>
  n >= 1e9 ? `${(n / 1e9).toFixed(2)} GB` : n >= 1e6 ? `${(n / 1e6).toFixed(0)} MB` : `${(n / 1e3).toFixed(0)} kB`;
export const seconds = (s: number) =>
  s >= 90 ? `${(s / 60).toFixed(1)} min` : s >= 10 ? `${s.toFixed(0)} s` : `${s.toFixed(1)} s`;
