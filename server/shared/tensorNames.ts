// Names of tensors for people: many of one kind become one, with the numbers of their blocks.
import { formatBlockList } from './dropSets';

/** `model.layers.{0-4}.mlp.up_proj.bias`: those that differ in the number of the block alone, in the order of the first. */
export function groupedTensorNames(names: readonly string[]): string[] {
  const blocksOf = new Map<string, number[]>();
  for (const name of names) {
    const [, before, block, after] = /^(.*?\.)(\d{1,6})(\..*)$/.exec(name) ?? [null, name, null, null];
    const kind = block === null ? name : `${before}{}${after}`;
    const blocks = blocksOf.get(kind) ?? [];
    if (block !== null) blocks.push(Number(block));
    blocksOf.set(kind, blocks);
  }
  return [...blocksOf].map(([kind, blocks]) => {
    if (blocks.length === 0) return kind;
    const sorted = [...new Set(blocks)].sort((a, b) => a - b);
    return kind.replace('{}', sorted.length === 1 ? String(sorted[0]) : `{${formatBlockList(sorted)}}`);
  });
}

/** That a model's files hold tensors that no part of it uses. */
export function unusedTensorsInWords(model: string, names: readonly string[]): string {
  const tensors = names.length === 1 ? '1 tensor' : `${names.length} tensors`;
  return `${model} holds ${tensors} that the model of its config.json does not use, and that are left aside: ${tensorNamesInWords(groupedTensorNames(names))}`;
}

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
