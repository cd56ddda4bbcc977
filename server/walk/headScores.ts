// How likely single tokens are, gathered while the vocabulary passes in slices.
import { normedRows, scoringSlice, tokenScores } from '../model/head';
import type { Tensor } from '../runtime/tensor';
import { logSumExp, walkHead } from './headWalk';
import type { Model } from './model';
import type { Target } from './packing';

export interface HeadScores {
  pass(slice: Tensor, firstRow: number): Promise<void>;
  /** By target and id. */
  finish(): Promise<TokenScore[][]>;
  dispose(): void;
}

export interface TokenScore {
  readonly logLikelihood: number;
  /** No token has a larger logit. */
  readonly isGreedy: boolean;
}

/** @param last the hidden state after the last block, [N, D]; it stays the caller's */
export async function openHeadScores(
  { config, device }: Model,
  last: Tensor,
  norm: Tensor,
  targets: readonly Target[],
): Promise<HeadScores> {
  const rows = roundedUp(targets.length);
  const nIds = Math.max(...targets.map(({ ids }) => ids.length));
  const at = (row: number, i: number) => targets[row]?.ids[i] ?? null;
  const nHidden = last.shape[0]!;
  const places = await device.upload(
    BigInt64Array.from({ length: rows }, (_, row) => BigInt(targets[row]?.slot ?? 0)),
    [rows],
    'table',
  );
  const program = await device.program(`normedRows ${nHidden} ${rows}`, () => normedRows(config, nHidden, rows));
  const { normed } = await device.run(program, { hidden: last, norm, places });
  places.dispose();
  const walk = await walkHead(device, normed!, {
    running: { ...logSumExp, wanted: { width: nIds, from: 0 } },
    slice: (_, sliceRows, firstRow) => ({
      key: `scoringSlice ${rows}x${sliceRows} ${nIds}`,
      build: () => scoringSlice(config, rows, sliceRows, nIds),
      async feeds() {
        const ids = new BigInt64Array(rows * nIds);
        const inside = new Float32Array(rows * nIds);
        for (let row = 0; row < targets.length; row++) {
          for (let i = 0; i < nIds; i++) {
            const id = (at(row, i) ?? -1) - firstRow;
            if (id < 0 || id >= sliceRows) continue;
            ids[row * nIds + i] = BigInt(id);
            inside[row * nIds + i] = 1;
          }
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
      return targets.map(({ ids }, row) =>
        ids.map((_, i) => ({
          logLikelihood: logLikelihood[row * nIds + i]!,
          isGreedy: behind[row * nIds + i]! <= 0,
        })),
      );
    },
    dispose: walk.dispose,
  };
}

/** Few numbers of rows, so that few graphs are compiled. */
const roundedUp = (rows: number) => (rows <= 64 ? 2 ** Math.ceil(Math.log2(rows)) : 64 * Math.ceil(rows / 64));
