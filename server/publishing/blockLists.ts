// Whether what config.json says of single blocks fits the number of blocks: llama.cpp, vLLM and transformers each read another
// part of it, and some read a list that is too long as a model that is too deep. Pure.
import { listsByBlock, listsOfBlocks, thresholds } from '../checkpoint/configWithoutBlocks';

/** @returns a sentence for the first thing that does not fit; null: all does */
export function misfitIn(config: Readonly<Record<string, unknown>>): string | null {
  const nBlocks = config.num_hidden_layers;
  if (typeof nBlocks !== 'number') return 'config.json has no num_hidden_layers; write how many blocks there are.';
  for (const [key, value] of Object.entries(config)) {
    const said = Array.isArray(value) ? ofList(key, value, nBlocks) : ofNumber(key, value, nBlocks);
    if (said !== null) return `config.json has ${nBlocks} blocks, but ${said}; write it anew with espalier prune.`;
  }
  return null;
}

function ofList(key: string, value: readonly unknown[], nBlocks: number): string | null {
  if (listsByBlock.has(key) && value.length !== nBlocks) return `${key} has ${value.length} entries`;
  if (!listsOfBlocks.has(key)) return null;
  const outside = value.find((block) => typeof block !== 'number' || block < 0 || block >= nBlocks);
  return outside === undefined ? null : `${key} names block ${outside}`;
}

const ofNumber = (key: string, value: unknown, nBlocks: number): string | null =>
  thresholds.has(key) && typeof value === 'number' && value > nBlocks ? `${key} is ${value}` : null;
