// Whatever a user can get wrong ends in exit code 2, one sentence on stderr, nothing on stdout and nothing on the disk. Every row
// is tried in this process, and the last of each table also as a program of its own, which has to end in the same way.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { modelFolder } from '../fixtures';
import { contentsOf, espalier as espalierProcess } from './espalier';
import { espalier } from './inProcess';

const model = modelFolder('stories260k');
/** Every command is run in this folder, so that the rows below can name files as a user does. */
const root = mkdtempSync(join(tmpdir(), 'refused-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const file = (name: string, contents: string) => writeFileSync(join(root, name), contents);
file('text.txt', 'Once upon a time there was a small dog. '.repeat(200));
file('short.txt', 'Once upon a time');
file('empty.txt', '');
file('blank.txt', ' \n\n');
file('binary.txt', 'a\0b');
file('rows.json', '[[1, 2, 3], [1, 2]]');
file('foreign-ids.json', '[[1, 2, 512]]');
file('one-id.json', '[[1], [2]]');
file('bad.json', '{');
file('array.json', '[]');
file('other-report.json', '{"kind": "prune"}');
file('cut-report.json', '{"kind": "analyze"}');
const scores = { unit: 'x', of: 'block', paper: 'p', scores: [1, 2, 3, 4, 5], standardErrors: [] };
const analysis = (change: object) => JSON.stringify({ kind: 'analyze', model: { folder: 'm', nBlocks: 5 }, ...change });
file('report.json', analysis({ methods: { blockInfluence: scores } }));
file('few-scores.json', analysis({ methods: { blockInfluence: { ...scores, scores: [1, 2] } } }));
file('no-numbers.json', analysis({ methods: { blockInfluence: { ...scores, scores: [1, 2, null, 4, 5] } } }));
file('spans.json', analysis({ methods: { angularDistance: { ...scores, of: 'span', scores: [[1], [2]] } } }));
file('no-methods.json', analysis({}));
mkdirSync(join(root, 'taken'));
file('taken/something', '');

/** The bundled model with something changed in it. */
function damaged(name: string, change: (folder: string) => void): void {
  const folder = join(root, name);
  cpSync(model, folder, { recursive: true });
  change(folder);
}
const withConfig = (change: object) => (folder: string) => {
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, ...change }));
};
const renamed = (from: string, to: string) => (folder: string) => {
  const bytes = readFileSync(join(model, 'model.safetensors'));
  bytes.write(to, bytes.indexOf(from), 'latin1'); // the same length, so that the header stays whole
  writeFileSync(join(folder, 'model.safetensors'), bytes);
};
damaged('truncated', (folder) => truncateSync(join(folder, 'model.safetensors'), 1e6));
damaged('no-header', (folder) => truncateSync(join(folder, 'model.safetensors'), 5));
damaged('missing-tensor', renamed('model.layers.3.mlp.up_proj.weight', 'model.layers.7.mlp.up_proj.weight'));
damaged('no-weights', (folder) => rmSync(join(folder, 'model.safetensors')));
damaged('no-tokenizer', (folder) => rmSync(join(folder, 'tokenizer.json')));
damaged('no-length', (folder) => {
  const json = JSON.parse(readFileSync(join(model, 'tokenizer.json'), 'utf8'));
  json.pre_tokenizer = { type: 'FixedLength', length: 0 };
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(json));
});
damaged('bad-config', (folder) => writeFileSync(join(folder, 'config.json'), '{"model_type": "llama"'));
damaged('unknown-family', withConfig({ model_type: 'mamba', architectures: ['MambaForCausalLM'] }));
damaged('mixtral', withConfig({ model_type: 'mixtral', num_local_experts: 8, num_experts_per_tok: 2 }));
damaged('llama-with-experts', withConfig({ num_local_experts: 8, num_experts_per_tok: 2 }));
damaged('wider', withConfig({ hidden_size: 128 }));
damaged('deeper', withConfig({ num_hidden_layers: 6 }));
damaged('bad-provenance', (folder) => writeFileSync(join(folder, 'espalier.json'), '{"format": 2}'));

const analyze = ['analyze', model, '--text', 'text.txt'];
const measured = ['--text', 'text.txt', '--tokens', '64'];
const prune = ['prune', model, '--out', 'out'];
const perplexity = ['perplexity', model, ...measured];

