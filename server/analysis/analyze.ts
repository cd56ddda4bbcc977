// Importance of every block by every method that is asked for, and the loss, from one forward pass.
import { forward, type ForwardOptions, type Observer } from '../execution/forward';
import type { Model } from '../execution/model';
import { angleCollector, finalNormCollector, tokenCollector, weightCollector, type SequenceScores } from './collectors';
import type { MethodScores } from '../protocol/reports';
import { allFinite } from '../shared/finite';
import { importanceMethod, type ImportanceMethodName } from '../shared/methods';
import { taylorScores } from './taylor';
import { meanAndError } from '../execution/sequenceStatistics';

export interface Analysis {
  readonly lossNats: number;
  readonly lossStandardError: number | null;
  readonly lossPerSequence: number[];
  /** By name of the method; those whose scores are finite. */
  readonly methods: Record<string, MethodScores>;
  readonly notFinite?: { method: string; block: number }[];
}

/** True when the methods need all hidden states of a sequence at once. */
export const keepsStates = (methods: readonly ImportanceMethodName[]) =>
  methods.some((name) => ['states', 'finalNorm'].includes(importanceMethod(name).needs));

/** One pass over the sequences, each of the same length; an observer may listen for tokens and keep states. Errors as in `forward`. */
export async function analyze(
  model: Model,
  sequences: readonly Int32Array[],
  methods: readonly ImportanceMethodName[],
  options: Pick<ForwardOptions, 'signal' | 'onProgress' | 'observer'> = {},
): Promise<Analysis> {
  const collectors = [tokenCollector, weightCollector, angleCollector, finalNormCollector]
    .map((open) => open(model, sequences.length, methods))
    .filter((collector) => collector !== null);
  const losses = await forward(model, sequences, {
    ...options,
    observer: combined([...collectors.map(({ observer }) => observer), options.observer ?? {}]),
  });
  const rows = new Map<ImportanceMethodName, SequenceScores>();
  if (methods.includes('taylor')) {
    const { signal, onProgress } = options;
    const scores = await taylorScores(model, sequences, { signal, onProgress });
    rows.set(
      'taylor',
      [...scores].map((score) => Float64Array.of(score)),
    );
  }
  for (const collector of collectors) for (const [name, scores] of collector.rows(rows)) rows.set(name, scores);
  const { mean, standardError } = meanAndError(losses);
  return {
    lossNats: mean,
    lossStandardError: standardError,
    lossPerSequence: [...losses],
    ...scoresOf(methods, rows),
  };
}

/** Scores and their errors of the methods that have finite ones, and the first block without one of the others. */
function scoresOf(
  names: readonly ImportanceMethodName[],
  rows: ReadonlyMap<ImportanceMethodName, SequenceScores>,
): Pick<Analysis, 'methods' | 'notFinite'> {
  const methods: Record<string, MethodScores> = {};
  const lost: { method: string; block: number }[] = [];
  for (const method of names) {
    const block = firstLost(rows.get(method)!);
    if (block < 0) methods[method] = describe(method, rows.get(method)!);
    else lost.push({ method, block });
  }
  return { methods, ...(lost.length > 0 && { notFinite: lost }) };
}

/** The first block, or first block of a span, with a score that is NaN or infinite; -1: there is none. */
function firstLost(scores: SequenceScores): number {
  for (const row of scores) {
    const at = Array.isArray(row) ? row.findIndex((span) => !allFinite(span)) : -1;
    if (at >= 0) return at;
  }
  return scores.findIndex((row) => !Array.isArray(row) && !allFinite(row));
}

/** Block scores come from one observer at most; hidden states may interest several. */
function combined(observers: readonly Observer[]): Observer {
  const ofStates = observers.flatMap((o) => (o.states ? [o.states] : []));
  return {
    block: observers.find((o) => o.block)?.block,
    weights: observers.find((o) => o.weights)?.weights,
    tokens: observers.find((o) => o.tokens)?.tokens,
    ...(ofStates.length > 0 && {
      async states(...told) {
        for (const take of ofStates) await take(...told);
      },
    }),
  };
}

function describe(name: ImportanceMethodName, sequenceScores: SequenceScores): MethodScores {
  const { unit, of, paper } = importanceMethod(name);
  const nested = sequenceScores.map((row) => (Array.isArray(row) ? row.map(meanAndError) : meanAndError(row)));
  const pick = <K extends 'mean' | 'standardError'>(key: K) =>
    nested.map((row) => (Array.isArray(row) ? row.map((x) => x[key]) : row[key]));
  return {
    unit,
    of,
    paper,
    scores: pick('mean') as MethodScores['scores'],
    standardErrors: pick('standardError') as MethodScores['standardErrors'],
  };
}
