// Names of tensors for people: many of one kind become one, with the numbers of their blocks.
import { formatBlockList } from './dropSets';

/**
 * `model.layers.{0-4}.mlp.up_proj.bias`: names that differ in the number of the block alone become one. Where much of the same
 * blocks is there, it is `model.layers.4.*`.
 */
export function groupedTensorNames(names: readonly string[]): string[] {
  const blocksOf = new Map<string, { before: string; after: string; blocks: number[] }>();
  for (const name of names) {
    const [, before = name, block, after = ''] = /^(.*?\.)(\d{1,6})(\..*)$/.exec(name) ?? [];
    const kind = blocksOf.get(`${before}{}${after}`) ?? { before, after, blocks: [] };
    if (block !== undefined) kind.blocks.push(Number(block));
    blocksOf.set(`${before}{}${after}`, kind);
  }
  const groups = new Map<string, string[]>();
  for (const { before, after, blocks } of blocksOf.values()) {
    const place = blocks.length === 0 ? before : `${before}${blockNumbers(blocks)}`;
    groups.set(place, [...(groups.get(place) ?? []), after]);
  }
  return [...groups].flatMap(([place, endings]) =>
    endings.length > mostEndings
      ? [`${place}.* (${endings.length} kinds)`]
      : endings.map((after) => `${place}${after}`),
  );
}

const mostEndings = 4;

function blockNumbers(blocks: readonly number[]): string {
  const sorted = [...new Set(blocks)].sort((a, b) => a - b);
  return sorted.length === 1 ? String(sorted[0]) : `{${formatBlockList(sorted)}}`;
}

/** That a model's files hold tensors that no part of it uses. */
export function unusedTensorsInWords(model: string, names: readonly string[]): string {
  const tensors = names.length === 1 ? '1 tensor that' : `${names.length} tensors that`;
  return `${model} holds ${tensors} its config.json does not ask for; left aside: ${tensorNamesInWords(groupedTensorNames(names))}.`;
}

/** That config.json and the files disagree about the head. */
export const ownHeadInWords = (model: string) =>
  `The config.json of ${model} ties head and embedding, but its files hold a head of its own, lm_head.weight, which is used.`;

/** As a part of a sentence; of many the first ones and how many more there are. */
export function tensorNamesInWords(groups: readonly string[], most = 6): string {
  const shown = groups.slice(0, most).map(shortened).join(', ');
  return groups.length > most ? `${shown} and ${groups.length - most} more kinds` : shown;
}

/** Names come from files of strangers. */
const shortened = (name: string) => {
  const printable = name.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 100 ? `${printable.slice(0, 97)}...` : printable;
};
