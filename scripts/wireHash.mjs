// A hash of what goes over the wire between clients and the compute server: the types of its conversations and of reports,
// without their comments and layout, the schema of recipes, and the names of methods and tasks. A running server is used by every client
// that has the same hash, whatever else their builds differ in. As a program: `node scripts/wireHash.mjs [ROOT]` prints it.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** In server/protocol; pages are not among them, because they talk to the extension that they came with. */
const conversations = ['recipes', 'reports', 'engine', 'server', 'devices'];

export async function wireHash(root) {
  const hash = createHash('sha256');
  for (const name of conversations) {
    const text = await readFile(join(root, 'server/protocol', `${name}.ts`), 'utf8');
    hash.update(`${name}\0`).update(tokensOf(text).join(' '));
  }
  for (const kind of await kindsIn(root)) {
    const text = await readFile(join(root, 'server/recipes', kind, 'recipe.ts'), 'utf8');
    hash.update(`${kind}\0`).update(typesIn(tokensOf(text)).join(' '));
  }
  hash.update(JSON.stringify(await recipeForms(root)));
  return hash.digest('hex').slice(0, 12);
}

/** Kinds of recipes, each of which declares its report in its recipe.ts. */
async function kindsIn(root) {
  const entries = await readdir(join(root, 'server/recipes'), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** The declarations of types: from their keyword to the brace or semicolon that ends them. */
function typesIn(tokens) {
  const kept = [];
  let depth = 0;
  let declares = null;
  for (const [i, token] of tokens.entries()) {
    const begins = depth === 0 && !declares && (token === 'interface' || token === 'type');
    if (begins && tokens[i - 1] !== 'import') declares = token;
    if (declares) kept.push(token);
    if ('{[('.includes(token)) depth++;
    if ('}])'.includes(token)) depth--;
    if (depth === 0 && token === (declares === 'interface' ? '}' : ';')) declares = null;
  }
  return kept;
}

/** Strings as they are, no comments, no layout. */
function tokensOf(text) {
  const tokens =
    text.match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\/.*|\/\*[\s\S]*?\*\/|\w+|[^\w\s]/g) ?? [];
  return tokens.filter((token) => !/^\/[/*]/.test(token));
}

/** The schema of recipes with defaults and limits, but without refinements, and the names of methods and tasks. */
async function recipeForms(root) {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as z from 'zod';
        import { recipeSchema } from './server/recipes/kinds';
        import { namesOf } from './server/recipes/recipeNames';
        const schema = z.toJSONSchema(recipeSchema, { io: 'input', unrepresentable: 'any', metadata: z.registry() });
        export const forms = [schema, namesOf('scoringMethod'), namesOf('choosingMethod'), namesOf('task')];`,
      resolveDir: root,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'warning',
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  return (await import(`data:text/javascript;base64,${code}`)).forms;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(await wireHash(resolve(process.argv[2] ?? join(fileURLToPath(import.meta.url), '../..'))));
