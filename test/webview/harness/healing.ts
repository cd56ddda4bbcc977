// A healing of SmolLM2-135M without five of its blocks. Real: dense and pruned loss, the held-out losses, seconds a step,
// settings and peak memory. Made up: the training loss of each step, gradient norms, tokens a second, the diverged run.
import { defaultSettings } from '../../../extension/panels/heal/recipe';
import type { EarlierHealing, HealingState, HealPoints, HealState } from '../../../server/protocol/pages/heal';
import type { HealRecipe, HealReport } from '../../../server/recipes/heal/recipe';
import type { HealEval, HealStep, ModelSummary } from '../../../server/protocol/reports';
import type { RunSummary } from '../../../server/protocol/server';
import { recipeSchema } from '../../../server/recipes/kinds';
import type { Case } from './cases';
import { plan } from './cases';
import { modelOf, runOf } from './fixture';

const [dense, pruned] = [3.4131, 4.1467];
const held: [number, number][] = [
  [0, 4.1467],
  [25, 3.6794],
  [50, 3.5738],
  [75, 3.5372],
  [100, 3.5267],
];
const ofTheOther: [number, number][] = [
  [0, 4.3259],
  [25, 3.7371],
  [50, 3.5659],
  [75, 3.5144],
  [100, 3.4994],
];
const point = (lossNats: number) => ({ lossNats, perplexity: Math.exp(lossNats) });
const evalsOf = (rows: readonly [number, number][], denseNats = dense): HealEval[] =>
  rows.map(([step, nats]) => ({
    step,
    ...point(nats),
    recoveredFraction: (rows[0]![1] - nats) / (rows[0]![1] - denseNats),
  }));

export const healedModel: ModelSummary = {
  ...modelOf('smollm2-135m'),
  name: 'SmolLM2-135M-pruned',
  folder: '/models/smollm2-135m-pruned',
  nBlocks: 25,
  nParameters: 116_814_528,
  prunedFrom: { model: 'SmolLM2-135M', removedBlocks: [13, 14, 15, 17, 26] },
};

export const healRecipe = (change: object = {}): HealRecipe =>
  recipeSchema.parse({
    kind: 'heal',
    model: healedModel.folder,
    dense: '/models/smollm2-135m',
    data: { files: ['/texts/wiki.train.raw'] },
    loop: {
      heldOut: { kind: 'text', files: ['/texts/wiki.test.raw'], sequences: 8, tokens: 512 },
    },
    out: '/models/smollm2-135m-healed',
    ...change,
  }) as HealRecipe;

/** Numbers in [0, 1) that are the same each time. */
function random(seed: number): () => number {
  let now = seed;
  return () => {
    now = (now * 1664525 + 1013904223) % 4294967296;
    return now / 4294967296;
  };
}

export function stepsOf(count: number, kind: 'good' | 'diverged' = 'good', steps = 100): HealStep[] {
  const next = random(7);
  const noise = () => (next() + next() + next() + next() - 2) * 0.25;
  return Array.from({ length: count }, (_, step) => {
    const blown = kind === 'diverged' && step > 31 ? 0.06 * (step - 31) ** 2.05 : 0;
    return {
      step,
      lossNats: 3.62 + 0.86 * Math.exp((-17 / steps) * 0.35 * step) + noise() + blown,
      gradNorm: 0.41 + 0.35 * Math.exp(-step / 8) + 0.1 * noise() + blown,
      learningRate: (kind === 'diverged' ? 5e-3 : 5e-4) * Math.min(1, (step + 1) / 10) * (1 - step / steps),
      tokensPerSecond: 178.5 + 9 * noise(),
    };
  });
}

export const pointsOf = (steps: readonly HealStep[], evals: HealEval[] = []): HealPoints => ({
  step: steps.map(({ step }) => step),
  lossNats: steps.map(({ lossNats }) => lossNats),
  gradNorm: steps.map(({ gradNorm }) => gradNorm),
  learningRate: steps.map(({ learningRate }) => learningRate),
  tokensPerSecond: steps.map(({ tokensPerSecond }) => tokensPerSecond),
  memoryBytes: steps.map(({ step }) => (step < 2 ? 2.1e9 : 4.35e9)),
  evals,
});

/** Of the first so many steps. */
export const heldOut = (nDone: number): HealEval[] => evalsOf(held.filter(([step]) => step <= nDone));

export const healRun = (state: Parameters<typeof runOf>[0]): RunSummary =>
  ({ ...runOf(state, 'heal'), title: 'Heal SmolLM2-135M-pruned', model: healedModel.folder }) as RunSummary;

export const earlierHealings = (): EarlierHealing[] => [
  {
    run: { ...healRun({ state: 'done' }), runId: '3f0e9a52-8f2e-4d3f-9f2d-000000000002' },
    recipe: healRecipe(),
    removedBlocks: [12, 13, 14, 15, 16],
    evals: evalsOf(ofTheOther),
  },
  {
    run: { ...healRun({ state: 'done' }), runId: '3f0e9a52-8f2e-4d3f-9f2d-000000000003' },
    recipe: healRecipe({ loop: { ...healRecipe().loop, steps: 25 } }),
    removedBlocks: [13, 14, 15, 17, 26],
    evals: evalsOf(held.slice(0, 2)),
  },
];

