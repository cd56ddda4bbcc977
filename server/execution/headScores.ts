// How likely single tokens are, gathered while the vocabulary passes in slices.
import { normedRows, scoringSlice, tokenScores } from '../model/head';
import type { Tensor } from '../runtime/tensor';
import { logSumExp, walkHead } from './headWalk';
import type { Model } from './model';
import type { Asks } from './packing';

export interface HeadScores {
  pass(slice: Tensor, firstRow: number): Promise<void>;
  finish(): Promise<TokenScores>;
  dispose(): void;
}

/** One by one as they were asked. */
export interface TokenScores {
  readonly logLikelihoods: Float32Array;
  /** One where no token has a larger logit. */
  readonly isGreedy: Uint8Array;
}

/** @param last the hidden state after the last block, [N, D]; it stays the caller's */
export async function openHeadScores(
  { config, device }: Model,
  last: Tensor,
  norm: Tensor,
  asks: Asks,
): Promise<HeadScores> {
  const { rows, nIds, places, wanted, cells } = tableOf(asks);
  const nHidden = last.shape[0]!;
  const program = await device.program(`normedRows ${nHidden} ${rows}`, () => normedRows(config, nHidden, rows));
  const where = await device.upload(places, [rows], 'table');
  const { normed } = await device.run(program, { hidden: last, norm, places: where });
  where.dispose();
  const walk = await walkHead(device, normed!, {
    running: { ...logSumExp, wanted: { width: nIds, from: 0 } },
    slice: (_, sliceRows, firstRow) => ({
      key: `scoringSlice ${rows}x${sliceRows} ${nIds}`,
      build: () => scoringSlice(config, rows, sliceRows, nIds),
      async feeds() {
        const ids = new BigInt64Array(rows * nIds);
        const inside = new Float32Array(rows * nIds);
        for (const [cell, id] of wanted.entries()) {
          if (id < firstRow || id >= firstRow + sliceRows) continue;
          ids[cell] = BigInt(id - firstRow);
          inside[cell] = 1;
        }
        const shape = [rows, nIds];
        return { ids: await device.upload(ids, shape, 'table'), inside: await device.upload(inside, shape, 'table') };
      },
    }),
  });
  return {
    pass: walk.pass,
    async finish() {
      const program = await device.program(`tokenScores ${rows} ${nIds}`, () => tokenScores(rows, nIds));
      const made = await device.run(program, walk.tensors());
      const [logLikelihood, behind] = [await device.read(made.logLikelihood!), await device.read(made.behind!)];
      for (const tensor of Object.values(made)) tensor.dispose();
      return {
        logLikelihoods: Float32Array.from(cells, (cell) => logLikelihood[cell]!),
        isGreedy: Uint8Array.from(cells, (cell) => (behind[cell]! <= 0 ? 1 : 0)),
      };
    },
    dispose: walk.dispose,
  };
}

/** A row for every slot that is asked of, a column for every token: [rows, nIds], -1 where there is none. */
function tableOf({ slots, ids }: Asks) {
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
