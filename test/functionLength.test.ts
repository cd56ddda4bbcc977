// How long functions are and how much they take, counted on the syntax tree of the source. A function that fits on a
// screen can be read at once; the few that do not are named here by the failing test. Each rule is also tried on a
// planted violation, so none can pass unseen.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAst } from 'vitest/node';
import { repoRoot } from './fixtures';

const places = ['server', 'extension', 'webview'];

/** From the line on which it begins to the one on which it ends, functions inside of it included. */
const longLines = 60;
const mostLong = 10;
const mostLines = 100;
const mostParameters = 6;
/** How many may take more all the same. */
const mostWithMany = 0;

interface FunctionSize {
  readonly where: string;
  readonly nLines: number;
  readonly nParameters: number;
}

type Rule = (functions: readonly FunctionSize[]) => string[];

const rules: Record<string, Rule> = {
  [`at most ${mostLong} functions are longer than ${longLines} lines`]: (functions) => {
    const long = functions.filter(({ nLines }) => nLines > longLines);
    return long.length > mostLong ? long.map(sentence) : [];
  },
  [`no function is longer than ${mostLines} lines`]: (functions) =>
    functions.filter(({ nLines }) => nLines > mostLines).map(sentence),
  [`at most ${mostWithMany} functions have more than ${mostParameters} parameters`]: (functions) => {
    const many = functions.filter(({ nParameters }) => nParameters > mostParameters);
    return many.length > mostWithMany ? many.map(sentence) : [];
  },
};

describe('functions of the source can be read at once', () => {
  const functions = places.flatMap(filesUnder).flatMap((file) => functionsOf(file, read(file)));

  it('has functions to count', () => {
    expect(functions.length).toBeGreaterThan(1000);
  });

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(functions)).toEqual([]);
  });
});

describe('planted violations are found', () => {
  const lines = (n: number) => `{\n${'  work();\n'.repeat(n - 2)}}`;
  const parameters = (n: number) => Array.from({ length: n }, (_, k) => `p${k}: number`).join(', ');
  const found = (code: string) => Object.values(rules).flatMap((rule) => rule(functionsOf('planted.ts', code)));

  it.each([
    ['a declaration', `export async function planted() ${lines(mostLines + 1)}`],
    ['an arrow function', `const planted = () => ${lines(mostLines + 1)};`],
    ['a function expression', `const planted = function () ${lines(mostLines + 1)};`],
    ['a method of a class', `class A {\n  planted() ${lines(mostLines + 1)}\n}`],
    ['a method of an object', `const a = {\n  planted() ${lines(mostLines + 1)},\n};`],
    ['one inside of another call', `it('', call(() => ${lines(mostLines + 1)}));`],
  ])('%s that is too long', (_, code) => {
    expect(found(code)).toEqual([expect.stringContaining(`${mostLines + 1} lines`)]);
  });

  it('too many long ones', () => {
    const code = (n: number) => `function planted() ${lines(longLines + 1)}\n`.repeat(n);
    expect(found(code(mostLong + 1))).toHaveLength(mostLong + 1);
    expect(found(code(mostLong))).toEqual([]);
  });

  it.each([
    ['a function', (n: number) => `function planted(${parameters(n)}): void {}`],
    ['a generic arrow function', (n: number) => `const planted = <T,>(${parameters(n)}) => 0;`],
    ['a constructor', (n: number) => `class A { constructor(${parameters(n)}) {} }`],
  ])('too many parameters of %s', (_, planted) => {
    const code = (n: number) => `${planted(n)}\n`.repeat(mostWithMany + 1);
    expect(found(code(mostParameters + 1))).toHaveLength(mostWithMany + 1);
    expect(found(code(mostParameters))).toEqual([]);
  });

  it('what it finds is named with its place', () => {
    const [it] = functionsOf('a.ts', 'const one = 1;\nconst planted = (x: number) => {\n  return x;\n};\n');
    expect(it).toEqual({ where: 'a.ts:2 planted', nLines: 3, nParameters: 1 });
  });
});

/** A node of the ESTree form; what a kind of node holds besides is other nodes, lists of them, or plain values. */
interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

function functionsOf(file: string, code: string): FunctionSize[] {
  const lineAt = lineCounter(code);
  const found: FunctionSize[] = [];
  const visit = (node: SyntaxNode, parent: SyntaxNode | null) => {
    const { params, body } = node;
    if (/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type) && body) {
      // A method is its name and a function expression; a declared constant or a property names the function it holds.
      const named = nameOf(node) ?? (parent && nameOf(parent)) ?? '(anonymous)';
      const first = lineAt(parent?.type === 'MethodDefinition' ? parent.start : node.start);
      const nLines = lineAt(node.end) - first + 1;
      found.push({ where: `${file}:${first} ${named}`, nLines, nParameters: (params as unknown[]).length });
    }
    for (const field of Object.values(node))
      for (const child of Array.isArray(field) ? field : [field]) if (isNode(child)) visit(child, node);
  };
  visit(parseAst(code, { lang: 'ts' }, file) as unknown as SyntaxNode, null);
  return found;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

function nameOf({ id, key }: SyntaxNode): string | null {
  const named = id ?? key;
  return isNode(named) && typeof named.name === 'string' ? named.name : null;
}

/** Line numbers, from 1, of places in a text. */
function lineCounter(code: string): (place: number) => number {
  const ends = [...code.matchAll(/\n/g)].map(({ index }) => index);
  return (place) => {
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

function sentence({ where, nLines, nParameters }: FunctionSize): string {
  return `${where}: ${nLines} lines, ${nParameters} parameters`;
}

function filesUnder(place: string): string[] {
  return readdirSync(join(repoRoot, place), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(place, name));
}

function read(file: string): string {
  return readFileSync(join(repoRoot, file), 'utf8');
}
