import { describe, expect, it } from 'vitest';
import { blockRanges, dropSetInWords } from '../../server/shared/dropSets';
import * as format from '../../server/shared/numbers';

type Row = [written: string, expected: string];

const rows: Row[] = [
  [format.plain(4.3256, 3), '4.326'],
  [format.plain(-7.46, 1), '−7.5'],
  [format.plain(-0.0004, 3), '0.000'],
  [format.plain(Number.NaN, 3), '–'],
  [format.signed(0.9134, 3), '+0.913'],
  [format.signed(-0.44, 3), '−0.440'],
  [format.signed(0, 3), '0.000'],
  [format.signed(0.0004, 3), '0.000'],
  [format.costWithInterval(0.913, 0.085 / 1.96), '+0.913 ± 0.085'],
  [format.costWithInterval(0.913, null), '+0.913'],
  [format.perplexity(75.63), '75.6'],
  [format.share(0.781), '78.1\u202f%'],
  [format.share(0.54, 0), '54\u202f%'],
  [format.signedShare(-0.1316), '−13.2\u202f%'],
  [format.speedUp(1.1515), '× 1.15'],
  [format.correlation(-0.5), '−0.50'],
  [format.tokensPerSecond(12.34), '12.3 tokens/s'],
  [format.tokensPerSecond(1234.5), '1235 tokens/s'],
  [format.parameters(116_814_528), '116.8 M'],
  [format.parameters(260_032), '0.3 M'],
  [format.parameters(3_212_749_824), '3.21 B'],
  [format.size(233_629_056), '233.6 MB'],
  [format.size(6_430_000_000), '6.43 GB'],
  [format.size(84_000), '84 kB'],
  [format.memory(1.5e9), '1.5 GB'],
  [blockRanges([17, 13, 14, 15, 26]), '13–15, 17, 26'],
  [blockRanges([4, 5]), '4–5'],
  [blockRanges([7, 7]), '7'],
  [blockRanges([]), ''],
  [dropSetInWords({ blocks: [12, 13], attention: [], mlp: [11] }), '12–13 + MLP of 11'],
  [dropSetInWords({ blocks: [], attention: [3, 4], mlp: [] }), 'attention of 3–4'],
  [dropSetInWords({ blocks: [], attention: [], mlp: [] }), 'nothing'],
  [format.duration(0.2), '1 s'],
  [format.duration(40.4), '40 s'],
  [format.duration(140), '2 min 20 s'],
  [format.duration(120), '2 min'],
  [format.duration(3900), '1 h 5 min'],
  [format.clock(212), '3:32'],
  [format.clock(3725), '1:02:05'],
  [format.counted(1, 'block'), '1 block'],
  [format.counted(2, 'box', 'boxes'), '2 boxes'],
  ...[1, 2, 3, 4, 11, 12, 13, 21, 22, 27, 30, 111].map(
    (n, i): Row => [
      format.ordinal(n),
      ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '27th', '30th', '111th'][i]!,
    ],
  ),
];

describe('numbers as people read them', () => {
  it.each(rows)('%s', (written, expected) => expect(written).toBe(expected));
});
