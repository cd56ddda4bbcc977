// The types of test-table.mjs, for the test of it.
export interface CostRow {
  folder: string;
  nFiles: number;
  nTests: number;
  seconds: number;
  processorSeconds: number;
  percent: number;
}
export const budgets: Readonly<Record<string, number>>;
export function costTable(
  results: readonly { name: string; assertionResults: readonly unknown[] }[],
  costs: readonly { file: string; seconds: number; processorSeconds: number }[],
  pathOf: (file: string) => string,
): CostRow[];
export function tableLines(rows: readonly CostRow[]): string[];
