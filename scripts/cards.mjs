// Makes docs/cards anew: cards of a pruned, a healed and an adapter variant of SmolLM2-135M, by the commands that a person types.
//   node scripts/cards.mjs MODEL TRAIN TEST DATA
// MODEL is the folder of SmolLM2-135M, TRAIN a text to choose and heal on, TEST one to measure on, DATA the folder with the data of
// hellaswag and piqa. The settings are short, so that it takes minutes. Reports lie beside the cards, without the places of this machine.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { root } from './setup.mjs';

const [model, train, test, data] = process.argv.slice(2).map((path) => resolve(path));
if (!data) throw new Error('node scripts/cards.mjs MODEL TRAIN TEST DATA');

const original = 'SmolLM2-135M';
const [pruned, adapter, healed] = ['SmolLM2-135M-pruned', 'SmolLM2-135M-pruned-lora', 'SmolLM2-135M-healed'];
const [learned, read] = [train, test].map((file) => basename(file));
const source = `--text ${learned} --tokens 256`;
const measured = `--text ${read} --tokens 256 --sequences 16`;
const card = `--license apache-2.0 --language en --prose prose.md`;
const hub = 'HuggingFaceTB/SmolLM2-135M';

/** By the name of the report that each writes. */
const runs = {
  prune: `prune ${original} --method blockInfluence --count 4 --protect 0,1,29 ${source} --sequences 8 --out ${pruned}`,
  heal: `heal ${pruned} --data ${learned} --tokens 128 --steps 30 --micro-batch 2 --holdout 0.003 --dense ${original} --out ${adapter}`,
  merge: `merge ${pruned} ${adapter} --out ${healed}`,
  perplexity: `perplexity ${original} ${pruned} ${healed} ${measured}`,
  evaluate: `evaluate ${original} ${pruned} ${healed} --tasks hellaswag,piqa --data data --limit 40`,
  generateOriginal: `generate ${original} --prompt Once --max-tokens 40`,
  generatePruned: `generate ${pruned} --prompt Once --max-tokens 40`,
};
const cards = {
  pruned: `card ${pruned} --original ${original} --report prune.json perplexity.json evaluate.json generateOriginal.json generatePruned.json --repo somebody/${pruned} --base ${hub} ${card}`,
  healed: `card ${healed} --original ${original} --report heal.json perplexity.json evaluate.json --repo somebody/${healed} --base ${hub} ${card}`,
  adapter: `card ${adapter} --original ${pruned} --report heal.json --repo somebody/${adapter} --base somebody/${pruned} ${card}`,
};
const prose = `<!-- yours: what stands between these two lines is kept when the card is made again -->
An example of a card, made with short settings on a busy machine: its times and speeds say little, and nobody should use this model.
<!-- end of yours -->
`;

const work = mkdtempSync(join(tmpdir(), 'cards-'));
const out = join(root, 'docs/cards');
try {
  symlinkSync(model, join(work, original));
  for (const file of [train, test]) symlinkSync(file, join(work, basename(file)));
  symlinkSync(data, join(work, 'data'));
  writeFileSync(join(work, 'prose.md'), prose);
  mkdirSync(join(out, 'reports'), { recursive: true });
  for (const [report, command] of Object.entries(runs)) espalier(`${command} --json ${report}.json`);
  for (const [folder, kind] of [
    [pruned, 'pruned'],
    [healed, 'healed'],
  ]) {
    espalier(`inspect ${folder} --json inspect-${kind}.json`);
    keep(join(folder, 'espalier.json'), `espalier-${kind}.json`);
    keep(`inspect-${kind}.json`);
  }
  for (const report of Object.keys(runs)) keep(`${report}.json`);
  for (const [variant, command] of Object.entries(cards)) {
    espalier(`${command} --out ${variant}.md`);
    writeFileSync(join(out, `${variant}.md`), readFileSync(join(work, `${variant}.md`)));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function espalier(command) {
  console.log(`$ npx espalier ${command}`);
  const args = [join(root, 'dist/espalier.cjs'), ...command.split(' '), '--quiet'];
  execFileSync(process.execPath, args, { cwd: work, stdio: 'inherit' });
}

/** Without the places of this machine. */
function keep(file, as = file) {
  const written = readFileSync(join(work, file), 'utf8');
  const places = [work, ...[model, train, test, data].map((path) => dirname(path))].map((place) => `${place}/`);
  const plain = places.reduce((json, place) => json.replaceAll(place, ''), written);
  writeFileSync(join(out, 'reports', as), `${JSON.stringify(JSON.parse(plain), null, 1)}\n`);
}
