// Where tests find what they need: the checkout, the models, and the reference data that the checkout does not carry.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repoRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** Texts, benchmarks and tokenizers; too large or not ours to ship. */
export const dataFolder = resolve(repoRoot, process.env.ESPALIER_DATA ?? '../shared');

/** The tiny model is bundled; others are made once by `npm test`. */
export function modelFolder(name: string): string {
  if (name === 'stories260k') return join(repoRoot, 'test/fixtures/stories260k');
  return join(process.env.ESPALIER_MODELS ?? join(homedir(), '.cache/espalier/models'), name);
}

/** For `describe.skipIf(!available(...))`. Under CI nothing may be skipped, so there a missing file is an error. */
export function available(path: string): boolean {
  if (existsSync(path)) return true;
  if (process.env.CI === 'true') throw new Error(`${path} is missing, and under CI every test has to run`);
  return false;
}

/** The slow tests, which do all of what others do on a few items or tokens of a real model. */
export const long = process.env.ESPALIER_LONG === '1';

/**
 * Importance, losses without each part, searches and repairs as PyTorch finds them. `short` ones are of so few tokens that a
 * real model takes seconds; the whole one of SmolLM2 is for the long tests.
 */
export function referenceFile(model: string, length: 'whole' | 'short' = isReal(model) && !long ? 'short' : 'whole') {
  return join(repoRoot, 'test/fixtures/reference', `${model}${length === 'short' ? '-short' : ''}.json`);
}

const isReal = (model: string) => model !== 'stories260k';
