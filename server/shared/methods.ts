// The methods that say how much each block matters. An importance method is one row here: what it looks at, its formula,
// its unit, its paper, and how it is shown. For all of them a low score means that the block changes little. Formulas are
// written in an arithmetic that the caller brings, since the engine's is that of graphs. Pure.
import type { MethodScores } from '../protocol/reports';
import type { MarkedShape } from './styles';

/** What formulas are written in. V: a value for every token of a batch, or one for a block. */
export interface Arithmetic<V> {
  div(x: V, y: V): V;
  sqrt(x: V): V;
  /** 1 - cos(u, v) from |u|, |v| and |v - u|. */
  oneMinusCosine(u: V, v: V, difference: V): V;
  /** Zero where there is nothing to add up, as in a block without attention. */
  total(values: readonly V[]): V;
  sumOfMagnitudes(weight: V): V;
  sumOfSquares(weight: V): V;
}

/** Lengths of the vectors of every token around and in a block: h[k], the sublayers' outputs, h[k+1], h[k+1] - h[k]. */
export interface TokenNorms<V> {
  readonly hiddenIn: V;
  readonly attention: V;
  /** After the attention was added. */
  readonly between: V;
  readonly mlp: V;
  readonly hiddenOut: V;
  readonly change: V;
}

export interface NamedWeight<V> {
  /** Within its block, such as `mlp.up_proj.weight`. */
  readonly suffix: string;
  readonly value: V;
}

/** Of which tokens the angles between hidden states are taken: the mean over all, or of the last one of each sequence. */
export type AngularScore = 'allTokens' | 'lastToken';

interface Facts {
  readonly label: string;
  /** Of its marks in charts; those of a variant are hollow. */
  readonly shape: MarkedShape;
  /** The method that it varies. */
  readonly variantOf?: string;
  readonly unit: string;
  /** Where the method comes from. */
  readonly paper: string;
  /** What a score belongs to: a whole block, one of its sublayers, or every range of consecutive blocks. */
  readonly of: MethodScores['of'];
}

