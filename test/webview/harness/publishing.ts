// States of the publish page for tests and pictures.
import type { PublishRun, PublishState } from '../../../server/protocol/pages/publish';
import type { PublishedFolder, PublishReport } from '../../../server/recipes/publish/recipe';
import { type ProofCheckName, proofChecks } from '../../../server/protocol/proofChecks';
import type { Case } from './cases';
import { runOf } from './fixture';

const settings = {
  repository: 'me/SmolLM2-135M-without-12-16',
  branch: 'main',
  tag: 'v1',
  collection: '',
  base: 'HuggingFaceTB/SmolLM2-135M',
  isPublic: false,
  words: 'A model for **drafts** on small machines.',
};

const readme = `---
base_model: HuggingFaceTB/SmolLM2-135M
base_model_relation: finetune
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
---

# SmolLM2-135M-without-12-16

<!-- yours: what stands between these two lines is kept when the card is made again -->
A model for **drafts** on small machines.
<!-- end of yours -->

## What was removed

Blocks 12 to 16 of 30.
`;

export const publishedFolder: PublishedFolder = {
  folder: '/models/SmolLM2-135M-without-12-16',
  repository: settings.repository,
  branch: 'main',
  visibility: 'private',
  creates: 'repository',
  tag: 'v1',
  files: [
    { name: 'README.md', sizeBytes: 5_120 },
    { name: 'config.json', sizeBytes: 861 },
    { name: 'model.safetensors', sizeBytes: 224_000_000 },
    { name: 'tokenizer.json', sizeBytes: 2_104_556 },
  ],
  leftOut: ['notes.txt', 'run/'],
  sizeBytes: 226_110_537,
  url: 'https://huggingface.co/me/SmolLM2-135M-without-12-16',
  checks: (Object.keys(proofChecks) as ProofCheckName[]).map((check) => ({
    check,
    outcome: check === 'loss' ? 'notChecked' : 'passed',
    sentence:
      check === 'loss'
        ? 'No report says its loss; give one of perplexity with --report.'
        : 'Its 32 likeliest tokens differ by 2.1e-6 nats at most.',
  })),
  card: [{ name: 'README.md', text: readme }],
  warnings: [
    'No report measured this model, so that the card has no results; give one of evaluate or perplexity with --report FILE.',
  ],
  commit: null,
  wasThere: false,
  removed: [],
};

export const publishReport: PublishReport = {
  kind: 'publish',
  endpoint: 'https://huggingface.co',
  dryRun: true,
  published: [publishedFolder],
  collection: null,
  sizeBytes: publishedFolder.sizeBytes,
  sentBytes: 0,
  elapsedMs: 4100,
  versions: { espalier: '0.1.0', node: 'v22.0.0' },
};

export const publishState = (changes: Partial<PublishState> = {}): PublishState => ({
  folder: publishedFolder.folder,
  settings,
  hasToken: true,
  nReports: 3,
  preview: { report: publishReport, settings },
  run: null,
  connection: { state: 'connected' },
  ...changes,
});

export const publishRun = (changes: Partial<PublishRun> = {}): PublishRun => ({
  run: runOf({ state: 'running', step: 'upload', fraction: 0.4 }, 'publish'),
  isPreview: false,
  upload: null,
  warnings: [],
  report: null,
  ...changes,
});

const failed = publishedFolder.checks.map((check) =>
  check.check === 'finite'
    ? {
        ...check,
        outcome: 'failed' as const,
        sentence: 'lm_head.weight in model.safetensors holds NaN at [7]; write the model anew.',
      }
    : check,
);

export function publishCases(): Case[] {
  const row = (name: string, state: PublishState, more: Partial<Case> = {}): Case => ({
    name,
    page: 'publish',
    answers: { 'page/open': () => ({ page: 'publish', state }) },
    ...more,
  });
  const looks = (['dark', 'light', 'high-contrast'] as const).flatMap((theme) => [
    row(`publish-${theme}`, publishState(), { theme, height: 1100 }),
    row(`publish-${theme}-narrow`, publishState({ run: publishRun() }), { theme, width: 500, height: 1900 }),
  ]);
  const badFolder = { ...publishedFolder, checks: failed };
  return [
    ...looks,
    row(
      'publish-empty',
      publishState({ preview: null, hasToken: false, nReports: 0, settings: { ...settings, repository: '' } }),
    ),
    row(
      'publish-failed-proof',
      publishState({ preview: { settings, report: { ...publishReport, published: [badFolder] } } }),
    ),
    row(
      'publish-done',
      publishState({
        run: publishRun({
          run: runOf({ state: 'done', endedAtEpochMs: Date.now() }, 'publish'),
          report: {
            ...publishReport,
            dryRun: false,
            sentBytes: 226e6,
            published: [{ ...publishedFolder, commit: 'a'.repeat(40) }],
          },
        }),
      }),
    ),
  ];
}
