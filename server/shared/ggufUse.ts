// What a person does with a GGUF file: the lines for a shell that open it in llama.cpp, Ollama and LM Studio. Pure.

/** `llama-cli`, the two lines of Ollama and that of LM Studio, by the program's name. */
export function linesForGguf(path: string): readonly (readonly [program: string, line: string])[] {
  const name = (path.split(/[\\/]/).at(-1) ?? path).replace(/\.gguf$/i, '');
  const file = quoted(path);
  return [
    ['llama.cpp', `llama-cli -m ${file}`],
    ['Ollama', `echo ${quoted(`FROM ${path}`)} > Modelfile && ollama create ${ollamaName(name)} -f Modelfile`],
    ['LM Studio', `lms import ${file}`],
  ];
}

/** The same blocks left out of a GGUF file of the original, by llama.cpp's own tool. Blocks in the numbering of the original. */
export const pruneLayersLine = (removedBlocks: readonly number[]): string =>
  `llama-quantize --prune-layers ${removedBlocks.join(',')} ORIGINAL.gguf PRUNED.gguf COPY`;

const quoted = (text: string): string => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Ollama takes small letters, digits and a few marks. */
const ollamaName = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '') || 'model';
