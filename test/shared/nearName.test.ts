// The name that may have been meant. What is not near is not named.
import { describe, expect, it } from 'vitest';
import { namesOf } from '../../server/recipes/recipeNames';
import { meant, nearNames } from '../../server/shared/nearName';

const commands = ['inspect', 'analyze', 'prune', 'sparsify', 'perplexity', 'generate', 'heal', 'merge', 'evaluate'];

describe('near', () => {
  it.each([
    // Beginnings, which have many edits.
    ['lambada', namesOf('task'), ['lambada_openai']],
    ['arc', namesOf('task'), ['arc_easy', 'arc_challenge']],
    ['wino', namesOf('task'), ['winogrande']],
    ['winogrande_xl', namesOf('task'), ['winogrande']],
    ['mmlu_astro', namesOf('task'), ['mmlu_astronomy']],
    ['eval', commands, ['evaluate']],
    ['gen', commands, ['generate']],
    // Another way to write it.
    ['Arc-Easy', namesOf('task'), ['arc_easy']],
    ['blockinfluence', namesOf('choosingMethod'), ['blockInfluence']],
    ['block_influence', namesOf('choosingMethod'), ['blockInfluence']],
    ['block', namesOf('choosingMethod'), ['blockInfluence', 'blockInfluenceAsPublished']],
    // Slips.
    ['helaswag', namesOf('task'), ['hellaswag']],
    ['piaq', namesOf('task'), ['piqa']],
    ['gredy', namesOf('choosingMethod'), ['greedy']],
    ['purne', commands, ['prune']],
    ['analyse', commands, ['analyze']],
    ['--methds', ['--methods', '--memory'], ['--methods']],
    // Nothing.
    ['truthfulqa', namesOf('task'), []],
    ['gsm8k', namesOf('task'), []],
    ['magic', namesOf('choosingMethod'), []],
    ['quantize', commands, []],
    ['x', commands, []],
    ['', commands, []],
  ])('%j is %2$j', (name, names, expected) => {
    expect(nearNames(name, names)).toEqual(expected);
  });

  it('or what there is', () => {
    expect(meant('lambada', namesOf('task'), '.')).toBe('; did you mean lambada_openai?');
    expect(meant('magic', ['a', 'b'], '; there are a, b.')).toBe('; there are a, b.');
  });
});
