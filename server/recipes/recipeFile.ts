// Recipe files: a recipe as YAML, field by field. Relative paths mean files beside the recipe, `~` the user's own folder.
import { homeFolder } from '../files/homeFolder';
import { dirname, resolve } from 'node:path';
import { isMap, isNode, stringify } from 'yaml';
import type { z } from 'zod';
import { UserError } from '../errors';
import { withNamesOfNow } from '../shared/earlierNames';
import { meant, nearNames } from '../shared/nearName';
import { fieldsAt } from './defaults';
import { type FileKind, fileKinds, fileRecipeSchema, type Kind, kinds, type Recipe, type RecipeOf } from './kinds';
import { replaceMeant } from './meanings';
import { unknownName } from './recipeNames';
import { parseYaml, type YamlDocument } from './recipeYaml';
import { mapPaths } from './recipePaths';

/** What a recipe file may hold. */
export type FileRecipe = RecipeOf<FileKind>;

const kindsInWords = `${fileKinds.slice(0, -1).join(', ')} or ${fileKinds.at(-1)}`;

const isFileRecipe = (recipe: Recipe): recipe is FileRecipe => fileKinds.some((kind) => kind === recipe.kind);

/** Sequences to take where a file says nothing: so many, or all that there are. */
const defaultSequences = { sequences: 16, atMost: true };

/** Throws UserError('usage') with file, line and column for anything that is no recipe. */
export function parseRecipe(text: string, file: string): FileRecipe {
  const { document, content, refuse } = parseYaml(text, file);
  const result = fileRecipeSchema.safeParse(withSequences(withNamesOfNow(content)));
  if (!result.success) {
    const issue = deepest(result.error.issues);
    throw refuse(offsetOf(document, issue), unknownKind(content) ?? sentence(issue, content));
  }
  const unknown = unknownName(result.data);
  if (unknown) throw refuse(offsetOf(document, { code: 'custom', path: unknown.path }), unknown.sentence);
  const beside = (path: string) => resolve(dirname(resolve(file)), path.replace(/^~(?=[/\\]|$)/, homeFolder()));
  return mapPaths(result.data, { model: beside, read: beside, write: beside });
}

/** The text of a file that parses to the same recipe. Throws UserError('usage') for a kind that files do not hold. */
export function formatRecipe(recipe: Recipe): string {
  if (!isFileRecipe(recipe)) throw new UserError('usage', `A recipe file holds ${kindsInWords}, not ${recipe.kind}.`);
  const comment = `# Carry out with: espalier run FILE\n`;
  return comment + stringify(recipe, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** The content with the default sequences in every text source that names none. */
const withSequences = (content: unknown): unknown =>
  replaceMeant(fileRecipeSchema, content, (value, { is }) =>
    is === 'tokenSource' && isTextWithoutSequences(value) ? { ...defaultSequences, ...value } : value,
  );

const isTextWithoutSequences = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'text' && !('sequences' in value);

type Issue = z.core.$ZodIssue;

/** Of the alternatives of a union, the complaint that got furthest is the one that was meant. */
function deepest(issues: readonly Issue[]): Issue {
  const issue = issues[0]!;
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const inner = issue.errors.map((each) => deepest(each)).sort((a, b) => b.path.length - a.path.length)[0]!;
  return { ...inner, path: [...issue.path, ...inner.path] };
}

const kindOf = (content: unknown): unknown =>
  typeof content === 'object' && content !== null && 'kind' in content ? content.kind : null;

/** null: the kind is one, or nothing is near. */
function unknownKind(content: unknown): string | null {
  const kind = kindOf(content);
  if (typeof kind !== 'string' || Object.hasOwn(kinds, kind)) return null;
  const near = nearNames(kind, fileKinds);
  return near.length === 0 ? null : `There is no kind of recipe ${kind}; did you mean ${near.join(' or ')}?`;
}

function sentence(issue: Issue, content: unknown): string {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const where = field === '' ? 'a recipe of this kind' : field;
    const kind = kindOf(content) as Kind;
    const fields = Object.hasOwn(kinds, kind) ? fieldsAt(kinds[kind].schema, issue.path) : [];
    const [key] = issue.keys as [string];
    return `There is no field ${key} in ${where}${meant(key, fields, '; check its spelling.')}`;
  }
  if (issue.code === 'invalid_union' && field === 'kind') return `A recipe begins with kind: ${kindsInWords}.`;
  const what = issue.message.replace(/^Invalid input: /, '').replace(/^Invalid option: /, '');
  return field === '' ? `A recipe is a list of fields: ${what}.` : `${field} is not right: ${what}.`;
}

/** What an issue is about; `keys` where it is about a field that should not be there. */
interface Place {
  readonly code: Issue['code'];
  readonly path: readonly PropertyKey[];
  readonly keys?: readonly string[];
}

/** Where the thing lies that an issue is about; a field that is missing is where its parent is. */
function offsetOf(document: YamlDocument, issue: Place): number {
  for (let path = [...issue.path]; ; path = path.slice(0, -1)) {
    const node = path.length === 0 ? document.contents : document.getIn(path, true);
    if (issue.code === 'unrecognized_keys' && isMap(node) && path.length === issue.path.length) {
      const pair = node.items.find(({ key }) => String(isNode(key) ? key.toJSON() : key) === issue.keys?.[0]);
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    }
    if (isNode(node) && node.range) return node.range[0];
    if (path.length === 0) return 0;
  }
}
