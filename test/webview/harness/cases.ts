// The states that the pages can be in, as rows: what the host says, in which theme and how wide.
import type { DownloadPlan, Plan } from '../../../server/protocol/engine';
import type { ChooseBlocksState } from '../../../server/protocol/pages/chooseBlocks';
import type { RunPageState } from '../../../server/protocol/pages/run';
import type { TryState } from '../../../server/protocol/pages/try';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { AnalyzeReport } from '../../../server/recipes/analyze/recipe';
import type { Answers, OpenOptions, OpenPage } from './browser';
import { ofBlocks } from '../../../server/shared/dropSets';
import { notFinite } from '../../../server/shared/finite';
import { ownHeadInWords, unusedTensorsInWords } from '../../../server/shared/tensorNames';
import { evaluationCases } from './evaluation';
import { healCases } from './healing';
import { publishCases } from './publishing';
import { answerTo, type ModelName, runOf, stateOf, stretched } from './fixture';

export interface Case extends OpenOptions {
  name: string;
  fullPage?: boolean;
  before?: (opened: OpenPage) => Promise<void>;
}

const fiveBlocks = { blocks: [12, 13, 14, 15, 16], attention: [], mlp: [] };

export function cases(
  modelOf: (name: ModelName) => ModelSummary,
  reportOf: (name: ModelName) => AnalyzeReport,
): Case[] {
  const model = modelOf('smollm2-135m');
  const report = reportOf('smollm2-135m');
  const chosen = stateOf(report, model);
  chosen.choice = { ...chosen.choice, drop: fiveBlocks };
  const small = reportOf('stories260k');
  const looks = (['dark', 'light', 'high-contrast'] as const).flatMap((theme) => [
    choose(`choose-${theme}`, chosen, { theme }),
    choose(`choose-${theme}-narrow`, chosen, { theme, width: 500, height: 1480, before: openBlock(11) }),
  ]);
  const states: Case[] = [
    choose('choose-480', chosen, { width: 480 }),
    choose('choose-1240', chosen, { width: 1240 }),
    choose('choose-nothing', stateOf(report, model)),
    choose(
      'choose-sublayers',
      { ...chosen, choice: { ...chosen.choice, drop: { blocks: [13], attention: [17], mlp: [20] } } },
      { height: 1400, before: async ({ page }) => page.click('#sublayers') },
    ),
    choose('choose-5-blocks', stateOf(small, modelOf('stories260k'))),
    choose('choose-80-blocks', stateOf(stretched(report, 80), stretched(report, 80).model), { fullPage: true }),
    choose('choose-focus', chosen, { before: async ({ page }) => page.focus('#blocks tr[data-block="12"]') }),
    choose('choose-map-focus', chosen, {
      before: async ({ page }) => {
        await page.focus('#heat svg');
        await page.keyboard.press('ArrowLeft');
      },
    }),
    choose('empty', {
      ...stateOf(null, model),
      offer: { measure: measureAll, weights: null, plan, textName: 'wiki.test.raw' },
    }),
    choose('running', {
      ...stateOf(partial(report), model),
      run: runOf({ state: 'running', step: 'removals', fraction: 0.19 }),
      offer: { measure: measureAll, weights: null, plan, textName: 'wiki.test.raw' },
    }),
    choose('failed', {
      ...stateOf(null, model),
      run: runOf({
        state: 'failed',
        code: 'damagedCheckpoint',
        message: 'model.safetensors ends early: 131.2 of 269.1 MB.',
      }),
    }),
    choose('interrupted', { ...stateOf(partial(report), model), run: runOf({ state: 'interrupted' }) }),
    choose('reconnecting', { ...chosen, connection: { state: 'reconnecting', attempt: 3 } }),
    choose('pruning', {
      ...chosen,
      pruning: {
        run: runOf({ state: 'running', step: 'write', fraction: 0.42 }, 'prune'),
        out: '/models/SmolLM2-135M-without-12-16',
      },
    }),
    choose('pruned', {
      ...chosen,
      pruning: { run: runOf({ state: 'done' }, 'prune'), out: '/models/SmolLM2-135M-without-12-16' },
    }),
    choose(
      'pruned-narrow',
      { ...chosen, pruning: { run: runOf({ state: 'done' }, 'prune'), out: '/models/SmolLM2-135M-without-12-16' } },
      { width: 500 },
    ),
    choose('choose-not-finite', {
      ...stateOf(notFiniteWithout(report, 11), model),
      choice: { ...chosen.choice, drop: ofBlocks([11]) },
    }),
    choose('measuring', chosen, { answers: { 'choose/ask': () => new Promise(() => {}) } }),
  ];
  return [
    ...looks,
    ...states,
    ...tryCases(model),
    ...runCases(report),
    ...healCases(),
    ...evaluationCases(),
    ...publishCases(),
  ];

  function choose(name: string, state: ChooseBlocksState, options: Partial<Case> = {}): Case {
    const { answers, ...others } = options;
    return {
      name,
      page: 'chooseBlocks',
      answers: {
        'page/open': () => ({ page: 'chooseBlocks', state }),
        'choose/keep': () => null,
        'choose/ask': ({ drop }) => answerTo(state.analysis as AnalyzeReport, drop),
        ...answers,
      },
      ...others,
    };
  }
}

