// Reports of real models, from the numbers that PyTorch found (scripts and definitions lie beside them). What the
// reference does not hold is made up and said so: standard errors of losses, and times.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { finite } from '../../finiteLoss';
import { dataFolder } from '../../fixtures';
import type { ChooseBlocksState } from '../../../server/protocol/pages/chooseBlocks';
import type { DropSet } from '../../../server/protocol/recipes';
import type { Estimate, FiniteLoss, MethodScores, ModelSummary } from '../../../server/protocol/reports';
import type { AnalyzeReport } from '../../../server/recipes/analyze/recipe';
import type { RunSummary } from '../../../server/protocol/server';

export const referenceFile = (name: ModelName): string => join(dataFolder, 'reference', `${name}.json`);

export type ModelName = 'smollm2-135m' | 'stories260k';

interface Reference {
  settings: { windows: number; length: number };
  model: { blocks: number; parameters: number };
  dense: { loss: number; perplexity: number; loss_per_window: number[] };
  block_influence: number[];
  block_influence_per_window: number[][];
  angular_last_token: (number | null)[][];
  relative_magnitude: { over_input: number[] };
  magnitude: { l1: number[] };
  taylor: { projections: number[] };
  attention_output: { over_input: number[] };
  mlp_output: { over_input: number[] };
  removal_dense_loss: number;
  loss_without_block: number[];
  loss_without_attention: number[];
  loss_without_mlp: number[];
  greedy: { order: number[]; losses: number[]; candidates: Record<string, number>[] };
}

const shapes: Record<ModelName, ModelSummary> = {
  'smollm2-135m': shape('SmolLM2-135M', {
    nBlocks: 30,
    nParameters: 134_515_008,
    nParametersPerBlock: 3_540_096,
    sizeBytes: 269_030_016,
    dtype: 'bf16',
    width: 576,
    mlpWidth: 1536,
    nHeads: 9,
    nKeyValueHeads: 3,
    headWidth: 64,
    vocabularySize: 49_152,
  }),
  stories260k: shape('stories260K', {
    nBlocks: 5,
    nParameters: 260_032,
    nParametersPerBlock: 45_184,
    sizeBytes: 1_040_128,
    dtype: 'f32',
    width: 64,
    mlpWidth: 172,
    nHeads: 8,
    nKeyValueHeads: 4,
    headWidth: 8,
    vocabularySize: 512,
  }),
};

export const modelOf = (name: ModelName): ModelSummary => shapes[name];

