// Recipe files: a recipe as YAML, field by field. Relative paths mean files beside the recipe, `~` the user's own folder.
import { homeFolder } from '../files/homeFolder';
import { dirname, resolve } from 'node:path';
import {
  type Alias,
  type Document,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type Scalar,
  stringify,
  type ParsedNode,
  visit,
} from 'yaml';
import type { z } from 'zod';
import { UserError } from '../errors';
import { withNamesOfNow } from '../shared/earlierNames';
import { meant, nearNames } from '../shared/nearName';
import { fieldsAt } from './defaults';
import { type FileKind, fileKinds, fileRecipeSchema, type Kind, kinds, type Recipe, type RecipeOf } from './kinds';
import { replaceMeant } from './meanings';
import { unknownName } from './recipeNames';
import { mapPaths } from './recipePaths';

/** What a recipe file may hold. */
export type FileRecipe = RecipeOf<FileKind>;

const kindsInWords = `${fileKinds.slice(0, -1).join(', ')} or ${fileKinds.at(-1)}`;

const isFileRecipe = (recipe: Recipe): recipe is FileRecipe => fileKinds.some((kind) => kind === recipe.kind);

/** Sequences to take where a file says nothing: so many, or all that there are. */
const defaultSequences = { sequences: 16, atMost: true };

/** Throws UserError('usage') with file, line and column for anything that is no recipe. */
export function parseRecipe(text: string, file: string): FileRecipe {
  const lines = new LineCounter();
  refuseLarge(text, file);
  const documents = parsedDocuments(text, file, lines);
  const refuse = (offset: number, what: string): UserError => {
    const { line, col } = lines.linePos(offset);
    return new UserError('usage', `${file}:${line}:${col}: ${what}`);
  };
  // A mark before or after the only recipe makes empty documents.
  const filled =
    'empty' in documents ? [] : documents.filter((each) => !isEmptyDocument(each) || each.errors.length > 0);
  if (filled.length > 1)
    throw refuse(
      filled[1]!.contents?.range[0] ?? 0,
      `A recipe file holds one recipe, and this one has ${filled.length}, set apart by ---; give each a file of its own.`,
    );
  const document = filled[0] ?? parseDocument('', { lineCounter: lines });
  const broken = document.errors[0];
  if (broken) throw refuse(broken.pos[0], `${broken.message.split('\n')[0]!}.`);
  const repeated = repeatedKey(document);
  if (repeated) throw refuse(repeated.range?.[0] ?? 0, 'Map keys must be unique.');
  const alias = aliasBeyond(document, mostAliases);
  if (alias) throw refuse(alias.range?.[0] ?? 0, `A recipe file has at most ${mostAliases} aliases; write them out.`);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    throw refuse(offsetOfDanglingAlias(document), `${(error as Error).message}.`);
  }
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

/** Recipes are a page long; one with long lists is written out by nobody. */
const mostCharacters = 2 ** 18;
const mostAliases = 100;

function refuseLarge(text: string, file: string): void {
  if (text.length <= mostCharacters) return;
  throw new UserError(
    'overLimit',
    `${file} has ${text.length} characters, but a recipe file has at most ${mostCharacters}; shorten it.`,
  );
}

function parsedDocuments(text: string, file: string, lineCounter: LineCounter) {
  // It may make an error for each character, and nobody reads where in the library those were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    // By itself it compares every key with every other, and shows the text around each of many errors.
    return parseAllDocuments(text, { lineCounter, strict: true, uniqueKeys: false, prettyErrors: false });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError('overLimit', `${file} is nested too deep for a recipe file; write it with fewer levels.`);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** A key that stands twice in one map. */
function repeatedKey(document: Document.Parsed<ParsedNode>): Scalar | null {
  let repeated: Scalar | null = null;
  visit(document, {
    Map(_, { items }) {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) repeated = key;
        if (repeated) return visit.BREAK;
        seen.add(key.value);
      }
      return undefined;
    },
  });
  return repeated;
}

/** Each is looked up in the whole document. */
function aliasBeyond(document: Document.Parsed<ParsedNode>, most: number): Alias | null {
  let nSeen = 0;
  let beyond: Alias | null = null;
  visit(document, {
    Alias(_, alias) {
      if (nSeen++ < most) return undefined;
      beyond = alias;
      return visit.BREAK;
    },
  });
  return beyond;
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

function offsetOfDanglingAlias(document: Document.Parsed<ParsedNode>): number {
  let offset = 0;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document)) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

type Issue = z.core.$ZodIssue;

/** Of the alternatives of a union, the complaint that got furthest is the one that was meant. */
function deepest(issues: readonly Issue[]): Issue {
  const issue = issues[0]!;
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue;
  const inner = issue.errors.map((each) => deepest(each)).sort((a, b) => b.path.length - a.path.length)[0]!;
  return { ...inner, path: [...issue.path, ...inner.path] };
}

const isEmptyDocument = ({ contents }: Document.Parsed<ParsedNode>): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);

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
function offsetOf(document: Document.Parsed<ParsedNode>, issue: Place): number {
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