const openBlock =
  (block: number) =>
  async ({ page }: OpenPage) => {
    await page.focus(`#blocks tr[data-block="${block}"]`);
    await page.keyboard.press('ArrowRight');
  };

export const measureAll = {
  removals: 'sublayers' as const,
  greedy: { count: 6, of: 'blocks' as const, racingConfidence: null, protected: [] },
  suggestions: 5,
  whatIf: [],
};

export const download: DownloadPlan = {
  sources: [
    {
      kind: 'models',
      repository: 'HuggingFaceTB/SmolLM2-135M',
      revision: 'main',
      commit: '93efa2f097d58c2a74874c7e644dbc9b0cee75a2',
    },
  ],
  cache: '/home/me/.cache/huggingface/hub',
  nFiles: 10,
  sizeBytes: 272_000_000,
  fetchBytes: 260_000_000,
  freeBytes: 35_200_000_000,
};

export const plan: Plan = {
  model: 'SmolLM2-135M',
  device: 'cpu',
  threads: 2,
  memory: 'resident',
  nSequences: 8,
  nTokens: 4096,
  bytes: { weights: 0.55e9, states: 0.3e9, activations: 0.4e9, processes: 0.25e9 },
  totalBytes: 1.5e9,
  limitBytes: 8e9,
  estimatedSeconds: 140,
};

/** After the scores and 17 of the single removals. */
function partial(report: AnalyzeReport): Partial<AnalyzeReport> {
  const { kind, model, source, lossNats, lossStandardError, perplexity, methods, removals } = report;
  return {
    kind,
    model,
    source,
    lossNats,
    lossStandardError,
    perplexity,
    methods,
    removals: { blocks: removals!.blocks.slice(0, 17), attention: null, mlp: null },
  };
}

/** The loss without a block overflows, and so does the score of one by a method. */
function notFiniteWithout(report: AnalyzeReport, block: number): AnalyzeReport {
  const { blockInfluence: _, ...methods } = report.methods;
  const lost = { lossNats: notFinite, standardError: null, costNats: notFinite, costStandardError: null };
  const blocks = report.removals!.blocks.map((loss, k) => (k === block ? lost : loss));
  return {
    ...report,
    methods,
    removals: { ...report.removals!, blocks },
    notFinite: [{ method: 'blockInfluence', block }],
    whatIf: [],
  };
}

