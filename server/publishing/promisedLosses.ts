// What reports say of the loss of a folder: what was measured on it, or on its original without the blocks that it lacks. Pure.
import type { TokenSourceReport } from '../protocol/recipes';
import { isEmpty } from '../shared/dropSets';

/** Of a report, as far as a loss of a folder can be found in it. */
export type LossReport =
  | {
      readonly kind: 'perplexity';
      readonly models: readonly {
        readonly name: string;
        readonly folder: string;
        readonly dropSet: readonly number[];
        readonly droppedSublayers: Sublayers;
        readonly lossNats: number;
        readonly source: TokenSourceReport;
      }[];
    }
  | {
      readonly kind: 'prune';
      readonly out: string;
      readonly rounding: { readonly lossNatsAfter: number | null } | null;
    }
  | {
      readonly kind: 'study';
      readonly perplexity: TokenSourceReport | null;
      readonly variants: readonly {
        readonly folder: string | null;
        readonly loss: { readonly lossNats: number } | null;
      }[];
    };

interface Sublayers {
  readonly attention: readonly number[];
  readonly mlp: readonly number[];
}

/** What is known of the folder that reports may speak of. */
export interface LossSubject {
  readonly folder: string;
  readonly name: string;
  /** It is the original without these, and nothing else; null: its weights were changed. */
  readonly cut: {
    readonly original: string;
    readonly removedBlocks: readonly number[];
    readonly droppedSublayers: Sublayers;
  } | null;
  /** The text that its blocks were chosen on; null: none was. */
  readonly calibration: TokenSourceReport | null;
}

export interface PromisedLoss {
  readonly lossNats: number;
  readonly source: TokenSourceReport;
}

export const promisedLosses = (reports: readonly LossReport[], subject: LossSubject): PromisedLoss[] =>
  reports.flatMap((report): PromisedLoss[] => {
    if (report.kind === 'perplexity')
      return report.models
        .filter((model) => isMeant(model, subject))
        .map(({ lossNats, source }) => ({ lossNats, source }));
    if (report.kind === 'prune') {
      const lossNats = isPlace(report.out, subject.folder) ? (report.rounding?.lossNatsAfter ?? null) : null;
      return lossNats === null || subject.calibration === null ? [] : [{ lossNats, source: subject.calibration }];
    }
    const { perplexity, variants } = report;
    const loss = variants.find(({ folder }) => folder !== null && isPlace(folder, subject.folder))?.loss;
    return perplexity && loss ? [{ lossNats: loss.lossNats, source: perplexity }] : [];
  });

/** Reports have places as they were typed, and folders are moved. */
const isPlace = (said: string, folder: string): boolean => last(said) === last(folder);
const last = (path: string) => path.split(/[/\\]/).at(-1);

type Measured = Extract<LossReport, { kind: 'perplexity' }>['models'][number];

/** The folder itself, by its place or its name, or the original without what it lacks. */
function isMeant({ name, folder, dropSet, droppedSublayers }: Measured, { cut, ...subject }: LossSubject): boolean {
  const isWhole = isEmpty({ blocks: dropSet, ...droppedSublayers });
  if (isWhole) return folder === subject.folder || name === subject.name;
  return (
    cut !== null &&
    name === cut.original &&
    `${dropSet}` === `${cut.removedBlocks}` &&
    `${droppedSublayers.attention};${droppedSublayers.mlp}` ===
      `${cut.droppedSublayers.attention};${cut.droppedSublayers.mlp}`
  );
}
