// How likely single tokens are, gathered while the vocabulary passes in slices.
import { normedRows, scoringSlice, tokenScores } from '../model/head';
import { headSlicesOf, logSumExp } from './headSlices';
import type { Batch } from './model';
import type { ScoredTokens } from './packing';
import type { HeadPass, HeadVisit } from './visitor';

/** One by one as they were asked for. */
export interface TokenScores {
  readonly logLikelihoods: Float32Array;
  /** One where no token has a larger logit. */
  readonly isGreedy: Uint8Array;
}

export async function openHeadScores(
  { model, hidden, norm }: HeadVisit<Batch>,
  scoredTokens: ScoredTokens,
): Promise<HeadPass<TokenScores>> {
  const { config, device } = model;
  const { rows, nIds, places, wanted, cells } = tableOf(scoredTokens);
  const program = await device.program(normedRows, config, hidden.shape[0]!, rows);
  const where = await device.upload(places, [rows], 'table');
  const { normed } = await device.run(program, { hidden, norm, places: where });
  device.release(where);
  const slices = await headSlicesOf(device, normed!, {
    running: { ...logSumExp, wanted: { width: nIds, from: 0 } },
    program: (_, sliceRows) => device.program(scoringSlice, config, rows, sliceRows, nIds),
    async feeds(scope, sliceRows, firstRow) {
      const ids = new BigInt64Array(rows * nIds);
      const inside = new Float32Array(rows * nIds);
      for (const [cell, id] of wanted.entries()) {
        if (id < firstRow || id >= firstRow + sliceRows) continue;
        ids[cell] = BigInt(id - firstRow);
        inside[cell] = 1;
      }
      const shape = [rows, nIds];
      return { ids: await scope.upload(ids, shape, 'table'), inside: await scope.upload(inside, shape, 'table') };
    },
  });
  return {
    pass: slices.pass,
    async finish() {
      const made = await device.run(await device.program(tokenScores, rows, nIds), slices.tensors());
      const [logLikelihood, behind] = [await device.read(made.logLikelihood!), await device.read(made.behind!)];
      return {
        logLikelihoods: Float32Array.from(cells, (cell) => logLikelihood[cell]!),
        isGreedy: Uint8Array.from(cells, (cell) => (behind[cell]! <= 0 ? 1 : 0)),
      };
    },
  };
}

/** A row for every slot that is asked of, a column for every token: [rows, nIds], -1 where there is none. */
function tableOf({ slots, ids }: ScoredTokens) {
  const at: { row: number; column: number }[] = [];
  let [row, column, nIds] = [-1, 0, 1];
  for (let i = 0; i < slots.length; i++) {
    if (i === 0 || slots[i] !== slots[i - 1]) [row, column] = [row + 1, 0];
    else if (ids[i] !== ids[i - 1]) column++;
    nIds = Math.max(nIds, column + 1);
    at.push({ row, column });
  }
  const rows = roundedUp(row + 1);
  const places = new BigInt64Array(rows);
  const wanted = new Int32Array(rows * nIds).fill(-1);
  const cells = Int32Array.from(at, ({ row, column }) => row * nIds + column);
  for (const [i, cell] of cells.entries()) {
    places[at[i]!.row] = BigInt(slots[i]!);
    wanted[cell] = ids[i]!;
  }
  return { rows, nIds, places, wanted, cells };
}

/** Few numbers of rows, so that few graphs are compiled. */
const roundedUp = (rows: number) => (rows <= 64 ? 2 ** Math.ceil(Math.log2(rows)) : 64 * Math.ceil(rows / 64));
