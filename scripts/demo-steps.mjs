// The main job on the bundled tiny model, as one would type it: measure the blocks, choose, prune, compare, write a story.
// The demo runs these commands; a test runs them too and holds the README to what they print.
const model = 'test/fixtures/stories260k';
const text = '--text media/demo/tinystories.txt';

/** The folder for the reports and the pruned model. */
export const out = 'espalier-demo';
const pruned = `${out}/stories260k-pruned`;

export const steps = [
  {
    question: 'How much does each block matter? Every method that needs forward passes only.',
    command: `analyze ${model} ${text} --methods all --sequences 16 --tokens 256 --json ${out}/analysis.json`,
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
    question: 'What would its model card say? Only what the reports say.',
    command: `card ${pruned} --original ${model} --report ${out}/prune.json ${out}/perplexity.json --out ${out}/card.md`,
  },
  {
    question: 'And for llama.cpp, Ollama and LM Studio? One file.',
    command: `export ${pruned} --gguf q8_0 --out ${pruned}.gguf`,
  },
  {
    question: 'Does it still tell stories?',
    command: `generate ${pruned} --prompt "Once upon a time" --max-tokens 60`,
  },
];

/** As a shell would cut a command; double quotes are all that these need. */
export function words(command) {
  return command.match(/"[^"]*"|\S+/g).map((word) => word.replaceAll('"', ''));
}
