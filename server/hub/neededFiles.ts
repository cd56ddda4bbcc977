// Which files of a repository a model is made of: configuration, weights as safetensors, tokenizer, templates, licence. Pickles can
// run code when they are opened, and code is what it is: neither is fetched. And which files of a data set tasks are scored on. Pure.
import { UserError } from '../errors';
import { adapterWeightsFile, isPartOfAdapter } from '../checkpoint/adapter';
import { isLicence, isVocabulary, namesBeside, templateFolder } from '../checkpoint/partNames';
import { provenanceFile } from '../checkpoint/provenance';
import { indexFile, singleFile } from '../checkpoint/shards';
import { areAllParts, filesOfSplit, splitsOf } from '../shared/dataSetFiles';
import type { Split, TaskFacts } from '../shared/tasks';

export interface NeededFiles {
  readonly files: readonly string[];
  /** Its shards are needed, too; null: the weights are in one file. */
  readonly index: string | null;
}

/**
 * As transformers chooses: a single file comes before an index.
 * @param paths of all files of the repository
 * @throws UserError `unsupportedModel` where there are no weights that can be read
 */
export function neededFiles(
  repository: string,
  paths: readonly string[],
  remedy = 'choose a repository or a revision with weights as safetensors',
): NeededFiles {
  const beside = paths.filter(isBesideWeights);
  const has = (name: string) => paths.includes(name);
  if (has(singleFile)) return { files: [...beside, singleFile], index: null };
  if (has(indexFile)) return { files: [...beside, indexFile], index: indexFile };
  // With a model of its own, transformers would add the adapter to it.
  if (has(adapterWeightsFile)) return { files: [...beside, ...paths.filter(isPartOfAdapter)], index: null };
  const found = insteadOfWeights.find(({ files }) => paths.some((path) => files.test(path)));
  const example = found && paths.find((path) => found.files.test(path));
  throw new UserError(
    'unsupportedModel',
    `${repository} has no ${singleFile}${found ? ` but ${found.what} such as ${example}` : ''}; ${remedy}.`,
  );
}

/** The README has the licence and the origin in its front matter. */
const alsoBeside = new Set(['config.json', provenanceFile, 'README.md']);

/** Whether a file is part of a model beside its weights. */
function isBesideWeights(path: string): boolean {
  const [first, second, ...more] = path.split('/') as [string, ...string[]];
  if (second !== undefined) return more.length === 0 && first === templateFolder && second.endsWith('.jinja');
  return namesBeside.has(first) || alsoBeside.has(first) || isVocabulary(first) || isLicence(first);
}

const insteadOfWeights: readonly { readonly files: RegExp; readonly what: string }[] = [
  { files: /\.gguf$/, what: 'weights for llama.cpp,' },
  { files: /\.(bin|pt|pth|ckpt|pkl)$/, what: 'pickled weights, which can run code and are never fetched,' },
  { files: /\.safetensors$/, what: 'weights under a name that transformers does not read,' },
  { files: /\.(h5|msgpack|onnx|npz)$/, what: 'weights for other programs,' },
];

export type TaskOnHub = Pick<TaskFacts, 'hub' | 'split' | 'fewShot'> & { readonly name: string };

/** `lacks`: the first split that is not there, or not whole. */
export type NeededOfTasks =
  | { readonly files: readonly string[] }
  | { readonly lacks: { readonly name: string; readonly split: Split } };

/**
 * Of each task the split of its questions and that of its examples, and what says where they are from and which split is where.
 * @param paths of all files of the repository that all these tasks are from
 */
export function neededOfTasks(tasks: readonly TaskOnHub[], paths: readonly string[]): NeededOfTasks {
  const files = new Set<string>();
  for (const { name, hub, ...task } of tasks)
    for (const split of splitsOf(task)) {
      const found = filesOfSplit(hub, split, paths);
      if (!areAllParts(found)) return { lacks: { name, split } };
      for (const path of found) files.add(path);
    }
  return { files: [...files, ...paths.filter((path) => path === 'README.md' || isLicence(path))] };
}
