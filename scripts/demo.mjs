// `npm run demo`: set-up, then the main job on the bundled tiny model. Every command is printed before it runs; the reports
// stay in espalier-demo/.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { out, steps, words } from './demo-steps.mjs';
import { root, run, setUp } from './setup.mjs';

setUp();
rmSync(join(root, out), { recursive: true, force: true });
mkdirSync(join(root, out));

for (const { question, command } of steps) {
  console.log(`\n# ${question}\n$ npx espalier ${command}`);
  run(process.execPath, ['dist/espalier.cjs', ...words(command)]);
}
console.log(`\nThe reports and the pruned model are in ${out}/.`);
