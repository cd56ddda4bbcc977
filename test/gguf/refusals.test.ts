// What llama.cpp would compute otherwise is not exported. Each row breaks one of the rules of a family, and is refused by name; the
// same model without the change is accepted.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { architectures } from '../../server/gguf/architectures';
import { architectureFor, unknownWindow } from '../../server/gguf/refusals';
import { families } from '../../server/model/families';
import { readModelConfig } from '../../server/model/readConfig';
import { repoRoot } from '../fixtures';

/** A family's config.json, changed. */
function factsOf(family: string, changes: object) {
  const path = join(repoRoot, 'test/fixtures/families', family, 'config.json');
  const configJson = { ...JSON.parse(readFileSync(path, 'utf8')), ...changes };
  return { config: readModelConfig(configJson), configJson };
}

const types = (text: string) => [...text].map((c) => (c === 's' ? 'sliding_attention' : 'full_attention'));
const rotates = (text: string) => [...text].map((c) => (c === 'r' ? 1 : 0));
const blocks = (n: number, lists: object) => ({ num_hidden_layers: n, ...lists });
const scaled = { query_pre_attn_scalar: 12 };
const llama3 = {
  rope_type: 'llama3',
  rope_theta: 10_000,
  factor: 2,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 16,
};
const qwenLists = { layer_types: types('fff') };

interface Row {
  it: string;
  family: string;
  /** Of the model that is accepted, and what makes of it one that is not. */
  of?: object;
  change: object;
  says: RegExp;
}

const rows: Row[] = [
  {
    it: 'SmolLM3 whose every fourth block still leaves the rotation out, but for one block',
    family: 'smollm3',
    of: blocks(8, { no_rope_layers: rotates('rrrnrrrn'), layer_types: null }),
    change: { no_rope_layers: rotates('rrnrrrrn') },
    says: /smollm3 .*llama.cpp leaves the rotation out of every block .* a multiple of 4, but here block 2 .* is such a one/,
  },
  {
    it: 'SmolLM3 of which a block was dropped',
    family: 'smollm3',
    of: blocks(8, { no_rope_layers: rotates('rrrnrrrn'), layer_types: null }),
    change: blocks(7, { no_rope_layers: rotates('rrnrrrn') }),
    says: /block 2 \(counted from 0\) is such a one; drop blocks in such a way that the pattern stays/,
  },
  {
    it: 'SmolLM3 with biases of the output projection',
    family: 'smollm3',
    of: { no_rope_layers: rotates('rrr') },
    change: { attention_bias: true },
    says: /no place for the biases/,
  },
  {
    it: 'Gemma 2 of which a block was dropped',
    family: 'gemma2',
    of: { ...scaled, ...blocks(4, { layer_types: types('sfsf') }) },
    change: blocks(3, { layer_types: types('ssf') }),
    says: /lets the window go in every block .* a multiple of 2, but here block 1 .* is none/,
  },
  {
    it: 'Gemma 2 whose queries are divided by another root than that of the head width',
    family: 'gemma2',
    of: scaled,
    change: { query_pre_attn_scalar: 10 },
    says: /divides queries by the root of 12 .* with 3 blocks, not by that of query_pre_attn_scalar 10/,
  },
  {
    it: 'the largest Gemma 2 with a block less, which llama.cpp no longer takes for the largest',
    family: 'gemma2',
    of: blocks(46, { layer_types: types('sf'.repeat(23)), query_pre_attn_scalar: 8 }),
    change: blocks(44, { layer_types: types('sf'.repeat(22)) }),
    says: /root of 12 in a model of this family with 44 blocks, not by that of query_pre_attn_scalar 8/,
  },
  {
    it: 'Gemma 2 with a head of its own',
    family: 'gemma2',
    of: scaled,
    change: { tie_word_embeddings: false },
    says: /takes the embedding of this family for its head/,
  },
  {
    it: 'Gemma 2 that rotates with another theta',
    family: 'gemma2',
    of: scaled,
    change: { rope_parameters: { rope_type: 'default', rope_theta: 20_000 } },
    says: /rotates this family with a theta of 10000, not 20000/,
  },
  {
    it: 'Gemma 3 whose sixth block slides',
    family: 'gemma3',
    of: { ...scaled, ...blocks(7, { layer_types: types('sssssfs') }) },
    change: { layer_types: types('sssssss') },
    says: /a multiple of 6, but here block 5 .* is none/,
  },
  {
    it: 'Gemma 3 that caps its logits',
    family: 'gemma3',
    of: { ...scaled, layer_types: types('sss') },
    change: { final_logit_softcapping: 30 },
    says: /caps no logits of this family/,
  },
  {
    it: 'Phi-3 with a scaled rotation',
    family: 'phi3',
    change: { rope_parameters: { rope_type: 'linear', rope_theta: 10_000, factor: 2, partial_rotary_factor: 0.5 } },
    says: /scales no rotation of this family/,
  },
  {
    it: 'Phi-3 with heads of their own width',
    family: 'phi3',
    change: { head_dim: 16 },
    says: /takes heads of this family for 8 wide, but these are 16 wide/,
  },
  {
    it: 'Qwen 3 with biases',
    family: 'qwen3',
    of: qwenLists,
    change: { attention_bias: true },
    says: /no place for the biases/,
  },
  {
    it: "Qwen 2 with Llama 3's rotation",
    family: 'qwen2',
    of: qwenLists,
    change: { rope_parameters: llama3 },
    says: /scales no rotation of this family as llama3 does/,
  },
  {
    it: 'OLMo 2 without a head of its own',
    family: 'olmo2',
    change: { tie_word_embeddings: true },
    says: /expects a head of its own/,
  },
  {
    it: 'Granite with heads of their own width',
    family: 'granite',
    change: { head_dim: 16 },
    says: /takes heads of this family for 8 wide, but these are 16 wide/,
  },
];

describe.each(rows)('$it', ({ family, of = {}, change, says }) => {
  it('is refused', () => {
    expect(() => architectureFor(factsOf(family, { ...of, ...change }))).toThrow(says);
  });

  it('is accepted without that', () => {
    expect(() => architectureFor(factsOf(family, of))).not.toThrow();
  });
});

it('every family that is computed has its name in llama.cpp', () => {
  expect(Object.keys(architectures).sort()).toEqual(Object.keys(families).sort());
});

it.each([
  { family: 'mistral-window', changes: {}, expected: 5 },
  { family: 'mistral-window', changes: { sliding_window: 64 }, expected: null },
  { family: 'phi3', changes: { sliding_window: 9 }, expected: 9 },
  { family: 'qwen2', changes: {}, expected: null },
  { family: 'gemma2', changes: {}, expected: null },
])('a window that llama.cpp does not know: $family with $changes', ({ family, changes, expected }) => {
  expect(unknownWindow(factsOf(family, changes).config)).toBe(expected);
});
