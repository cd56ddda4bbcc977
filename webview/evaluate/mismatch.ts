// In what two scores of one task may differ so that their difference means nothing.
import type { EvaluatedTask } from '../../server/protocol/reports';
import { counted } from '../../server/shared/numbers';
import { type Column, lacksOf } from './columns';

export interface Mismatch {
  readonly what: keyof typeof shortly;
  /** How it was with the base and with the variant, in words. */
  readonly base: string;
  readonly variant: string;
}

/** For a cell, which has little room. */
export const shortly = {
  items: 'n differs',
  shots: 'shots differ',
  data: 'data differ',
  version: 'version differs',
  precision: 'precision differs',
  length: 'length differs',
  tokenizer: 'tokenizer differs',
  base: 'base differs',
} as const;

export function differencesBetween(base: Column, variant: Column, task: EvaluatedTask, own: EvaluatedTask): Mismatch[] {
  const found: Mismatch[] = [];
  const compare = (what: Mismatch['what'], ofBase: unknown, ofVariant: unknown, words = [ofBase, ofVariant]) => {
    if (ofBase !== ofVariant) found.push({ what, base: String(words[0]), variant: String(words[1]) });
  };
  const [a, b] = [base.model, variant.model];
  compare('items', itemsOf(base, task), itemsOf(variant, own), [inWords(base, task), inWords(variant, own)]);
  compare('shots', task.nFewShot, own.nFewShot);
  compare('data', hashes(task), hashes(own), [names(task), names(own)]);
  compare('version', task.version, own.version);
  compare('precision', a.dtype, b.dtype);
  compare('length', a.maxTokens, b.maxTokens, [counted(a.maxTokens, 'token'), counted(b.maxTokens, 'token')]);
  compare('tokenizer', a.tokenizerSha256, b.tokenizerSha256, [short(a.tokenizerSha256), short(b.tokenizerSha256)]);
  const other = variant.sheet.scored.models[0];
  if (variant.sheet !== base.sheet && other)
    compare('base', identity(a), identity(other), [`${a.name}`, lacksOf(other)]);
  return found;
}

const itemsOf = (column: Column, task: EvaluatedTask): string => {
  const first = column.sheet.recipe.items?.first ?? 0;
  return `${first} ${nScored(column, task)}`;
};
function inWords(column: Column, task: EvaluatedTask): string {
  const first = column.sheet.recipe.items?.first ?? 0;
  const n = nScored(column, task);
  return first === 0 ? `on ${n}` : `on ${n} from ${first} on`;
}
/** What was really scored, which may be fewer than were asked for. */
const nScored = ({ sheet, index }: Column, task: EvaluatedTask): number =>
  sheet.scored.scores.find((it) => it.model === index && it.task === task.task)?.nItems ?? task.nItems;

const hashes = ({ files }: EvaluatedTask) =>
  files
    .map(({ sha256 }) => sha256)
    .sort()
    .join(' ');
const names = ({ files }: EvaluatedTask) => files.map(({ name, sha256 }) => `${name} (${short(sha256)})`).join(', ');
const short = (sha256: string) => sha256.slice(0, 8);
const identity = ({ name, nParameters, nBlocks, removedBlocks, drop, healed }: Column['model']) =>
  JSON.stringify([name, nParameters, nBlocks, removedBlocks, drop, healed]);