export type ImportanceMethod = Facts &
  (
    | {
        /** Per token, averaged over all tokens. */
        readonly needs: 'tokens';
        readonly score: <V>(norms: TokenNorms<V>, arithmetic: Arithmetic<V>) => V;
      }
    | {
        /** For a block. */
        readonly needs: 'weights';
        readonly score: <V>(weights: readonly NamedWeight<V>[], arithmetic: Arithmetic<V>) => V;
      }
    | { readonly needs: 'states'; readonly score: AngularScore } // angles between all hidden states
    | { readonly needs: 'finalNorm' } // blockInfluence but for the last block
    | { readonly needs: 'gradients' } // the backward pass, too: asked for by name only
  );

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
    label: 'Block influence',
    shape: 'circle',
    of: 'block',
    unit: '1 - cosine',
    paper: shortGpt,
    needs: 'tokens',
    score: (t, { oneMinusCosine }) => oneMinusCosine(t.hiddenIn, t.hiddenOut, t.change),
  },
  blockInfluenceAsPublished: {
    label: 'Block influence, as published',
    shape: 'circle',
    variantOf: 'blockInfluence',
    of: 'block',
    unit: '1 - cosine',
    paper: shortGpt,
    needs: 'finalNorm',
  },
  angularDistance: {
    label: 'Angular distance',
    shape: 'diamond',
    of: 'span',
    unit: 'half turns',
    paper: gromov,
    needs: 'states',
    score: 'lastToken',
  },
  angularDistanceAllTokens: {
    label: 'Angular distance, all tokens',
    shape: 'diamond',
    variantOf: 'angularDistance',
    of: 'span',
    unit: 'half turns',
    paper: gromov,
    needs: 'states',
    score: 'allTokens',
  },
  relativeMagnitude: {
    label: 'Relative magnitude',
    shape: 'triangle',
    of: 'block',
    unit: 'norm of the change / norm after',
    paper: blockPruner,
    needs: 'tokens',
    score: (t, { div }) => div(t.change, t.hiddenOut),
  },
  weightMagnitude: {
    label: 'Magnitude',
    shape: 'square',
    of: 'block',
    unit: 'sum of |w|',
    paper: shortenedLlama,
    needs: 'weights',
    score: (weights, { total, sumOfMagnitudes }) => total(weights.map((w) => sumOfMagnitudes(w.value))),
  },
  weightFrobenius: {
    label: 'Magnitude, Frobenius',
    shape: 'square',
    variantOf: 'weightMagnitude',
    of: 'block',
    unit: 'Frobenius norm',
    paper: shortenedLlamaByNorm,
    needs: 'weights',
    score: (weights, { sqrt, total, sumOfSquares }) => sqrt(total(weights.map((w) => sumOfSquares(w.value)))),
  },
  attentionWeightNorm: {
    label: 'Attention weight norm',
    shape: 'square',
    of: 'attention',
    unit: 'Frobenius norm',
    paper: shortenedLlamaByNorm,
    needs: 'weights',
    score: (weights, { sqrt, total, sumOfSquares }) =>
      sqrt(total(weights.filter((w) => attentionMatrices.test(w.suffix)).map((w) => sumOfSquares(w.value)))),
  },
  attentionOutputNorm: {
    label: 'Attention output norm',
    shape: 'triangle',
    of: 'attention',
    unit: 'norm',
    paper: llmDropByNorm,
    needs: 'tokens',
    score: (t) => t.attention,
  },
  mlpOutputNorm: {
    label: 'MLP output norm',
    shape: 'triangle',
    of: 'mlp',
    unit: 'norm',
    paper: llmDropByNorm,
    needs: 'tokens',
    score: (t) => t.mlp,
  },
  relativeAttentionNorm: {
    label: 'Relative attention norm',
    shape: 'triangle',
    of: 'attention',
    unit: 'norm / norm of the input',
    paper: llmDropByNorm,
    needs: 'tokens',
    score: (t, { div }) => div(t.attention, t.hiddenIn),
  },
  relativeMlpNorm: {
    label: 'Relative MLP norm',
    shape: 'triangle',
    of: 'mlp',
    unit: 'norm / norm of the input',
    paper: llmDropByNorm,
    needs: 'tokens',
    score: (t, { div }) => div(t.mlp, t.hiddenIn),
  },
  attentionInfluence: {
    label: 'Attention influence',
    shape: 'circle',
    of: 'attention',
    unit: '1 - cosine',
    paper: llmDrop,
    needs: 'tokens',
    score: (t, { oneMinusCosine }) => oneMinusCosine(t.hiddenIn, t.between, t.attention),
  },
  mlpInfluence: {
    label: 'MLP influence',
    shape: 'circle',
    of: 'mlp',
    unit: '1 - cosine',
    paper: llmDrop,
    needs: 'tokens',
    score: (t, { oneMinusCosine }) => oneMinusCosine(t.between, t.hiddenOut, t.mlp),
  },
  taylor: {
    label: 'Taylor',
    shape: 'triangleDown',
    of: 'block',
    unit: 'sum of |w dL/dw|',
    paper: shortenedLlama,
    needs: 'gradients',
  },
} satisfies Record<string, ImportanceMethod>;

export type ImportanceMethodName = keyof typeof importanceMethods;
export const importanceMethodNames = Object.keys(importanceMethods) as ImportanceMethodName[];
/** Those that a forward pass gives: what `all` means. */
export const forwardMethodNames = importanceMethodNames.filter((name) => importanceMethods[name].needs !== 'gradients');

/** The row of a method, as the general type. */
export const importanceMethod = (name: ImportanceMethodName): ImportanceMethod => importanceMethods[name];

export const isImportanceMethod = (name: string): name is ImportanceMethodName =>
  Object.hasOwn(importanceMethods, name);

/** Methods that choose blocks without scoring them: two by measured losses, one by depth. */
export const choosingMethods = {
  removal: 'removal (the loss without each single block)',
  greedy: 'greedy (one block after another, each time the one whose loss is least; SLEB, arXiv:2402.09025)',
  deepest: 'deepest (the last blocks but one)',
} as const;

export type ChoosingMethodName = keyof typeof choosingMethods;
export const choosingMethodNames = Object.keys(choosingMethods) as ChoosingMethodName[];
export const isChoosingMethod = (name: string): name is ChoosingMethodName => Object.hasOwn(choosingMethods, name);

/** What a method gives scores of; losses are of blocks. */
export const scoredBy = (method: string): ImportanceMethod['of'] =>
  isImportanceMethod(method) ? importanceMethod(method).of : 'block';
