// What the tree of models shows, as data: models under the folder that holds them, variants under the model they were made
// from, and what each block costs under a model that was measured.
import { basename, join, relative, sep } from 'node:path';
import type { MethodScores, ModelSummary } from '../../server/protocol/reports';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { BrokenModel, FoundModel } from '../../server/protocol/server';
import { barLevel, holds } from './labels';
import { dropSetParts } from '../../server/shared/dropSets';
import { notFinite, orderOf } from '../../server/shared/finite';
import { cost, costWithInterval, counted, parameters, size } from '../../server/shared/numbers';
import { tensorNamesInWords } from '../../server/shared/tensorNames';

/** A folder in which models may lie, and its name. */
export interface ModelRoot {
  /** Without symbolic links, as the server names folders. */
  readonly folder: string;
  /** As the editor or the settings name it. */
  readonly givenAs: string;
  readonly name: string;
  readonly kind: 'workspace' | 'settings' | 'cache';
}

export type ModelNode =
  | { readonly kind: 'root'; readonly root: ModelRoot; readonly models: readonly FoundModel[] }
  | { readonly kind: 'model'; readonly model: FoundModel }
  | { readonly kind: 'broken'; readonly broken: BrokenModel }
  | { readonly kind: 'blocks'; readonly model: FoundModel; readonly analysis: AnalyzeReport }
  | { readonly kind: 'block'; readonly model: FoundModel; readonly analysis: AnalyzeReport; readonly block: number };

export interface RowFacts {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  /** A product icon, or a bar of a level from 1 to 9. */
  readonly icon: string | number;
  readonly opens: 'never' | 'collapsed' | 'expanded';
}

/** Those that a person keeps there; Hugging Face's cache has many models of other kinds. */
export const worthMending = (broken: readonly BrokenModel[], roots: readonly ModelRoot[]): BrokenModel[] =>
  broken.filter(({ folder }) => roots.some((root) => root.kind !== 'cache' && holds(root.folder, folder)));

/** The folders that hold models, or with a single folder its models; broken models come last. */
export function topNodes(
  models: readonly FoundModel[],
  roots: readonly ModelRoot[],
  broken: readonly BrokenModel[] = [],
): ModelNode[] {
  return [...groupedNodes(models, roots), ...broken.map((it): ModelNode => ({ kind: 'broken', broken: it }))];
}

function groupedNodes(models: readonly FoundModel[], roots: readonly ModelRoot[]): ModelNode[] {
  const known = new Set(models.map(({ summary }) => summary.folder));
  const tops = models.filter(({ parentFolder }) => parentFolder === null || !known.has(parentFolder));
  const groups = roots
    .map((root) => ({ root, models: tops.filter(({ summary }) => rootOf(summary.folder, roots) === root) }))
    .filter((group) => group.models.length > 0);
  if (groups.length <= 1) return tops.map(modelNode);
  const homeless = tops.filter(({ summary }) => rootOf(summary.folder, roots) === null);
  return [...groups.map((group): ModelNode => ({ kind: 'root', ...group })), ...homeless.map(modelNode)];
}

export function childNodes(
  node: ModelNode,
  models: readonly FoundModel[],
  analysis: AnalyzeReport | null,
): readonly ModelNode[] {
  if (node.kind === 'root') return node.models.map(modelNode);
  if (node.kind === 'model') {
    const blocks: ModelNode[] = analysis ? [{ kind: 'blocks', model: node.model, analysis }] : [];
    return [...blocks, ...variantsOf(node.model, models).map(modelNode)];
  }
  if (node.kind === 'block' || node.kind === 'broken') return [];
  return Array.from({ length: node.analysis.model.nBlocks }, (_, block) => ({ ...node, kind: 'block', block }));
}

export const variantsOf = ({ summary }: FoundModel, models: readonly FoundModel[]): FoundModel[] =>
  models.filter(({ parentFolder }) => parentFolder === summary.folder);

export function rowFacts(node: ModelNode, models: readonly FoundModel[]): RowFacts {
  if (node.kind === 'root') {
    const { root, models: held } = node;
    const bytes = held.reduce((sum, { summary }) => sum + summary.sizeBytes, 0);
    const what = {
      workspace: 'workspace',
      settings: 'from the settings',
      cache: `${counted(held.length, 'model')}, ${size(bytes)}`,
    };
    return {
      id: `root ${root.folder}`,
      label: root.name,
      description: what[root.kind],
      tooltip: root.folder,
      icon: 'folder',
      opens: root.kind === 'cache' ? 'collapsed' : 'expanded',
    };
  }
  if (node.kind === 'model') return modelFacts(node.model, models);
  if (node.kind === 'broken') {
    const { folder, message } = node.broken;
    return {
      id: `broken ${folder}`,
      label: basename(folder),
      description: withoutFolder(message, folder),
      tooltip: `${folder}\n${message}`,
      icon: 'warning',
      opens: 'never',
    };
  }
  if (node.kind === 'blocks') {
    const { folder } = node.model.summary;
    const measured = node.analysis.removals !== null;
    return {
      id: `blocks ${folder}`,
      label: 'Blocks',
      description: measured ? 'nats added without each' : scoreNameOf(node.analysis),
      tooltip: 'What the analysis found; low is unimportant',
      icon: 'layers',
      opens: 'collapsed',
    };
  }
  return blockFacts(node);
}

