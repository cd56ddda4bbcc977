// How importance is gathered during a forward pass: each collector adds what its methods need to the graphs and keeps the
// scores of every sequence.
import { concat } from '../graph/ops/movement';
import type { Graph, Value } from '../graph/value';
import type { BlockParts } from '../model/block';
import { type HeldWeight, heldWeights } from '../model/heldWeights';
import { weightValue } from '../model/storage';
import { shapeOf } from '../execution/blockProgram';
import type { Observer } from '../execution/forward';
import type { Model } from '../execution/model';
import { type AngularScore, importanceMethod, type ImportanceMethodName } from '../shared/methods';
import { anglesBetweenStates, influenceThroughFinalNorm, tokenNorms, sequenceMeans } from './measures';
import { graphArithmetic } from './importance';

/** Values of all sequences: per block, or per span as [n - 1][first]. */
export type SequenceScores = Float64Array[] | Float64Array[][];

export interface Collector {
  readonly observer: Observer;
  /** What was gathered; `known` holds the rows of the collectors before. */
  rows(
    known: ReadonlyMap<ImportanceMethodName, SequenceScores>,
  ): Iterable<readonly [ImportanceMethodName, SequenceScores]>;
}

/** Methods computed inside the block graphs from the lengths of token vectors. */
export function tokenCollector(
  model: Model,
  nSequences: number,
  methods: readonly ImportanceMethodName[],
): Collector | null {
  const needed = new Set(methods.map((name) => (name === 'blockInfluenceAsPublished' ? 'blockInfluence' : name)));
  const names = [...needed].filter((name) => importanceMethod(name).needs === 'tokens');
  const rows = names.map((name) => [name, perBlock(model, nSequences)] as const);
  if (names.length === 0) return null;
  return {
    rows: () => rows,
    observer: {
      block: {
        graph: tokenScores,
        args: names,
        take(block, { firstSequence, batch }, scores) {
          rows.forEach(([, values], s) => {
            for (let b = 0; b < batch; b++) values[block]![firstSequence + b] = scores[s * batch + b]!;
          });
        },
      },
    },
  };
}

/** [S, B]: the scores of some methods, from inside a block's graph. */
function tokenScores(parts: BlockParts, names: readonly string[]): Value {
  const norms = tokenNorms(parts);
  const scores = names.map((name) => {
    const method = importanceMethod(name as ImportanceMethodName);
    if (method.needs !== 'tokens') throw new Error(`${name} is not computed from tokens`);
    return sequenceMeans(method.score(norms, graphArithmetic), parts.batch);
  });
  return concat(scores, 0);
}

/** Methods computed from a block's weights alone. */
export function weightCollector(
  model: Model,
  nSequences: number,
  methods: readonly ImportanceMethodName[],
): Collector | null {
  const names = methods.filter((name) => importanceMethod(name).needs === 'weights');
  const rows = names.map((name) => [name, perBlock(model, nSequences)] as const);
  if (names.length === 0) return null;
  return {
    rows: () => rows,
    observer: {
      async weights(block, weights) {
        using scope = model.device.scope();
        // A block without attention or without MLP has fewer weights, and a graph of its own.
        const program = await scope.program(weightScores, names, heldWeights(model.config, block));
        const { scores } = await scope.run(program, weights);
        const values = await scope.read(scores!);
        rows.forEach(([, of], s) => of[block]!.fill(values[s]!));
      },
    },
  };
}

/** scores [S] of some methods, from weights, or pieces of weights, as the device holds them. */
function weightScores(names: readonly ImportanceMethodName[], weights: readonly HeldWeight[]): Graph {
  const named = weights.map(({ input, suffix, shape, width }) => ({
    suffix,
    value: weightValue(width, input, shape),
  }));
  const scores = names.map((name) => {
    const method = importanceMethod(name);
    if (method.needs !== 'weights') throw new Error(`${name} is not computed from weights`);
    return method.score(named, graphArithmetic);
  });
  return { name: 'weightScores', outputs: { scores: concat(scores, 0) } };
}

/** Angles between all hidden states. */
export function angleCollector(
  model: Model,
  nSequences: number,
  methods: readonly ImportanceMethodName[],
): Collector | null {
  const { device, config } = model;
  const angular = methods.flatMap((name) => {
    const method = importanceMethod(name);
    return method.needs === 'states'
      ? [{ name, output: method.score, spans: perSpan(config.nBlocks, nSequences) }]
      : [];
  });
  if (angular.length === 0) return null;
  const outputs: AngularScore[] = angular.map((a) => a.output);
  return {
    rows: () => angular.map(({ name, spans }) => [name, spans] as const),
    observer: {
      async states(states, batch) {
        using scope = device.scope();
        const M = states.length;
        const program = await scope.program(anglesBetweenStates, M, config.width, shapeOf(batch), outputs);
        const results = await scope.run(program, Object.fromEntries(states.map((h, i) => [`h${i}`, h])));
        for (const { output, spans } of angular) {
          const angles = await scope.read(results[output]!);
          for (let b = 0; b < batch.batch; b++)
            for (let first = 0; first < M; first++)
              for (let end = first + 1; end < M; end++)
                spans[end - first - 1]![first]![batch.firstSequence + b] = angles[(b * M + first) * M + end]!;
        }
      },
    },
  };
}

/** Block influence as ShortGPT's code publishes it: the last block's output is taken after the final norm. */
export function finalNormCollector(
  model: Model,
  nSequences: number,
  methods: readonly ImportanceMethodName[],
): Collector | null {
  const { device, config } = model;
  const name = 'blockInfluenceAsPublished';
  if (!methods.includes(name)) return null;
  const last = new Float64Array(nSequences);
  return {
    rows: (known) => [[name, [...(known.get('blockInfluence') as Float64Array[]).slice(0, -1), last]]],
    observer: {
      async states(states, batch, norm) {
        using scope = device.scope();
        const program = await scope.program(influenceThroughFinalNorm, config, shapeOf(batch));
        const { scores } = await scope.run(program, { before: states.at(-2)!, after: states.at(-1)!, norm });
        last.set(await scope.read(scores!), batch.firstSequence);
      },
    },
  };
}

const perBlock = (model: Model, nSequences: number) =>
  Array.from({ length: model.config.nBlocks }, () => new Float64Array(nSequences));

/** [n - 1][first] -> a value for every sequence. */
const perSpan = (nBlocks: number, nSequences: number) =>
  Array.from({ length: nBlocks }, (_, n) => Array.from({ length: nBlocks - n }, () => new Float64Array(nSequences)));
