// Names and texts that want to be markup, to turn the page around, or to burst it. They come from models, files and
// engines; on the page they are text, nothing of them runs, and the layout holds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EvaluationRun } from '../../server/protocol/pages/evaluate';
import type { HealState } from '../../server/protocol/pages/heal';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { ModelSummary } from '../../server/protocol/reports';
import { available } from '../fixtures';
import { chromiumFile, type Harness, type OpenOptions, startHarness } from './harness/browser';
import { download, plan } from './harness/cases';
import { earlierHealings, healForm, healRecipe, healReport, healRun, healState } from './harness/healing';
import {
  evaluated,
  evaluatedOtherwise,
  evaluationForm,
  evaluationReport,
  evaluationRun,
  evaluationState,
} from './harness/evaluation';
import { publishedFolder, publishReport, publishRun, publishState } from './harness/publishing';
import { modelOf, referenceFile, reportOf, runOf, stateOf } from './harness/fixture';

const markup =
  '<img src=x onerror="globalThis.owned=1"><script>globalThis.owned=1</script><a href="javascript:globalThis.owned=1">x</a>';
const hostile: Record<string, string> = {
  markup,
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what others take for a template
  template: '${globalThis.owned=1}{{constructor.constructor("globalThis.owned=1")()}}<!--?lit$123$-->',
  direction: `\u202e\u2067evil\u202etxt.exe\u2066${markup}`,
  length: `${'a'.repeat(5_000)} ${'<b>'.repeat(1_500)}`,
  controls: `\u0000\u0007\u001b[31m\ufeff\ud800\n\n\t${'\u0301'.repeat(400)}`,
};

describe.skipIf(!available(referenceFile('smollm2-135m')) || !available(chromiumFile))('hostile text', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  const rows = Object.entries(hostile).flatMap(([kind, text]) => [
    { kind, page: 'chooseBlocks', open: chooseBlocks(text) },
    { kind, page: 'failed analysis', open: failedAnalysis(text) },
    { kind, page: 'try', open: tryPage(text) },
    { kind, page: 'run', open: runPage(text) },
    { kind, page: 'publish', open: publishPage(text) },
    { kind, page: 'healing', open: healingPage(text) },
    { kind, page: 'form of a healing', open: healFormPage(text) },
    { kind, page: 'evaluation', open: evaluationPage(text) },
    { kind, page: 'failed evaluation', open: failedEvaluation(text) },
    { kind, page: 'form of an evaluation', open: evaluationFormPage(text) },
  ]);

  it.each(rows)('of $kind stays text on the page of $page', async ({ kind, page: name, open }) => {
    const opened = await harness.open({ ...open, width: 480 });
    const { page } = opened;
    await page.waitForSelector('main > *');
    if (name === 'try') {
      await page.click('#generate');
      await opened.notify('try/text', { model: 0, text: hostile[kind]! });
      await page.waitForSelector('.new:not(:empty)', { state: 'attached' });
    }
    if (name === 'evaluation') await page.click('#scores tr[data-row] >> nth=1', { position: { x: 4, y: 4 } });
    for (const width of [480, 900]) {
      await page.setViewportSize({ width, height: 900 });
      if (name === 'chooseBlocks') await page.hover('#blocks tr[data-block="12"]');
      await page.waitForTimeout(150);
      expect(await page.evaluate(look)).toEqual({ owned: null, foreign: 0, tooWide: 0, tall: false });
    }
    expect(opened.told).toMatchObject({ 'page/violation': [], 'page/error': [] });
    expect(opened.complaints).toEqual([]);
    await opened.close();
  });
});

/** Runs in the page: whether something of the text ran, became markup, or burst the layout. */
function look() {
  const it = globalThis as never as {
    owned: unknown;
    document: {
      querySelectorAll(at: string): { length: number };
      documentElement: { scrollWidth: number; clientWidth: number; scrollHeight: number };
    };
  };
  const { scrollWidth, clientWidth, scrollHeight } = it.document.documentElement;
  return {
    owned: it.owned ?? null,
    foreign: it.document.querySelectorAll('main img, main script, main a, main b:not([class]):not(dd b)').length,
    tooWide: Math.max(0, scrollWidth - clientWidth),
    tall: scrollHeight > 20_000,
  };
}

