// The text of the cells, with the digits of the page: for the table, its exports and screen readers.
import { rules } from '../../server/shared/comparability';
import { notFinite } from '../../server/shared/finite';
import { halfWidthInUnit, signedInUnit, textInUnit } from '../../server/shared/scores';
import type { Difference, Value } from './cell';
import type { Row } from './table';

export function valueText(row: Row, value: Value): string {
  if (value.state === 'known') return textInUnit(row.metric, value.value);
  if (value.state === 'partial') return `${value.nItems} of ${value.ofItems}`;
  return value.state === 'waiting' ? '…' : '–';
}

/** Without its interval: `−7.5`, or why there is none. */
export function differenceText(row: Row, difference: Difference, value: Value): string {
  if (difference.state === 'known') return signedInUnit(row.metric, difference.delta);
  if (difference.state === 'differs') return rules[difference.mismatches[0]!.what].short;
  if (value.state === 'notFinite') return notFinite;
  return value.state === 'absent' ? 'not run' : '';
}

/** `± 12.9`; empty where there is no interval. */
export function intervalText(row: Row, difference: Difference): string {
  if (difference.state !== 'known' || !difference.interval) return '';
  return halfWidthInUnit(row.metric, difference.delta, difference.interval);
}

/** For screen readers, instead of the mark. */
export function verdictText(difference: Difference): string {
  if (difference.state !== 'known') return '';
  if (difference.verdict) return difference.verdict;
  return difference.sure ? 'not within noise, but not sure among so many tasks' : 'within noise';
}
