// `npm run test:unit -- PATH` and `npm run test:watch -- PATH`: the tests of modules whose path holds PATH, within seconds.
// Nothing is installed and no types are checked; what is built is built anew where the source is newer.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inView } from './commands.mjs';
import { root } from './setup.mjs';
import { testEnvironment } from './test-environment.mjs';

const [mode, ...rest] = process.argv.slice(2);
if (!['run', 'watch'].includes(mode)) throw new Error('usage: node scripts/unit.mjs run|watch [PATH ...]');
if (!buildIsCurrent() && !(await inView(process.execPath, ['build.mjs']))) process.exit(1);
const args = [mode, '--project', 'modules', ...rest];
process.exitCode = (await inView(join(root, 'node_modules/.bin/vitest'), args, testEnvironment())) ? 0 : 1;

/** Some tests start the bundles as a user would. */
function buildIsCurrent() {
  if (!existsSync(join(root, 'dist/webview.css'))) return false;
  const written = ['server', 'extension', 'webview', 'bench'].flatMap((place) => timesUnder(place, /\.(ts|css)$/));
  return Math.min(...timesUnder('dist', /^[^/]+\.(cjs|js|css)$/)) >= Math.max(...written);
}

function timesUnder(place, pattern) {
  return readdirSync(join(root, place), { recursive: true })
    .filter((name) => pattern.test(name))
    .map((name) => statSync(join(root, place, name)).mtimeMs);
}