export function reportOf(name: ModelName): AnalyzeReport {
  const reference = readReference(name);
  const model = shapes[name];
  const { blocks } = reference.model;
  const perBlock = (unit: string, scores: number[], errors?: number[]): MethodScores => ({
    unit,
    of: 'block',
    paper: '',
    scores,
    standardErrors: errors ?? scores.map(() => null),
  });
  const half = (of: 'attention' | 'mlp', scores: number[]): MethodScores => ({ ...perBlock('', scores), of });
  const spans = Array.from({ length: blocks }, (_, i) =>
    reference.angular_last_token[i]!.filter((it): it is number => it !== null && it !== undefined).slice(0, blocks - i),
  );
  const removal = (lossNats: number) => measured(reference, lossNats - reference.removal_dense_loss);
  const removals = reference.loss_without_block.map(removal);
  const sets = searchedSets(reference);
  const greedy = reference.greedy.order.map((block, i) => {
    const drop = reference.greedy.order.slice(0, i + 1);
    return { unit: block, candidates: [], ...(i === 0 ? removals[block]! : measured(reference, sets.get(key(drop))!)) };
  });
  return {
    kind: 'analyze',
    model,
    source: {
      files: [{ name: 'WikiText-2 test', sha256: '', sizeBytes: 0 }],
      nSequences: reference.settings.windows,
      tokensPerSequence: reference.settings.length,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
      idsSha256: '',
      nTokensInText: null,
    },
    lossNats: reference.dense.loss,
    lossStandardError: spread(reference.dense.loss_per_window),
    lossPerSequence: reference.dense.loss_per_window,
    perplexity: reference.dense.perplexity,
    methods: {
      blockInfluence: perBlock(
        '1 - cosine',
        reference.block_influence,
        reference.block_influence.map((_, k) => spread(reference.block_influence_per_window.map((row) => row[k]!))),
      ),
      angularDistance: {
        unit: 'half turns',
        of: 'span',
        paper: '',
        scores: spans,
        standardErrors: spans.map((row) => row.map(() => null)),
      },
      relativeMagnitude: perBlock('norm of the change / norm before', reference.relative_magnitude.over_input),
      taylor: perBlock('sum of |w g|', reference.taylor.projections),
      weightMagnitude: perBlock('sum of |w|', reference.magnitude.l1),
      relativeAttentionNorm: half('attention', reference.attention_output.over_input),
      relativeMlpNorm: half('mlp', reference.mlp_output.over_input),
    },
    removals: {
      blocks: removals,
      attention: reference.loss_without_attention.map(removal),
      mlp: reference.loss_without_mlp.map(removal),
    },
    greedy: {
      of: 'blocks',
      racingConfidence: null,
      order: reference.greedy.order,
      lossNats: greedy.map(({ lossNats }) => lossNats),
      steps: greedy,
    },
    suggestions: null,
    whatIf: [...sets]
      .filter(([at]) => at.includes(','))
      .map(([at, cost]) => ({
        drop: { blocks: at.split(',').map(Number), attention: [], mlp: [] },
        ...measured(reference, cost),
      })),
    work: null,
    timing: { elapsedMs: 140_000, loadMs: 300, compileMs: 400, tokenizeMs: 200, writeMs: 0, tokens: 4096 },
    transfers: null,
    peakMemoryBytes: 1.5e9,
    device: 'cpu',
    threads: 2,
    memory: 'resident',
    versions: { espalier: '0.1.0', onnxruntime: '1.30.0', node: '20' },
  };
}

/** A made-up model of many blocks, for layout: the numbers of SmolLM2 over and over. */
export function stretched(report: AnalyzeReport, nBlocks: number): AnalyzeReport {
  const from = report.model.nBlocks;
  const wide = <T>(list: readonly T[]): T[] => Array.from({ length: nBlocks }, (_, k) => list[k % from]!);
  const methods = Object.fromEntries(
    Object.entries(report.methods).map(([name, it]) => {
      if (it.of !== 'span')
        return [
          name,
          { ...it, scores: wide(it.scores as number[]), standardErrors: wide(it.standardErrors as (number | null)[]) },
        ];
      const rows = Array.from({ length: Math.min(16, nBlocks) }, (_, i) =>
        Array.from({ length: nBlocks - i }, (_, first) => {
          const row = (it.scores as number[][])[i]!;
          return row[first % row.length]!;
        }),
      );
      return [name, { ...it, scores: rows, standardErrors: rows.map((row) => row.map(() => null)) }];
    }),
  ) as AnalyzeReport['methods'];
  const { blocks, attention, mlp } = report.removals!;
  return {
    ...report,
    model: { ...report.model, name: 'Llama-3.1-70B', nBlocks, nParameters: report.model.nParameters * 3 },
    methods,
    removals: { blocks: wide(blocks), attention: wide(attention!), mlp: wide(mlp!) },
  };
}

export function stateOf(
  report: Partial<AnalyzeReport> | null,
  model: ModelSummary,
  changes: Partial<ChooseBlocksState> = {},
): ChooseBlocksState {
  return {
    model,
    analysis: report,
    run: report ? runOf({ state: 'done' }) : null,
    source: {
      kind: 'text',
      files: ['/texts/wiki.test.raw'],
      field: null,
      sequences: 8,
      tokens: 512,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
    },
    connection: { state: 'connected' },
    choice: {
      drop: { blocks: [], attention: [], mlp: [] },
      protected: model.nBlocks > 8 ? [0, model.nBlocks - 1] : [],
      method: 'blockInfluence',
    },
    recipesFolder: '/recipes',
    offer: null,
    pruning: null,
    measuresSpeed: true,
    ...changes,
  };
}