const named = (text: string): ModelSummary => ({
  ...modelOf('smollm2-135m'),
  name: text,
  folder: `/models/${text}`,
  dtype: text.slice(0, 40),
  family: text,
});

function chooseBlocks(text: string): OpenOptions {
  return {
    page: 'chooseBlocks',
    answers: {
      'page/open': () => {
        const report = reportOf('smollm2-135m');
        const { blockInfluence, angularDistance } = report.methods;
        const analysis = {
          ...report,
          model: named(text),
          methods: {
            [text]: { ...blockInfluence!, unit: text, paper: text },
            blockInfluence: blockInfluence!,
            angularDistance: angularDistance!,
          },
          source: { ...report.source, files: [{ ...report.source.files[0]!, name: text }] },
        };
        const pruning = { run: runOf({ state: 'failed', code: text, message: text }, 'prune'), out: text };
        return { page: 'chooseBlocks', state: stateOf(analysis, named(text), { pruning }) };
      },
      'choose/keep': () => null,
    },
  };
}

function failedAnalysis(text: string): OpenOptions {
  return {
    page: 'chooseBlocks',
    answers: {
      'page/open': () => ({
        page: 'chooseBlocks',
        state: stateOf(null, named(text), {
          run: runOf({ state: 'failed', code: text, message: text, title: text }),
          connection: { state: 'failed', message: text },
          offer: {
            measure: { removals: 'blocks', greedy: null, suggestions: 0, whatIf: [] },
            weights: null,
            plan,
            textName: text,
          },
        }),
      }),
    },
  };
}

function tryPage(text: string): OpenOptions {
  return {
    page: 'try',
    answers: {
      'page/open': () => ({
        page: 'try',
        state: {
          models: [named(text), named(text)],
          prompt: text,
          maxTokens: 20,
          weights: null,
          connection: { state: 'connected' },
        },
      }),
      'try/generate': () => new Promise(() => {}),
    },
  };
}

function runPage(text: string): OpenOptions {
  return {
    page: 'run',
    answers: {
      'page/open': () => ({
        page: 'run',
        state: {
          run: runOf({ state: 'failed', code: text, message: text, title: text, model: text }),
          recipeYaml: `model: ${text}\n`.repeat(3),
          plan: { ...plan, model: text, device: text },
          download: {
            ...download,
            sources: [{ kind: 'models', repository: text, revision: text, commit: text }],
            cache: text,
          },
          warnings: [text],
          report: { ...reportOf('smollm2-135m'), model: named(text), device: text },
          connection: { state: 'connected' },
        },
      }),
    },
  };
}

function publishPage(text: string): OpenOptions {
  const folder = {
    ...publishedFolder,
    ...{ folder: text, repository: text, branch: text, tag: text, leftOut: [text], warnings: [text] },
    files: [{ name: text, sizeBytes: 1 }],
    card: [{ name: text, text }],
    checks: publishedFolder.checks.map((check) => ({ ...check, sentence: text })),
  };
  const report = { ...publishReport, endpoint: text, published: [folder] };
  const { settings } = publishState();
  const run = publishRun({
    run: runOf({ state: 'failed', code: text, message: text, title: text }, 'publish'),
    report,
  });
  const state = publishState({
    folder: text,
    preview: { settings, report },
    run,
    settings: { ...settings, words: text },
  });
  return { page: 'publish', answers: { 'page/open': () => ({ page: 'publish', state }) } };
}

