// Some rows of a hidden state.
import { slice } from '../graph/ops/movement';
import { type Graph, input } from '../graph/value';

/** Rows [start, end) of hidden [rows, D]. */
export const hiddenRows = (rows: number, width: number, start: number, end: number): Graph => ({
  name: 'hiddenRows',
  outputs: { rows: slice(input('hidden', [rows, width]), 0, start, end) },
});
