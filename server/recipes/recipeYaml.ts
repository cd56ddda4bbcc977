// The YAML of a recipe file: one document of bounded size and depth, whose places can be named.
import {
  type Alias,
  type Document,
  isScalar,
  Lexer,
  LineCounter,
  parseAllDocuments,
  parseDocument,
  type ParsedNode,
  Parser,
  type Scalar,
  visit,
} from 'yaml';
import { UserError } from '../errors';

export type YamlDocument = Document.Parsed<ParsedNode>;

interface ParsedYaml {
  readonly document: YamlDocument;
  /** As plain values; null: the file is empty. */
  readonly content: unknown;
  /** An error that names file, line and column of an offset. */
  readonly refuse: (offset: number, what: string) => UserError;
}

/** Throws UserError('usage') with file, line and column for what is no YAML, and UserError('overLimit'). */
export function parseYaml(text: string, file: string): ParsedYaml {
  const lines = new LineCounter();
  refuseLarge(text, file);
  refuseDeep(text, file);
  const documents = parsedDocuments(text, lines);
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
  return { document, content, refuse };
}

/** Recipes are a page long; one with long lists is written out by nobody. */
const mostCharacters = 2 ** 18;
const mostAliases = 100;
const mostLevels = 100;

function refuseLarge(text: string, file: string): void {
  if (text.length <= mostCharacters) return;
  throw new UserError(
    'overLimit',
    `${file} has ${text.length} characters, but a recipe file has at most ${mostCharacters}; shorten it.`,
  );
}

/** The library reads each level within the one above, and would end at whatever depth the stack is full. Its parser does not. */
function refuseDeep(text: string, file: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)); // whole documents, which are read later
    if (parser.stack.length <= mostLevels) continue;
    throw new UserError(
      'overLimit',
      `${file} is nested more than ${mostLevels} levels deep; write the recipe with fewer levels.`,
    );
  }
}

function parsedDocuments(text: string, lineCounter: LineCounter) {
  // It may make an error for each character, and nobody reads where in the library those were made.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    // By itself it compares every key with every other, and shows the text around each of many errors.
    return parseAllDocuments(text, { lineCounter, strict: true, uniqueKeys: false, prettyErrors: false });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** A key that stands twice in one map. */
function repeatedKey(document: YamlDocument): Scalar | null {
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
function aliasBeyond(document: YamlDocument, most: number): Alias | null {
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

function offsetOfDanglingAlias(document: YamlDocument): number {
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

const isEmptyDocument = ({ contents }: YamlDocument): boolean =>
  contents === null || (isScalar(contents) && contents.value === null);