type Row = [what: string, args: string[], sentence: RegExp];
const commandLines: Row[] = [
  ['an unknown command', ['prunes', model], /^unknown command 'prunes' \(Did you mean prune\?\)$/],
  ['an unknown option', [...analyze, '--methds', 'all'], /^unknown option '--methds' \(Did you mean --methods\?\)$/],
  ['no model', ['analyze', '--text'], /missing/],
  ['two models where one is meant', ['inspect', model, model], /too many arguments/],
  ['an option without its value', ['perplexity', model, '--ids'], /argument missing/],
  ['no text', ['analyze', model], /^A text is needed: add --text FILE \(or --ids FILE/],
  ['no sequence', [...analyze, '--sequences', '0'], /'0' is invalid\. It must be a whole number of at least 1\.$/],
  ['half a sequence', [...analyze, '--sequences', '1.5'], /'1\.5' is invalid/],
  ['a negative start', [...analyze, '--start', '-1'], /'-1' is invalid/],
  ['a word for a number', [...analyze, '--seed', 'x'], /'x' is invalid\. It must be a whole number, 0 or more\.$/],
  ['a bos that is not there', [...analyze, '--bos', 'often'], /Allowed choices are none, each, tokenizer\.$/],
  ['a device that is not there', [...analyze, '--device', 'tpu'], /Allowed choices are cpu, webgpu, cuda, auto\.$/],
  ['a preset that is not there', [...perplexity, '--preset', '77'], /Allowed choices are 128, 2048\.$/],
  ['far too many threads', [...analyze, '--threads', '100000'], /threads are too many .* --threads/],
  ['an unknown dtype', [...prune, '--drop', '1', '--dtype', 'f8'], /no dtype f8; choose f32, f16 or bf16\.$/],
  ['no output', ['prune', model, '--drop', '1'], /required option '--out <folder>'/],
  [
    'no rule',
    prune,
    /^Say which blocks go: either --drop LIST \(or --drop-attention, --drop-mlp\), or --method NAME with --count N, --fit SIZE or --parameters N\.$/,
  ],
  ['a repair that is none', [...prune, '--drop', '1', '--repair', 'magic'], /Allowed choices are none, linear/],
  [
    'a ridge below zero',
    [...prune, '--drop', '1', '--repair', 'linear', '--ridge', '-1'],
    /must be a number of 0 or more/,
  ],
  [
    'a repair without a text',
    [...prune, '--drop', '1', '--repair', 'linear'],
    /^A repair needs a text to calibrate by/,
  ],
  ['a sublayer of no block', [...prune, '--drop-mlp', '9'], /^There is no block 9/],
  ['all weights', ['sparsify', model, '--ratio', '1', '--out', 'out'], /must be a share from 0 up to 1/],
  ['a merge without an output', ['merge', model, 'taken'], /required option '--out <folder>'/],
  ['a merge to no dtype', ['merge', model, 'taken', '--out', 'out', '--dtype', 'f8'], /no dtype f8; choose f32/],
  [
    'a merge of no adapter',
    ['merge', model, 'taken', '--out', 'out'],
    /taken has no adapter_config\.json; give the folder/,
  ],
  ['two rules', [...prune, '--drop', '1', '--method', 'deepest', '--count', '1'], /^Say which blocks go/],
  ['a method without a count', [...prune, '--method', 'deepest'], /^Say which blocks go/],
  ['racing without a search', [...analyze, '--racing', '0.9'], /^--racing is a way to search: add --greedy N/],
  [
    'a confidence of 1',
    [...analyze, '--greedy', '1', '--racing', '1'],
    /'1' is invalid\. It must be a number between 0 and 1/,
  ],
  ['a search for all blocks', [...analyze, '--greedy', '5'], /cannot drop 5 blocks: at most 4 may go/],
  [
    'units that are none',
    [...analyze, '--greedy', '1', '--greedy-of', 'heads'],
    /Allowed choices are blocks, sublayers/,
  ],
  ['suggestions of all blocks', [...analyze, '--suggestions', '5'], /^5 blocks cannot be suggested: the model has 5/],
  [
    'a question that is none',
    [...analyze, '--what-if', '3,x'],
    /^"3,x" is not a drop set; write blocks such as 3,5,8-10/,
  ],
  ['a question about no block', [...analyze, '--what-if', '3;9'], /^There is no block 9/],
  ['a list that is none', [...prune, '--drop', '1;2'], /^"1;2" is not a list of blocks; write numbers and ranges/],
  ['a range backwards', [...perplexity, '--drop', '3-1'], /^"3-1" is not a list of blocks/],
  ['no tokens to add', ['generate', model, '--max-tokens', '0'], /'0' is invalid/],
];

const models: Row[] = [
  ['a folder that is not there', ['inspect', 'nowhere'], /^There is no folder .*nowhere\.$/],
  ['a file instead of a folder', ['inspect', 'text.txt'], /is a file; give the folder/],
  ['a folder without a model', ['inspect', 'taken'], /has no config\.json; give the folder/],
  ['weights cut off', ['inspect', 'truncated'], /model\.safetensors/],
  ['weights cut off, at work', ['analyze', 'truncated', ...measured], /model\.safetensors/],
  ['weights without a header', ['inspect', 'no-header'], /model\.safetensors/],
  [
    'a weight missing',
    [...['prune', 'missing-tensor'], '--drop', '1', '--out', 'out'],
    /lacks the weight model\.layers\.3\./,
  ],
  ['no weights', ['inspect', 'no-weights'], /holds no weights; read are model\.safetensors/],
  ['a config that is not JSON', ['inspect', 'bad-config'], /config\.json is not valid JSON/],
  ['a family that we do not know', ['perplexity', 'unknown-family', ...measured], /mamba/],
  ['a mixture of experts', ['perplexity', 'mixtral', ...measured], /mixtral/],
  ['experts under a known name', ['perplexity', 'llama-with-experts', ...measured], /num_local_experts/],
  ['a config of another width', ['inspect', 'wider'], /in the shape .* but config\.json asks for/],
  ['a config of another depth', ['inspect', 'deeper'], /lacks the weight model\.layers\.5\./],
  ['a provenance not to be believed', ['inspect', 'bad-provenance'], /espalier\.json/],
  ['no tokenizer', ['analyze', 'no-tokenizer', ...measured], /tokenizer\.json/],
  ['one bad model among good ones', ['perplexity', model, 'nowhere', ...measured], /no folder/],
];

/** A panic ends the process that it happens in, so this is tried as a program only. */
const panic: Row = [
  'a tokenizer that its library panics at',
  ['perplexity', 'no-length', ...measured],
  /"chunk size must be non-zero"/,
];

const texts: Row[] = [
  ['no such text', ['analyze', model, '--text', 'none.txt'], /^There is no file none\.txt/],
  ['a folder for a text', ['analyze', model, '--text', '.'], /is a folder; name the text files/],
  ['an empty text', ['analyze', model, '--text', 'empty.txt'], /no text in empty\.txt/],
  ['a blank text', ['analyze', model, '--text', 'blank.txt'], /no text in blank\.txt/],
  ['bytes that are no text', ['analyze', model, '--text', 'binary.txt'], /byte 1 is zero/],
  [
    'a text of too few tokens',
    ['analyze', model, '--text', 'short.txt'],
    /^The text has 4 tokens, from 0 on enough for 0 sequences of 512, but at least 1 is asked for; take fewer/,
  ],
  [
    'more sequences than there are',
    [...analyze, '--sequences', '99'],
    /enough for \d sequences of 512, but 99 are asked for/,
  ],
  ['a start beyond the end', [...analyze, '--start', '99999'], /^The start 99999 lies beyond/],
  ['a sequence longer than the context', [...analyze, '--tokens', '513'], /longer than the model's context of 512/],
  ['a preset longer than the context', [...perplexity, '--preset', '2048'], /longer than the model's context of 512/],
  ['a sequence of one token', [...analyze, '--tokens', '1'], /predicts nothing; take at least 2/],
  ['ids in rows of other lengths', ['analyze', model, '--ids', 'rows.json'], /has 2 ids in row 1 but 3 in row 0/],
  ['ids of another model', ['analyze', model, '--ids', 'foreign-ids.json'], /has 512 in row 0 at position 2/],
  ['rows of a single id', ['analyze', model, '--ids', 'one-id.json'], /predicts nothing/],
  ['ids that are not JSON', ['analyze', model, '--ids', 'text.txt'], /text\.txt is not valid JSON/],
  [
    'a prompt too long',
    ['generate', model, '--prompt', 'Once', '--max-tokens', '512'],
    /ask for fewer --max-tokens\.$/,
  ],
];

const choices: Row[] = [
  [
    'a block that is not there',
    [...perplexity, '--drop', '5'],
    /^There is no block 5: the model has 5 blocks, 0 to 4\.$/,
  ],
  ['a block that is not there, to prune', [...prune, '--drop', '5'], /^There is no block 5/],
  ['a block that is not there, to write', ['generate', model, '--drop', '9'], /^There is no block 9/],
  ['all blocks', [...prune, '--drop', '0-4'], /^Dropping all 5 blocks leaves no model; keep at least one\.$/],
  ['all blocks, to measure', [...perplexity, '--drop', '0-4'], /leaves no model/],
  [
    'an unknown method',
    [...analyze, '--methods', 'blockInfluence,magic'],
    /^There is no method magic; choose from all, none, b/,
  ],
  [
    'an unknown method, to prune',
    [...prune, ...measured, '--method', 'magic', '--count', '1'],
    /^There is no method magic/,
  ],
  ['too many blocks', [...prune, ...measured, '--method', 'mlpOutputNorm', '--count', '5'], /at most 4 may go\.$/],
  ['a method without a text', [...prune, '--method', 'mlpOutputNorm', '--count', '1'], /needs a text: add --text/],
  [
    'no room between protected blocks',
    [...prune, ...measured, '--method', 'angularDistance', '--count', '3', '--protect', '1,3'],
    /^No 3 consecutive blocks are free/,
  ],
  [
    'cuda',
    [...analyze, '--device', 'cuda'],
    /^The CUDA provider is not part .* use --device cpu or --device webgpu\.$/,
  ],
  [
    'too little memory',
    [...analyze, '--memory-limit', '100'],
    /^This needs \d+ MB \(weights \d+ MB, hidden states \d+ MB, activations \d+ MB, the processes \d+ MB\) .*only 100 MB may be used: no choice of sequences takes less than \d+ MB, so allow at least that or use a machine with more memory\.$/,
  ],
  [
    'too little memory for resident weights',
    [...analyze, '--memory', 'resident', '--memory-limit', '295'],
    /with weights resident, but only 295 MB may be used: use --memory streaming --.*\d\.$/,
  ],
];

const outputs: Row[] = [
  ['a taken output', ['prune', model, '--drop', '1', '--out', 'taken'], /exists and is not empty/],
  ['a file as output', ['prune', model, '--drop', '1', '--out', 'text.txt'], /is a file/],
  ['a size in apples', [...prune, '--method', 'deepest', '--fit', '4 apples'], /^"4 apples" is not a size in bytes/],
  [
    'parameters in bytes',
    [...prune, '--method', 'deepest', '--parameters', '2GB'],
    /^"2GB" is not a number of parameters/,
  ],
  [
    'a size above the model',
    [...prune, '--method', 'deepest', '--fit', '4GB'],
    /takes 1\.0 MB as it is.*nothing has to go/,
  ],
  [
    'a size below all that stays',
    [...prune, '--method', 'deepest', '--fit', '100kB'],
    /^Without all 4 blocks that may go/,
  ],
  ['a cache of nothing', [...prune, '--method', 'deepest', '--count', '1', '--context-tokens', '9'], /add --fit SIZE/],
  ['whole blocks of a count', [...prune, '--method', 'deepest', '--count', '1', '--whole-blocks'], /is about a budget/],
  ['a size of named blocks', [...prune, '--drop', '1', '--fit', '900kB'], /^Say which blocks go/],
  [
    'wider MLPs',
    [...prune, '--drop', '1', '--mlp-width', '200'],
    /^The MLPs have 172 channels, so that 200 cannot stay/,
  ],
  [
    'two widths',
    [...prune, '--method', 'deepest', '--fit', '900kB', '--mlp-width', '100'],
    /^A budget says how many channels stay/,
  ],
  [
    'channels for mergekit',
    [...prune, '--drop', '1', '--mlp-width', '100', '--mergekit', 'x.yaml', '--text', 'text.txt'],
    /^mergekit knows no channels/,
  ],
  ['an output under a file', ['prune', model, '--drop', '1', '--out', 'text.txt/out'], /a part of that path is a file/],
  ['an output inside the model', ['prune', 'deep', '--drop', '1', '--out', 'deep/out'], /lies inside/],
  ['a report in no folder', [...analyze, '--json', 'none/report.json'], /none\/report\.json cannot be written/],
  ['a report over a folder', [...analyze, '--json', 'taken'], /taken cannot be written \(it is a folder\)/],
  ['a report in no folder, to prune', [...prune, '--drop', '1', '--json', 'none/report.json'], /cannot be written/],
  ['a mergekit file in no folder', [...prune, '--drop', '1', '--mergekit', 'none/x.yaml'], /x\.yaml cannot be written/],
];
cpSync(model, join(root, 'deep'), { recursive: true });
// A place that says there is nothing where something was asked to be made.
if (process.platform === 'linux')
  outputs.push(['an output where none can be', ['prune', model, '--drop', '1', '--out', '/proc/x/out'], /in \/proc/]);

const suggestion = (report: string, ...more: string[]) => [
  'suggest',
  report,
  '--method',
  'blockInfluence',
  '--count',
  '1',
  ...more,
];
const reports: Row[] = [
  ['no report', suggestion('none.json'), /none\.json cannot be read; give the file that analyze --json wrote\.$/],
  ...['bad', 'array', 'other-report', 'cut-report', 'few-scores', 'spans', 'no-methods'].map(
    (name): Row => [`the report ${name}.json`, suggestion(`${name}.json`), /is not a report of analyze; give the file/],
  ),
  ['a report with an empty score', suggestion('no-numbers.json'), /holds an empty score or loss, which was not finite/],
  [
    'a method that the report lacks',
    ['suggest', 'report.json', '--method', 'x', '--count', '1'],
    /this report has: blockInfluence\.$/,
  ],
  [
    'more blocks than there are',
    ['suggest', 'report.json', '--method', 'deepest', '--count', '5'],
    /at most 4 may go\.$/,
  ],
  ['no size', ['suggest', 'report.json', '--method', 'deepest'], /^Say how much goes: add --count N, --fit SIZE/],
  ['two sizes', suggestion('report.json', '--fit', '4GB'), /^--count, --fit and --parameters each say how much goes/],
  [
    'a size of a report without the weights of parts',
    ['suggest', 'report.json', '--method', 'deepest', '--fit', '1kB'],
    /^What the parts of the model weigh is not in this report; analyze the model again\.$/,
  ],
  ['a protected block that is not there', suggestion('report.json', '--protect', '7'), /^Block 7 cannot be protected/],
  ['a suggestion to no folder', suggestion('report.json', '--json', 'none/x.json'), /x\.json cannot be written/],
];

describe.each<[string, Row[]]>([
  ['a command line', commandLines],
  ['a model', models],
  ['a text', texts],
  ['a choice', choices],
  ['an output', outputs],
  ['a report', reports],
])('%s', (_, rows) => {
  it.each(rows)('%s', async (_, args, sentence) => {
    const before = contentsOf(root);
    const { code, signal, stdout, stderr } = await espalier(args, root);
    expect({ code, signal, stdout }, stderr).toEqual({ code: 2, signal: null, stdout: '' });
    expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+|undefined|NaN|\[object/);
    expect(stderr.slice('espalier: '.length, -1)).toMatch(sentence);
    expect(contentsOf(root)).toEqual(before);
  });

  const [what, args] = rows.at(-1)!;
  it(`${what}, as a program`, async () => {
    const before = contentsOf(root);
    expect(await espalierProcess(args, root)).toEqual(await espalier(args, root));
    expect(contentsOf(root)).toEqual(before);
  });
});

it(panic[0], async () => {
  const [, args, sentence] = panic;
  const { code, signal, stdout, stderr } = await espalierProcess(args, root);
  expect({ code, signal, stdout }, stderr).toEqual({ code: 2, signal: null, stdout: '' });
  expect(stderr).toMatch(/^espalier: [^\n]+\n$/);
  expect(stderr).toMatch(sentence);
});