/** A model of the Hub's cache lies in a folder that is named after a commit: OWNER/NAME is in the path above it. */
export function modelName(folder: string): string {
  const [, owner, model] = /[\\/]models--(.+?)--(.+?)[\\/]snapshots[\\/][^\\/]+$/.exec(folder) ?? [];
  return owner && model ? `${owner}/${model}` : basename(folder) || folder;
}

/** The row names the folder already. */
const withoutFolder = (message: string, folder: string) => message.replaceAll(`${folder}${sep}`, '');

const modelNode = (model: FoundModel): ModelNode => ({ kind: 'model', model });

/** The folder of a model as the Explorer names it, with the symbolic links of the root. */
export function asGiven(folder: string, roots: readonly ModelRoot[]): string {
  const root = rootOf(folder, roots);
  return root ? join(root.givenAs, relative(root.folder, folder)) : folder;
}

/** The innermost root around a folder. */
function rootOf(folder: string, roots: readonly ModelRoot[]): ModelRoot | null {
  const around = roots.filter((root) => holds(root.folder, folder));
  return around.sort((a, b) => b.folder.length - a.folder.length)[0] ?? null;
}

function modelFacts(model: FoundModel, models: readonly FoundModel[]): RowFacts {
  const { summary, parentFolder, analysisRunId } = model;
  const { folder, nBlocks, nParameters, sizeBytes, prunedFrom, droppedSublayers, healed } = summary;
  const name = modelName(folder);
  // Below its base, a variant is labelled by what was done to it.
  const lacks = dropSetParts({ blocks: prunedFrom?.removedBlocks ?? [], ...droppedSublayers });
  const without = lacks.length > 0 ? [`without ${lacks.join(', ')}`] : [];
  const whatItIs = [...(healed ? ['healed'] : []), ...without].join(', ');
  const called = parentFolder !== null && whatItIs !== '';
  const facts = [counted(nBlocks, 'block'), parameters(nParameters), size(sizeBytes)];
  const { unusedTensors = [] }: Partial<ModelSummary> = summary; // a server of before does not say
  const unused = unusedTensors.length > 0 ? `\nnot used: ${tensorNamesInWords(unusedTensors)}` : '';
  const hasVariants = variantsOf(model, models).length > 0;
  return {
    // The editor remembers by the id which rows are collapsed; a model with its first variant has a new id, so it is expanded.
    id: `model ${hasVariants ? 'with variants ' : ''}${folder}`,
    label: called ? `${whatItIs[0]!.toUpperCase()}${whatItIs.slice(1)}` : name,
    description: [...facts, ...(called ? [name] : [])].join(', '),
    tooltip: `${folder}\n${summary.family}, ${summary.dtype}, ${nParameters.toLocaleString('en-US')} parameters, width ${summary.width}${unused}`,
    icon: 'package',
    opens: hasVariants ? 'expanded' : analysisRunId ? 'collapsed' : 'never',
  };
}

function blockFacts({ model, analysis, block }: Extract<ModelNode, { kind: 'block' }>): RowFacts {
  const row = { id: `block ${block} ${model.summary.folder}`, label: `Block ${block}`, opens: 'never' as const };
  const removal = analysis.removals?.blocks[block];
  if (removal?.lossNats === notFinite)
    return {
      ...row,
      description: notFinite,
      tooltip: `Loss without block ${block}: ${notFinite}`,
      icon: 'circle-slash',
    };
  if (removal) {
    const { costNats, costStandardError } = removal;
    const surprise = costsMoreThanItLooks(analysis, block) ? ', costs more than it looks' : '';
    return {
      ...row,
      description: `${cost(costNats)}${surprise}`,
      tooltip: `Loss without block ${block}: ${costWithInterval(costNats, costStandardError)} nats, measured`,
      icon: barLevel(costNats),
    };
  }
  const scores = scoresOf(analysis);
  const score = scores ? scores[block]!.toPrecision(3) : '';
  return { ...row, description: score, tooltip: `${scoreNameOf(analysis)}: ${score}`, icon: 'circle-small' };
}

const preferred = 'blockInfluence';

function blockMethod({ methods }: AnalyzeReport): [string, MethodScores] | null {
  const ofBlocks = Object.entries(methods).filter(([, { of }]) => of === 'block');
  return ofBlocks.find(([name]) => name === preferred) ?? ofBlocks[0] ?? null;
}

const scoreNameOf = (analysis: AnalyzeReport) => `score by ${blockMethod(analysis)?.[0] ?? 'no method'}`;

const scoresOf = (analysis: AnalyzeReport) => (blockMethod(analysis)?.[1].scores as number[] | undefined) ?? null;

/**
 * Whether a block costs much more than its score suggests: more than three times, and 0.3 nats more, than the block whose
 * measured cost has the rank of this block's score.
 */
function costsMoreThanItLooks(analysis: AnalyzeReport, block: number): boolean {
  const scores = scoresOf(analysis);
  const costs = analysis.removals?.blocks.map(({ costNats }) => orderOf(costNats)) ?? [];
  if (!scores || scores.length !== costs.length) return false;
  const rank = scores.filter((score, at) => score < scores[block]! || (score === scores[block] && at < block)).length;
  const expected = [...costs].sort((a, b) => a - b)[rank]!;
  return costs[block]! > 3 * expected && costs[block]! - expected > 0.3;
}
