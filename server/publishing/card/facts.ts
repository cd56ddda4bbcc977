// All that a card may say. Numbers come from reports, from espalier.json and from the folder's own headers; nothing else has any.
import type { ModelSummary } from '../../protocol/reports';
import type { Provenance } from '../../checkpoint/provenance';
import { emptyDropSet, isEmpty } from '../../shared/dropSets';
import { changesIn } from '../changes';
import type { FoundReport } from '../reports';
import type { Licence } from './licences';

export interface CardFacts {
  readonly of: 'model' | 'adapter';
  /** OWNER/NAME, or the folder's name where none is known yet. */
  readonly name: string;
  /** The folder's absolute path, by which reports know it. */
  readonly folder: string;
  /** On the hub: what it was made of, or what the adapter is for; null: not known. */
  readonly base: string | null;
  /** What is left of the first model of all, by its numbers. */
  readonly cut: Cut;
  readonly steps: Provenance['steps'];
  /** From the headers of the folder; of an adapter null. */
  readonly model: ModelSummary | null;
  /** Why llama.cpp would compute something else; null: it computes the same. */
  readonly notInLlamaCpp: string | null;
  readonly reports: readonly FoundReport[];
  readonly licence: Licence;
  readonly languages: readonly string[];
  /** Of the hub, as the person says. */
  readonly datasets: readonly string[];
  readonly newVersion: string | null;
  /** Tasks that the hub counts as benchmarks, with the name that the benchmark has for them. */
  readonly registered: readonly RegisteredTask[];
  /** What the person wrote; null: nothing yet. */
  readonly prose: string | null;
}

interface RegisteredTask {
  readonly task: string;
  readonly taskId: string;
}

export interface Cut {
  /** The first model of all. */
  readonly original: string;
  /** null: not known, as beside an adapter alone. */
  readonly nBlocks: number | null;
  readonly blocks: readonly number[];
  readonly attention: readonly number[];
  readonly mlp: readonly number[];
}

export type ReportOf<K extends FoundReport['kind']> = Extract<FoundReport, { kind: K }>;

export const reportsOf = <K extends FoundReport['kind']>({ reports }: CardFacts, kind: K): ReportOf<K>[] =>
  reports.filter((report): report is ReportOf<K> => report.kind === kind);

/** Of their own, and of studies. */
export const evaluationsOf = (facts: CardFacts): ReportOf<'evaluate'>[] => [
  ...reportsOf(facts, 'evaluate'),
  ...reportsOf(facts, 'study').flatMap(({ evaluation }) => evaluation ?? []),
];

/** A model of a report is this one: by its folder, which may have been moved, or as the original without what it lacks. */
export function isThis(
  { folder, cut, steps }: CardFacts,
  model: { folder: string; name: string; drop?: Pick<Cut, 'blocks' | 'attention' | 'mlp'> },
): boolean {
  const drop = model.drop ?? emptyDropSet;
  const last = (path: string) => path.split(/[/\\]/).at(-1);
  if (isEmpty(drop)) return last(model.folder) === last(folder);
  const isSame = `${drop.blocks};${drop.attention};${drop.mlp}` === `${cut.blocks};${cut.attention};${cut.mlp}`;
  return changesIn(steps).length === 0 && isSame && last(model.name) === last(cut.original);
}