export function healReport(change: Partial<HealReport> = {}): HealReport {
  const recipe = healRecipe();
  return {
    kind: 'heal',
    model: healedModel,
    out: recipe.out,
    adapter: adapterSummary,
    data: trainingData,
    objective: recipe.objective,
    optimizer: recipe.optimizer,
    steps: [],
    evals: evalsOf(held),
    dense: point(dense),
    pruned: point(pruned),
    healed: point(3.5267),
    bestStep: 100,
    stoppedBy: 'steps',
    warning: null,
    timing: { elapsedMs: 574_000, loadMs: 300, compileMs: 400, tokenizeMs: 200, writeMs: 10, tokens: 102_400 },
    transfers: null,
    peakMemoryBytes: 4.35e9,
    device: 'cpu',
    threads: 2,
    memory: 'resident',
    versions: { espalier: '0.1.0', onnxruntime: '1.30.0', node: '20' },
    ...change,
  };
}

const adapterSummary = {
  nParameters: 2_034_688,
  rank: 8,
  alpha: 16,
  targets: ['all-linear'],
  blocks: Array.from({ length: 25 }, (_, k) => k),
  normB: 0,
};
const trainingData = {
  files: [{ name: 'wiki.train.raw', sha256: '', sizeBytes: 11e6 }],
  format: 'text' as const,
  nTrainingItems: 9_400,
  nHeldOutItems: 8,
  nTokens: 2_406_400,
  nCountedTokens: 2_396_800,
  nTruncated: 0,
};

export function healState(change: Partial<HealingState> = {}, others: Partial<HealState> = {}): HealState {
  const healing: HealingState = {
    run: healRun({ state: 'running', step: 'train', fraction: 0.63 }),
    recipe: healRecipe(),
    plan,
    report: null,
    adapter: adapterSummary,
    data: trainingData,
    references: { dense: point(dense), pruned: point(pruned) },
    remainingSeconds: 212,
    asked: null,
    merging: null,
    ...change,
  };
  const earlier = earlierHealings();
  return {
    model: healedModel,
    original: { name: 'SmolLM2-135M', folder: '/models/smollm2-135m' },
    view: { smoothing: 0.9, by: 'step', logX: false, logY: false, overlays: [earlier[0]!.run.runId] },
    connection: { state: 'connected' },
    earlier,
    shown: { kind: 'run', healing },
    ...others,
  };
}

export const healForm = (): HealState['shown'] => ({
  kind: 'form',
  form: {
    settings: defaultSettings,
    textName: 'wiki.train.raw',
    plan: { ...plan, nTokens: 102_400, totalBytes: 2.1e9, estimatedSeconds: 574 },
    refusal: null,
  },
});

export function healCases(): Case[] {
  const made = (
    name: string,
    state: HealState,
    nDone: number,
    options: Partial<Case> = {},
    diverged = false,
  ): Case => ({
    name,
    page: 'heal',
    height: 830,
    answers: { 'page/open': () => ({ page: 'heal', state }), 'heal/keep': () => null },
    ...options,
    async before(opened) {
      if (nDone > 0)
        await opened.notify('heal/points', pointsOf(stepsOf(nDone, diverged ? 'diverged' : 'good'), heldOut(nDone)));
      await opened.page.waitForTimeout(200);
      await options.before?.(opened);
    },
  });
  const paused = healState({ run: healRun({ state: 'paused', step: 'train', fraction: 0.63 }) });
  const done = healState({ run: healRun({ state: 'done' }), report: healReport() });
  const blown = healState(
    {
      run: healRun({ state: 'done' }),
      recipe: healRecipe({ optimizer: { learningRate: 5e-3 } }),
      report: healReport({
        stoppedBy: 'divergence',
        bestStep: 25,
        evals: evalsOf(held.slice(0, 2)),
        warning: 'Training loss rose from 3.74 to 9.29 between steps 32 and 41.',
      }),
    },
    { view: { ...healState().view, overlays: [] } },
  );
  const form = { ...healState(), shown: healForm() };
  const narrow = { width: 500, height: 1230 };
  const failed = healRun({ state: 'failed', code: 'cannotFit', message: 'Training needs 9.1 GB and 8.0 GB are free.' });
  return [
    ...(['dark', 'light', 'high-contrast'] as const).flatMap((theme) => [
      made(`heal-${theme}`, healState(), 63, { theme }),
      made(`heal-${theme}-narrow`, paused, 63, { theme, ...narrow }),
      made(`heal-form-${theme}`, form, 0, { theme, height: 520 }),
    ]),
    made('heal-done-high-contrast', done, 100, { theme: 'high-contrast' }),
    made('heal-done', done, 100),
    made('heal-diverged', blown, 41, { height: 910 }, true),
    made(
      'heal-preparing',
      healState({
        run: healRun({ state: 'running', step: 'original model', fraction: 0.4 }),
        adapter: null,
        data: null,
        references: null,
        remainingSeconds: null,
      }),
      0,
    ),
    made('heal-interrupted', healState({ run: healRun({ state: 'interrupted' }), remainingSeconds: null }), 63),
    made(
      'heal-failed',
      healState({ run: failed, adapter: null, data: null, references: null, remainingSeconds: null }),
      0,
    ),
    made('heal-form-narrow', form, 0, { width: 500, height: 760 }),
    made('heal-log', healState({}, { view: { ...healState().view, logX: true, logY: true, by: 'tokens' } }), 63),
    made('heal-crosshair', healState(), 63, {
      async before({ page }) {
        await page.focus('#loss');
        for (let i = 0; i < 14; i++) await page.keyboard.press('ArrowLeft');
        await page.keyboard.press('+');
      },
    }),
    made('heal-1240', healState(), 63, { width: 1240 }),
    made('heal-480', healState(), 63, { width: 480, height: 1230 }),
  ];
}
