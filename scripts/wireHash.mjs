// A hash of what goes over the wire between clients and the compute server: the types of its conversations, without their
// comments and layout, the schema of recipes, and the names of methods and tasks. A running server is used by every client
// that has the same hash, whatever else their builds differ in. As a program: `node scripts/wireHash.mjs [ROOT]` prints it.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** In server/protocol; pages.ts is not among them, because pages talk to the extension they came with. */
const conversations = ['recipes', 'reports', 'engine', 'server'];

export async function wireHash(root) {
  const hash = createHash('sha256');
  for (const name of conversations) {
    const text = await readFile(join(root, 'server/protocol', `${name}.ts`), 'utf8');
    hash.update(`${name}\0`).update(withoutComments(text));
  }
  hash.update(JSON.stringify(await recipeForms(root)));
  return hash.digest('hex').slice(0, 12);
}

/** Strings as they are, no comments, no layout. */
function withoutComments(text) {
  const tokens =
    text.match(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\/.*|\/\*[\s\S]*?\*\/|\w+|[^\w\s]/g) ?? [];
  return tokens.filter((token) => !/^\/[/*]/.test(token)).join(' ');
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
