// A card as text for a terminal: itself, or where it was written.
import type { CardReport } from '../recipes/card/recipe';
import { table } from './table';

export function renderCard({ files: [card, ...others], file }: CardReport): string {
  if (file === null) return card!.text.trimEnd();
  return table([
    ['written to', file],
    ...(others.length > 0 ? [['goes along', others.map(({ name }) => name).join(', ')]] : []),
  ]);
}