export const runOf = (
  state: Parameters<typeof Object.assign>[1] & { state: RunSummary['state'] },
  kind: RunSummary['kind'] = 'analyze',
) =>
  ({
    runId: '3f0e9a52-8f2e-4d3f-9f2d-000000000001',
    kind,
    title: `${kind === 'prune' ? 'Prune' : 'Analyze'} SmolLM2-135M`,
    model: '/models/smollm2-135m',
    createdAtEpochMs: Date.now() - 60_000,
    startedAtEpochMs: Date.now() - 60_000,
    endedAtEpochMs: null,
    lastSeq: 1,
    host: null,
    ...state,
  }) as RunSummary;

/** What an engine would answer: the searched sets of the reference, and for others the sum of single removals. */
export function answerTo(report: AnalyzeReport, drop: DropSet): Estimate {
  const found = report.whatIf?.find((it) => JSON.stringify(it.drop) === JSON.stringify(drop));
  const singles = report.removals!;
  const sum =
    drop.blocks.reduce((t, k) => t + finite(singles.blocks[k]!.costNats), 0) +
    drop.attention.reduce((t, k) => t + finite(singles.attention![k]!.costNats), 0) +
    drop.mlp.reduce((t, k) => t + finite(singles.mlp![k]!.costNats), 0);
  const costNats = found ? finite(found.costNats) : sum * 1.11;
  return {
    lossNats: report.lossNats + costNats,
    standardError: report.lossStandardError,
    costNats,
    costStandardError: 0.015 + 0.03 * costNats,
    nSequences: 8,
    ofSequences: 8,
    final: true,
    elapsedMs: 900,
  };
}

const readReference = (name: ModelName): Reference => JSON.parse(readFileSync(referenceFile(name), 'utf8'));

/** Costs of all sets that the greedy search looked at, against the original on the same two sequences. */
function searchedSets({ greedy, dense, settings }: Reference): Map<string, number> {
  const sequences = (settings as { greedy_windows?: number }).greedy_windows ?? settings.windows;
  const whole = dense.loss_per_window.slice(0, sequences).reduce((a, b) => a + b, 0) / sequences;
  const sets = new Map<string, number>();
  greedy.candidates.forEach((step, i) => {
    for (const [block, lossNats] of Object.entries(step))
      sets.set(key([...greedy.order.slice(0, i), Number(block)]), lossNats - whole);
  });
  return sets;
}

const key = (blocks: readonly number[]): string => [...blocks].sort((a, b) => a - b).join(',');

function measured(reference: Reference, costNats: number): FiniteLoss {
  return {
    lossNats: reference.dense.loss + costNats,
    standardError: spread(reference.dense.loss_per_window),
    costNats,
    costStandardError: 0.01 + 0.04 * Math.abs(costNats),
  };
}

function spread(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((t, v) => t + (v - mean) ** 2, 0) / (values.length - 1);
  return Math.sqrt(variance / values.length);
}

function shape(
  name: string,
  numbers: Pick<
    ModelSummary,
    | 'nBlocks'
    | 'nParameters'
    | 'nParametersPerBlock'
    | 'sizeBytes'
    | 'dtype'
    | 'width'
    | 'mlpWidth'
    | 'nHeads'
    | 'nKeyValueHeads'
    | 'headWidth'
    | 'vocabularySize'
  >,
): ModelSummary {
  const { nBlocks, nParameters, nParametersPerBlock, sizeBytes, width, nKeyValueHeads, headWidth } = numbers;
  const amount = (parameters: number) => ({ parameters, bytes: (parameters * sizeBytes) / nParameters });
  return {
    parts: {
      outside: amount(nParameters - nBlocks * nParametersPerBlock),
      block: amount(nParametersPerBlock),
      channel: amount(3 * width),
      cachedPerToken: 2 * nKeyValueHeads * headWidth,
      headerBytes: { outside: 300, block: 990 },
    },
    name,
    folder: `/models/${name.toLowerCase()}`,
    family: 'llama',
    contextLength: 2048,
    tiedEmbeddings: true,
    ownHeadDespiteTie: false,
    unusedTensors: [],
    rope: 'theta 10000',
    droppedSublayers: { attention: [], mlp: [] },
    prunedFrom: null,
    healed: false,
    ...numbers,
  };
}
