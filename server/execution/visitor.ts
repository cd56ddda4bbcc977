// What a visitor of execute.ts may say. Everything has a default: without any of it, batches go through the blocks and that
// is all.
import type { Stage } from '../model/path';
import type { Tensor, Tensors } from '../runtime/tensor';
import type { Borrowed, KnownStates } from './batchStates';
import type { Batch, Model } from './model';
import type { TrieNode } from './variantTrie';
import type { Weights } from './weightStore';

export interface Visitor<B extends Batch, Result = void> {
  /** Called before each round, with the model in the round's scope. */
  begin?(model: Model): Promise<void>;
  /** The state before the first block, made in or adopted by the model's scope; default: the embeddings of the ids. */
  first?(model: Model, batch: B): Promise<Tensor>;
  /** Inputs of a block's graph beside hidden and the weights; default: position tables from position 0 on. */
  inputs?(batch: B, stage: Stage): Promise<Tensors>;
  /** The state after a block, null where nobody needs it; default: that of blockProgram.ts. */
  block?(visit: BlockVisit<B>): Promise<Tensor | null>;
  /** Called after all batches of a round have passed a block. */
  passed?(block: number, weights: Weights): Promise<void>;
  /** Opens what happens at the end of a path; without it the head is left out. */
  head?(visit: HeadVisit<B>): Promise<HeadPass<Result>>;
  /** False for a batch of which nothing is asked at the end. */
  hasHead?(batch: B): boolean;
  /** Told what the head found. */
  take?(result: Result, visit: HeadVisit<B>): Promise<void>;
  /** The backward pass, from the last of the nodes that it passes to the first; their states are held for it. */
  readonly backward?: { passes(node: TrieNode): boolean; block(visit: BlockVisit<B>): Promise<void> };
  /** Told all states of a batch on a single path, h[0] first, and the final norm's weight. They are held for it. */
  states?(states: readonly Tensor[], batch: B, norm: Tensor): Promise<void>;
  /** States that need not be computed. */
  readonly known?: KnownStates<B> | undefined;
  /** Told the state after a node; whoever takes it over lends it back. */
  keep?(node: TrieNode, batch: B, state: Tensor): Promise<Borrowed | null>;
  /** Floating-point operations of one block and of the head over a batch, for progress; default: those of whole sequences. */
  operations?(batch: B): Operations;
}

export interface Operations {
  readonly block: number;
  readonly head: number;
}

/** A batch at a block. */
export interface BlockVisit<B> {
  /** The model in the visit's scope: what nobody adopts is given back after the visit, but for the result. */
  readonly model: Model;
  readonly node: TrieNode;
  readonly batch: B;
  /** The inputs of the block's graph: hidden, the weights, and those of `inputs`. */
  readonly feeds: Tensors;
  readonly weights: Weights;
}

/** A batch at the end of a path. */
export interface HeadVisit<B> {
  /** The model in the head's scope, which ends once the result was taken. */
  readonly model: Model;
  readonly node: TrieNode;
  readonly batch: B;
  /** The state after the last block, [B*T, D]; given back when the head is open, unless it is adopted. */
  readonly hidden: Tensor;
  /** The final norm's weight [D]. */
  readonly norm: Tensor;
}

/** Rows [firstRow, firstRow + nRows) of the head, and what is fed for them. */
export interface HeadSlice {
  readonly weights: Tensors;
  readonly firstRow: number;
  readonly nRows: number;
}

/** What goes on at the end of a path while the head [V, D] passes in slices. */
export interface HeadPass<Result> {
  pass(slice: HeadSlice): Promise<void>;
  finish(): Promise<Result>;
}

export interface Control {
  readonly signal?: AbortSignal | undefined;
  /** Called after every run with the share of the work that is done, in [0, 1]. */
  onProgress?: ((fraction: number) => void) | undefined;
}
