// Facts of a card with numbers that occur nowhere else, so that a number of the card can only come from its own place.
import type { CardFacts } from '../../server/publishing/card/facts';
import type { FoundReport } from '../../server/publishing/reports';
import type { ModelSummary } from '../../server/protocol/reports';
import type { EvaluateReport } from '../../server/recipes/evaluate/recipe';

const facts = {
  timing: { elapsedMs: 83_217, tokens: 4_719 },
  peakMemoryBytes: 1_734_567_890,
  device: 'cpu',
  threads: 7,
  versions: { espalier: '0.1.0', onnxruntime: '1.30.0', node: 'v20.20.2' },
};
const file = { name: 'calibration.txt', sha256: 'ab'.repeat(32), sizeBytes: 918_273 };
const source = {
  files: [file],
  nSequences: 13,
  tokensPerSequence: 487,
  start: 291,
  bos: 'none' as const,
  sampling: 'random' as const,
  seed: 37,
  idsSha256: 'cd'.repeat(32),
  nTokensInText: null,
};
const summary = (name: string, folder: string): ModelSummary =>
  ({
    name,
    folder,
    family: 'llama',
    nBlocks: 28,
    nParameters: 127_123_456,
    sizeBytes: 254_246_912,
    dtype: 'BF16',
    contextLength: 8192,
  }) as ModelSummary;

const model = summary('thing', '/x/thing');
const point = (lossNats: number) => ({ lossNats, perplexity: Math.exp(lossNats) });

const evaluation = {
  kind: 'evaluate',
  ...facts,
  models: [
    { label: 'small', name: 'small', folder: '/x/small', drop: { blocks: [], attention: [], mlp: [] } },
    { label: 'thing', name: 'thing', folder: '/x/thing', drop: { blocks: [], attention: [], mlp: [] } },
  ],
  tasks: [
    {
      task: 'arc_easy',
      title: 'ARC, easy',
      version: 1,
      group: null,
      output: 'multipleChoice',
      nFewShot: 3,
      nItems: 211,
      nItemsOfTask: 2376,
      chance: 0.25,
      metrics: ['acc', 'acc_norm'],
      files: [],
    },
  ],
  groups: [],
  scores: [
    { model: 0, task: 'arc_easy', metric: 'acc_norm', value: 0.587_123, stderr: 0.010_357, nItems: 211 },
    { model: 1, task: 'arc_easy', metric: 'acc_norm', value: 0.512_741, stderr: 0.011_893, nItems: 211 },
  ],
  comparisons: [
    {
      task: 'arc_easy',
      metric: 'acc_norm',
      base: 'small',
      variant: 'thing',
      delta: -0.074_382,
      pairedStderr: 0.009_131,
      interval95: [-0.092_278, -0.056_486],
      mcnemarP: 0.001,
      flipped: null,
      significant: true,
    },
  ],
  generation: null,
  warnings: [],
  items: null,
} as unknown as EvaluateReport;

export const reports: FoundReport[] = [
  {
    kind: 'prune',
    ...facts,
    model: summary('small', '/x/small'),
    out: '/x/thing',
    rule: { kind: 'method', method: 'blockInfluence' },
    dropSet: [5, 17],
    droppedSublayers: { attention: [], mlp: [] },
    removedBlocks: [5, 17],
    repair: null,
    channels: { before: 1536, after: 1409 },
    nParamsBefore: 141_987_654,
    nParamsAfter: 127_123_456,
    sizeBytesBefore: 283_975_308,
    sizeBytesAfter: 254_246_912,
    rounding: null,
  },
  {
    kind: 'perplexity',
    ...facts,
    models: [
      { name: 'small', folder: '/x/small', lossNats: 2.345_67, lossStandardError: 0.012_34, nTokens: 6331 },
      { name: 'thing', folder: '/x/thing', lossNats: 2.987_34, lossStandardError: 0.023_45, nTokens: 6331 },
    ].map((each) => ({
      ...each,
      dropSet: [],
      droppedSublayers: { attention: [], mlp: [] },
      perplexity: Math.exp(each.lossNats),
      definition: 'token perplexity, 13 sequences of 487 tokens, drawn at random, no bos, 486 predictions a sequence',
      source,
    })),
  },
  {
    kind: 'heal',
    ...facts,
    model,
    out: '/x/adapter',
    adapter: { nParameters: 777_216, rank: 11, alpha: 22.5, targets: ['q_proj', 'down_proj'], blocks: [0, 1] },
    data: {
      files: [file],
      format: 'text',
      nTrainingItems: 1931,
      nHeldOutItems: 103,
      nTokens: 494_336,
      nCountedTokens: 492_405,
    },
    objective: { kind: 'nextToken' },
    optimizer: { learningRate: 4.3e-4, schedule: 'cosine', warmupSteps: 19, weightDecay: 0.07, clipNorm: 0.9 },
    steps: Array.from({ length: 151 }, (_, step) => ({ step, lossNats: 7.314_59 - 0.001_713 * step })),
    evals: [0, 76, 151].map((step) => ({ step, ...point(3.011_11 - 0.001_237 * step), recoveredFraction: step / 431 })),
    dense: point(2.412_34),
    pruned: point(3.011_11),
    healed: point(2.824_323),
    bestStep: 149,
    stoppedBy: 'steps',
  },
  { kind: 'generate', ...facts, model, nNewTokens: 61, tokensPerSecond: 23.456 },
  evaluation,
];

export const madeFacts = (change: Partial<CardFacts> = {}): CardFacts => ({
  of: 'model',
  name: 'somebody/thing',
  folder: '/x/thing',
  base: 'owner/small',
  cut: { original: 'owner/small', nBlocks: 30, blocks: [5, 17], attention: [21], mlp: [] },
  steps: [
    {
      kind: 'prune',
      rule: { kind: 'method', method: 'blockInfluence' },
      scores: [0.043_21, 0.056_78],
      order: [17, 5],
      calibration: source,
      removedBlocks: [5, 17],
      removedHalves: { attention: [21], mlp: [] },
      mlpWidth: 1409,
      repair: { ridge: 0.0137, lossBefore: 3.276_54, lossAfter: 3.054_32, heldOutBefore: 3.4321, heldOutAfter: 3.2109 },
      versions: { espalier: '0.1.0' },
    },
  ],
  model,
  notInLlamaCpp: null,
  reports,
  licence: { id: 'apache-2.0' },
  languages: ['en'],
  datasets: ['owner/texts'],
  newVersion: null,
  registered: [],
  prose: null,
  ...change,
});
