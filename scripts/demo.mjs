// The main job on the bundled tiny model, as one would type it: measure the blocks, choose, prune, compare, write a story.
// Every command is printed before it runs; the reports stay in espalier-demo/.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, setUp } from './setup.mjs';

const model = 'test/fixtures/stories260k';
const text = '--text media/demo/tinystories.txt';
const out = 'espalier-demo';
const pruned = `${out}/stories260k-pruned`;

const steps = [
  {
    question: 'How much does each block matter? Every method that needs forward passes only.',
    command: `analyze ${model} ${text} --methods all --windows 16 --tokens 256 --json ${out}/analysis.json`,
  },
  {
    question: 'Which block would go first, by block influence?',
    command: `suggest ${out}/analysis.json --method blockInfluence --count 1`,
  },
  {
    question: 'What does the model without it look like? A folder of the same form.',
    command: `prune ${model} --method blockInfluence --count 1 ${text} --out ${pruned} --json ${out}/prune.json`,
  },
  {
    question: 'What did it cost?',
    command: `perplexity ${model} ${pruned} ${text} --json ${out}/perplexity.json`,
  },
  {
    question: 'Does it still tell stories?',
    command: `generate ${pruned} --prompt "Once upon a time" --max-tokens 60`,
  },
];

setUp();
rmSync(join(root, out), { recursive: true, force: true });
mkdirSync(join(root, out));

for (const { question, command } of steps) {
  console.log(`\n# ${question}\n$ npx espalier ${command}`);
  run(process.execPath, ['dist/espalier.cjs', ...words(command)]);
}
console.log(`\nThe reports and the pruned model are in ${out}/.`);

/** As a shell would cut it; double quotes are all that the commands above need. */
function words(command) {
  return command.match(/"[^"]*"|\S+/g).map((word) => word.replaceAll('"', ''));
}