function tryCases(model: ModelSummary): Case[] {
  const variant: ModelSummary = {
    ...model,
    name: 'SmolLM2-135M-without-12-16',
    nBlocks: 25,
    nParameters: 116_814_528,
    sizeBytes: 233_629_056,
    prunedFrom: { model: model.name, removedBlocks: [12, 13, 14, 15, 16] },
  };
  const state: TryState = {
    models: [model, variant],
    prompt: 'Once upon a time, there was a gardener who',
    maxTokens: 64,
    weights: null,
    connection: { state: 'connected' },
  };
  const answers = (more: Answers): Answers => ({ 'page/open': () => ({ page: 'try', state }), ...more });
  const halfway = async (opened: OpenPage) => {
    await opened.page.click('#generate');
    await opened.notify('try/text', {
      model: 0,
      text: ' lived in a small house at the edge of the village. Every morning he',
    });
    await opened.page.waitForSelector('.new:not(:empty)');
  };
  return [
    { name: 'try-empty', page: 'try', answers: answers({}) },
    {
      name: 'try-running',
      page: 'try',
      answers: answers({ 'try/generate': () => new Promise(() => {}) }),
      before: halfway,
    },
    {
      name: 'try-narrow-light',
      page: 'try',
      theme: 'light',
      width: 500,
      answers: answers({ 'try/generate': () => new Promise(() => {}) }),
      before: halfway,
    },
    {
      name: 'try-high-contrast',
      page: 'try',
      theme: 'high-contrast',
      answers: answers({ 'try/generate': () => new Promise(() => {}) }),
      before: halfway,
    },
  ];
}

const unusedTensors = [0, 1, 2].map((k) => `model.layers.${30 + k}.mlp.down_proj.weight`);

function runCases(report: AnalyzeReport): Case[] {
  const recipeYaml =
    'kind: analyze\nmodel: /models/smollm2-135m\nsource:\n  kind: text\n  files:\n    - /texts/wiki.test.raw\n  sequences: 8\n  tokens: 512\nmethods: [blockInfluence, angularDistance, relativeMagnitude]\n';
  const state = (changes: Partial<RunPageState>): RunPageState => ({
    run: runOf({ state: 'running', step: 'removals', fraction: 0.19 }),
    recipeYaml,
    plan,
    download: null,
    warnings: [],
    report: null,
    connection: { state: 'connected' },
    ...changes,
  });
  const run = (name: string, changes: Partial<RunPageState>, options: Partial<Case> = {}): Case => ({
    name,
    page: 'run',
    answers: { 'page/open': () => ({ page: 'run', state: state(changes) }) },
    ...options,
  });
  return [
    run('run-running', {}),
    run('run-pull', {
      run: runOf({ state: 'running', step: 'download', fraction: 0.4, title: 'Pull SmolLM2-135M' }, 'pull'),
      recipeYaml: 'kind: pull\nrepository: HuggingFaceTB/SmolLM2-135M\nrevision: main\n',
      plan: null,
      download,
    }),
    run('run-done', { run: runOf({ state: 'done', endedAtEpochMs: Date.now() }), report }),
    run('run-warnings', {
      run: runOf({ state: 'done', endedAtEpochMs: Date.now() }),
      report: { ...report, model: { ...report.model, ownHeadDespiteTie: true, unusedTensors } },
      warnings: [
        ownHeadInWords('SmolLM2-135M'),
        unusedTensorsInWords('SmolLM2-135M', unusedTensors),
        'The adapter was trained on SmolLM2-135M without blocks 12-16, and this is SmolLM2-135M without blocks 10-14; merge it into the model that it was trained on.',
      ],
    }),
    run(
      'run-failed-light',
      {
        run: runOf({
          state: 'failed',
          code: 'cannotFit',
          message: 'The plan needs 9.1 GB and 8.0 GB are free; choose fewer sequences, or memory: streaming.',
        }),
      },
      { theme: 'light' },
    ),
    run(
      'run-done-narrow',
      { run: runOf({ state: 'done', endedAtEpochMs: Date.now() }), report },
      { width: 500, theme: 'high-contrast' },
    ),
  ];
}
