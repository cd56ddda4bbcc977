// Which blocks of a model are left, as text of one sign a block. It is drawn with block elements, which are of one width everywhere.
import { isEmpty } from '../../shared/dropSets';
import type { Cut } from './facts';

const signs = { whole: '█', gone: '░', attentionOnly: '▀', mlpOnly: '▄' } as const;

const perLine = 64;

/** @returns null where the number of blocks is not known, or nothing was removed */
export function blockStrip(cut: Cut): string | null {
  const { nBlocks, blocks, attention, mlp } = cut;
  if (nBlocks === null || isEmpty(cut)) return null;
  const all = Array.from({ length: nBlocks }, (_, k) => signOf(k));
  const lines = Array.from({ length: Math.ceil(nBlocks / perLine) }, (_, i) =>
    all.slice(i * perLine, (i + 1) * perLine).join(''),
  );
  const legend = [
    `${signs.whole} stays`,
    ...(blocks.length > 0 ? [`${signs.gone} removed`] : []),
    ...(mlp.length > 0 ? [`${signs.attentionOnly} attention alone stays`] : []),
    ...(attention.length > 0 ? [`${signs.mlpOnly} MLP alone stays`] : []),
  ];
  return [...lines, '', legend.join('   ')].join('\n');

  function signOf(k: number): string {
    if (blocks.includes(k)) return signs.gone;
    if (attention.includes(k)) return signs.mlpOnly;
    return mlp.includes(k) ? signs.attentionOnly : signs.whole;
  }
}