const hostileHealing = (text: string): HealState => {
  const model: ModelSummary = { ...named(text), prunedFrom: { model: text, removedBlocks: [1] } };
  const recipe = healRecipe();
  const poisoned: HealRecipe = {
    ...recipe,
    data: { ...recipe.data, files: [`/texts/${text}`] },
    adapter: { ...recipe.adapter, targets: [text], rankPattern: { [text]: 4 } },
    loop: { ...recipe.loop, heldOut: null },
  };
  const [earlier] = earlierHealings();
  const report = healReport({ stoppedBy: 'divergence', warning: text, model });
  const merging = { run: runOf({ state: 'failed', code: text, message: text }, 'merge'), out: text };
  return {
    ...healState({ run: { ...healRun({ state: 'done' }), title: text }, recipe: poisoned, report, merging }),
    model,
    original: { name: text, folder: text },
    earlier: [{ ...earlier!, recipe: poisoned, removedBlocks: [1] }],
    connection: { state: 'failed', message: text },
  };
};

const healingPage = (text: string): OpenOptions => ({
  page: 'heal',
  answers: { 'page/open': () => ({ page: 'heal', state: hostileHealing(text) }) },
});

function healFormPage(text: string): OpenOptions {
  const shown = healForm();
  const form = shown.kind === 'form' ? { ...shown.form, textName: text, refusal: text, plan: null } : null;
  const state: HealState = { ...hostileHealing(text), shown: { kind: 'form', form: form! } };
  return { page: 'heal', answers: { 'page/open': () => ({ page: 'heal', state }) } };
}

/** Every text of the report: of models, tasks, groups, files, what was written and what is warned of. */
function hostileEvaluation(text: string): EvaluationRun {
  const report = evaluationReport();
  const labels = [text, `${text}1`, `${text}2`];
  const named = (label: string) => labels[report.models.findIndex((it) => it.label === label)]!;
  return evaluated({
    report: {
      ...report,
      models: report.models.map((model, i) => ({
        ...model,
        label: labels[i]!,
        name: text,
        folder: `/models/${text}`,
        // It is called by its name, and not by what it lacks.
        removedBlocks: i === 1 ? [] : model.removedBlocks,
        dtype: i === 2 ? text.slice(0, 40) : model.dtype,
      })),
      tasks: report.tasks.map((task, i) => ({
        ...task,
        title: text,
        files: [{ name: text, sha256: text.slice(0, 64), sizeBytes: i }],
      })),
      groups: report.groups.map((group) => ({ ...group, title: text })),
      comparisons: report.comparisons.map((it) => ({ ...it, base: text, variant: named(it.variant) })),
      warnings: [text],
      generation: [0, 1].map((model) => ({
        model,
        prompt: text,
        text,
        nTokens: 9,
        repetition: 0.9,
        entropyBits: 1,
        alarm: true,
      })),
      device: text,
    },
  });
}

const evaluationPage = (text: string): OpenOptions => ({
  page: 'evaluate',
  answers: {
    'page/open': () => ({
      page: 'evaluate',
      state: evaluationState({ kind: 'run', evaluation: hostileEvaluation(text), beside: [evaluatedOtherwise()] }),
    }),
  },
});

function failedEvaluation(text: string): OpenOptions {
  const run = { ...evaluationRun({ state: 'failed', code: text, message: text }), title: text };
  const evaluation = { ...hostileEvaluation(text), run, report: null };
  const state = evaluationState(
    { kind: 'run', evaluation, beside: [] },
    { models: [named(text)], connection: { state: 'failed', message: text } },
  );
  return { page: 'evaluate', answers: { 'page/open': () => ({ page: 'evaluate', state }) } };
}

function evaluationFormPage(text: string): OpenOptions {
  const settings = { tasks: [text, 'boolq'], items: 10, fewShot: null, generate: false, weights: null };
  const hostile = { settings, dataFolder: `/${text}`, missingData: [text, text], refusal: text, plan: null };
  const shown = evaluationForm(hostile);
  const state = evaluationState(shown, { models: [named(text), named(`${text}2`)] });
  return { page: 'evaluate', answers: { 'page/open': () => ({ page: 'evaluate', state }) } };
}
