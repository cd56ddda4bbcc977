// Every importance method is one row: what it looks at, its formula, its unit and its paper. For all of them a low score
// means that the block changes little. One forward pass serves every row that is asked for.
import { add, div, sqrt } from '../graph/ops/elementwise';
import { constant, type Value } from '../graph/value';
import { type AngleOutput, oneMinusCosine, sumOfMagnitudes, sumOfSquares, type TokenNorms } from './measures';

interface Row {
  readonly unit: string;
  /** Where the method comes from. */
  readonly paper: string;
  /** What a score belongs to: a whole block, one of its halves, or every range of consecutive blocks. */
  readonly of: 'block' | 'attention' | 'mlp' | 'span';
}

export type ImportanceMethod = Row &
  (
    | { readonly needs: 'tokens'; readonly score: (norms: TokenNorms) => Value } // per token, averaged over all tokens
    | { readonly needs: 'weights'; readonly score: (weights: readonly NamedWeight[]) => Value } // [1] for a block
    | { readonly needs: 'states'; readonly score: AngleOutput } // angles between all hidden states
    | { readonly needs: 'finalNorm' } // blockInfluence but for the last block
    | { readonly needs: 'gradients' } // the way back, too: asked for by name only
  );

export interface NamedWeight {
  readonly suffix: string;
  readonly value: Value;
}

/** [1]; zero where there is nothing to add up, as in a block without attention. */
const total = (weights: readonly NamedWeight[], of: (w: Value) => Value): Value =>
  weights.map((w) => of(w.value)).reduce(add, constant(Float32Array.of(0), [1]));

const shortGpt = 'ShortGPT, arXiv:2403.03853';
const gromov = 'The Unreasonable Ineffectiveness of the Deeper Layers, arXiv:2403.17887';
const shortenedLlama = 'Shortened LLaMA, arXiv:2402.02834';
const llmDrop = 'What Matters in Transformers?, arXiv:2406.15786';
/** Variants that people use without a paper of their own say what they vary. */
const llmDropByNorm = `a norm in place of the cosine of ${llmDrop}`;
const shortenedLlamaByNorm = `a norm in place of the sum of ${shortenedLlama}`;
const blockPruner = 'BlockPruner, arXiv:2406.10594';
const attentionMatrices = /^self_attn\.[qkvo]_proj\.weight$/;

export const importanceMethods = {
  blockInfluence: {
    needs: 'tokens',
    of: 'block',
    unit: '1 - cosine',
    paper: shortGpt,
    score: (t) => oneMinusCosine(t.entering, t.leaving, t.step),
  },
  blockInfluenceAsPublished: { needs: 'finalNorm', of: 'block', unit: '1 - cosine', paper: shortGpt },
  angularDistance: { needs: 'states', of: 'span', unit: 'half turns', paper: gromov, score: 'lastToken' },
  angularDistanceAllTokens: { needs: 'states', of: 'span', unit: 'half turns', paper: gromov, score: 'allTokens' },
  relativeMagnitude: {
    needs: 'tokens',
    of: 'block',
    unit: 'norm of the change / norm after',
    paper: blockPruner,
    score: (t) => div(t.step, t.leaving),
  },
  weightMagnitude: {
    needs: 'weights',
    of: 'block',
    unit: 'sum of |w|',
    paper: shortenedLlama,
    score: (weights) => total(weights, sumOfMagnitudes),
  },
  weightFrobenius: {
    needs: 'weights',
    of: 'block',
    unit: 'Frobenius norm',
    paper: shortenedLlamaByNorm,
    score: (weights) => sqrt(total(weights, sumOfSquares)),
  },
  attentionWeightNorm: {
    needs: 'weights',
    of: 'attention',
    unit: 'Frobenius norm',
    paper: shortenedLlamaByNorm,
    score: (weights) =>
      sqrt(
        total(
          weights.filter((w) => attentionMatrices.test(w.suffix)),
          sumOfSquares,
        ),
      ),
  },
  attentionOutputNorm: {
    needs: 'tokens',
    of: 'attention',
    unit: 'norm',
    paper: llmDropByNorm,
    score: (t) => t.attention,
  },
  mlpOutputNorm: { needs: 'tokens', of: 'mlp', unit: 'norm', paper: llmDropByNorm, score: (t) => t.mlp },
  relativeAttentionNorm: {
    needs: 'tokens',
    of: 'attention',
    unit: 'norm / norm of the input',
    paper: llmDropByNorm,
    score: (t) => div(t.attention, t.entering),
  },
  relativeMlpNorm: {
    needs: 'tokens',
    of: 'mlp',
    unit: 'norm / norm of the input',
    paper: llmDropByNorm,
    score: (t) => div(t.mlp, t.entering),
  },
  attentionInfluence: {
    needs: 'tokens',
    of: 'attention',
    unit: '1 - cosine',
    paper: llmDrop,
    score: (t) => oneMinusCosine(t.entering, t.between, t.attention),
  },
  mlpInfluence: {
    needs: 'tokens',
    of: 'mlp',
    unit: '1 - cosine',
    paper: llmDrop,
    score: (t) => oneMinusCosine(t.between, t.leaving, t.mlp),
  },
  taylor: { needs: 'gradients', of: 'block', unit: 'sum of |w dL/dw|', paper: shortenedLlama },
} satisfies Record<string, ImportanceMethod>;

export type ImportanceMethodName = keyof typeof importanceMethods;
export const importanceMethodNames = Object.keys(importanceMethods) as ImportanceMethodName[];
/** Those that a forward pass gives: what `all` means. */
export const forwardMethodNames = importanceMethodNames.filter((name) => importanceMethods[name].needs !== 'gradients');

/** The row of a method, as the general type. */
export const importanceMethod = (name: ImportanceMethodName): ImportanceMethod => importanceMethods[name];
