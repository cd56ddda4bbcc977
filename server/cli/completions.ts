// What becomes of options that are no field of a recipe by themselves.
import { UserError } from '../errors';
import type { AskedRule, Budget, CacheWidth } from '../protocol/recipes';
import type { EvaluateRecipe } from '../recipes/evaluate/recipe';
import { defaultEvaluateEverySteps } from '../recipes/heal/trainingOptions';
import type { HealRecipe } from '../recipes/heal/recipe';
import type { Kind, RecipeOf } from '../recipes/kinds';
import type { PruneRecipe } from '../recipes/prune/recipe';
import type { PublishRecipe } from '../recipes/publish/recipe';
import type { PullRecipe } from '../recipes/pull/recipe';
import { isOwnedRepository, isRevision } from '../protocol/repositoryNames';
import { isEmpty } from '../shared/dropSets';
import { parseRepository } from '../shared/repositoryName';
import { type DropFlags, dropOptions } from './options';

/** By kind: the recipe of the fields that options name, with the other options put in. */
export const completions: { [K in Kind]?: (recipe: RecipeOf<K>, flags: never) => RecipeOf<K> } = {
  pull: completePull,
  publish: completePublish,
  prune: completePrune,
  heal: completeHeal,
  evaluate: completeEvaluate,
};

function completePull({ repository, tasks, ...recipe }: PullRecipe): PullRecipe {
  if (repository !== undefined && tasks === undefined) return { ...recipe, ...parseRepository(repository) };
  if (repository === undefined && tasks !== undefined) return { ...recipe, tasks };
  throw new UserError(
    'usage',
    'Say what to pull: either a model as OWNER/NAME, or --task NAMES for the data of benchmarks.',
  );
}

/** @throws UserError `usage` for names that the hub does not take */
function completePublish(recipe: PublishRecipe, flags: { public?: boolean }): PublishRecipe {
  const visibility = flags.public ? 'public' : 'private';
  const { repository } = recipe;
  if (!isOwnedRepository(repository))
    throw new UserError(
      'usage',
      `${JSON.stringify(repository)} names no repository of the hub; give --repo OWNER/NAME.`,
    );
  for (const [option, name] of [
    ['--branch', recipe.branch],
    ['--tag', recipe.tag],
  ] as const)
    if (name !== null && !isRevision(name))
      throw new UserError(
        'usage',
        `${JSON.stringify(name)} is no name of a branch or a tag; give ${option} another one.`,
      );
  return { ...recipe, visibility };
}

interface PruneFlags extends DropFlags, SizeFlags {
  method?: string;
  protect: number[];
  repair: 'none' | 'linear';
}

function completePrune(recipe: PruneRecipe, flags: PruneFlags): PruneRecipe {
  return {
    ...recipe,
    rule: pruneRule(flags, recipe.mlpWidth !== undefined),
    repair: flags.repair === 'none' ? null : recipe.repair,
  };
}

function pruneRule({ method, protect, ...flags }: PruneFlags, hasWidth: boolean): AskedRule {
  const drop = dropOptions(flags);
  const asked = askedCount(flags);
  if ((!isEmpty(drop) || hasWidth) && !method && asked === null) return { kind: 'chosen', ...drop };
  if (isEmpty(drop) && method && asked !== null) return ruleOf(method, asked, protect);
  throw new UserError(
    'usage',
    'Say which blocks go: either --drop LIST (or --drop-attention, --drop-mlp), or --method NAME with --count N, --fit SIZE or --parameters N.',
  );
}

export const ruleOf = <Count>(method: string, count: Count, kept: number[]) =>
  method === 'deepest'
    ? { kind: 'deepest' as const, count, protected: kept }
    : { kind: 'method' as const, method, count, protected: kept };

/** How many blocks go, or how large the model may be. */
export interface SizeFlags {
  count?: number;
  fit?: number;
  contextTokens?: number;
  cache: CacheWidth;
  parameters?: number;
  wholeBlocks?: boolean;
}

/** null: nothing says it. Throws UserError('usage') where options say it twice, or belong to one that is not there. */
export function askedCount(flags: SizeFlags): number | Budget | null {
  const { count, fit, parameters, contextTokens, cache, wholeBlocks } = flags;
  if ([count, fit, parameters].filter((it) => it !== undefined).length > 1)
    throw new UserError('usage', '--count, --fit and --parameters each say how much goes; give one of them.');
  if (contextTokens !== undefined && fit === undefined)
    throw new UserError(
      'usage',
      '--context-tokens counts a cache to what has to fit: add --fit SIZE, or leave it out.',
    );
  const pieces = wholeBlocks ? 'blocks' : 'channels';
  if (fit !== undefined) return { kind: 'fit', bytes: fit, contextTokens: contextTokens ?? 0, cache, pieces };
  if (parameters !== undefined) return { kind: 'parameters', parameters, pieces };
  if (wholeBlocks)
    throw new UserError(
      'usage',
      '--whole-blocks is about a budget: add --fit SIZE or --parameters N, or leave it out.',
    );
  return count ?? null;
}

interface HealFlags {
  field?: string;
  heldOutText?: string[];
  heldOutSequences?: number;
  heldOutTokens?: number;
  evaluateEvery?: number;
  seed: number;
}

function completeHeal(recipe: HealRecipe, flags: HealFlags): HealRecipe {
  const { data, loop, objective } = recipe;
  const { heldOutText, evaluateEvery = defaultEvaluateEverySteps(loop.steps), seed } = flags;
  return {
    ...recipe,
    data: { ...data, seed, heldOutFraction: heldOutText ? 0 : data.heldOutFraction },
    objective: objective.kind === 'nextToken' ? { kind: 'nextToken' } : objective,
    loop: { ...loop, evaluateEverySteps: evaluateEvery, heldOut: heldOutOf(flags, data.tokens) },
  };
}

const heldOutOf = ({ heldOutText, heldOutSequences = 8, heldOutTokens, field }: HealFlags, tokens: number) =>
  heldOutText
    ? {
        kind: 'text' as const,
        files: heldOutText,
        field: field ?? null,
        sequences: heldOutSequences,
        tokens: heldOutTokens ?? tokens,
        start: 0,
        bos: 'none' as const,
        sampling: 'consecutive' as const,
        seed: 0,
      }
    : null;

function completeEvaluate(recipe: EvaluateRecipe, { limit }: { limit?: number }): EvaluateRecipe {
  if (recipe.items && limit !== undefined)
    throw new UserError('usage', '--items and --limit both say which items to take; leave one out.');
  return limit === undefined ? recipe : { ...recipe, items: { first: 0, end: limit } };
}
