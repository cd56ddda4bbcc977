// Recipe files: a recipe as YAML, field by field. Relative paths mean files beside the recipe.
import { dirname, resolve } from 'node:path';
import { type Document, isMap, isNode, LineCounter, parseDocument, stringify, type ParsedNode, visit } from 'yaml';
import { z } from 'zod';
import { UserError } from '../errors';
import type { Recipe } from '../protocol/recipes';
import {
  analyzeSchema,
  evaluateSchema,
  healSchema,
  mapPaths,
  mergeSchema,
  pruneSchema,
  studySchema,
} from './recipeSchema';
import { unknownName } from './recipeNames';

const fileSchema = z.discriminatedUnion('kind', [
  analyzeSchema,
  pruneSchema,
  healSchema,
  mergeSchema,
  evaluateSchema,
  studySchema,
]);

/** What a recipe file may hold. */
export type FileRecipe = z.output<typeof fileSchema>;

const fileKinds: readonly string[] = fileSchema.options.map(({ shape }) => shape.kind.value);
const kindsInWords = `${fileKinds.slice(0, -1).join(', ')} or ${fileKinds.at(-1)}`;

const isFileRecipe = (recipe: Recipe): recipe is FileRecipe => fileKinds.includes(recipe.kind);

/** Windows to take where a file says nothing: so many, or all that there are. */
const defaultWindows = { windows: 16, atMost: true };

/** Where a text source may be. */
const places = [['source'], ['perplexity'], ['loop', 'heldOut'], ['healing', 'loop', 'heldOut']];

/** Throws UserError('usage') with file, line and column for anything that is no recipe. */
export function parseRecipe(text: string, file: string): FileRecipe {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, strict: true });
  const refuse = (offset: number, what: string): UserError => {
    const { line, col } = lines.linePos(offset);
    return new UserError('usage', `${file}:${line}:${col}: ${what}`);
  };
  const broken = document.errors[0];
  if (broken)
    throw refuse(broken.pos[0], `${broken.message.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '')}.`);
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    throw refuse(offsetOfDanglingAlias(document), `${(error as Error).message}.`);
  }
  const result = fileSchema.safeParse(withWindows(content, ...places));
  if (!result.success) {
    const issue = deepest(result.error.issues);
    throw refuse(offsetOf(document, issue), sentence(issue));
  }
  const unknown = unknownName(result.data);
  if (unknown) throw refuse(offsetOf(document, { code: 'custom', path: unknown.path }), unknown.sentence);
  const beside = (path: string) => resolve(dirname(resolve(file)), path);
  return mapPaths(result.data, { model: beside, read: beside, write: beside });
}

/** The text of a file that parses to the same recipe. Throws UserError('usage') for a kind that files do not hold. */
export function formatRecipe(recipe: Recipe): string {
  if (!isFileRecipe(recipe)) throw new UserError('usage', `A recipe file holds ${kindsInWords}, not ${recipe.kind}.`);
  const comment = `# Carry out with: espalier run FILE\n`;
  return comment + stringify(recipe, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** @param places where in the content a text source may be */
function withWindows(content: unknown, ...places: string[][]): unknown {
  return places.reduce(withWindowsAt, content);
}

function withWindowsAt(content: unknown, [field, ...rest]: string[]): unknown {
  if (content === null || typeof content !== 'object') return content;
  if (field !== undefined) {
    if (!Object.hasOwn(content, field)) return content;
    return { ...content, [field]: withWindowsAt((content as Record<string, unknown>)[field], rest) };
  }
  const isText = 'kind' in content && content.kind === 'text' && !('windows' in content);
  return isText ? { ...defaultWindows, ...content } : content;
}

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

function sentence(issue: Issue): string {
  const field = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const where = field === '' ? 'a recipe of this kind' : field;
    return `There is no field ${issue.keys[0]} in ${where}; check its spelling.`;
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
