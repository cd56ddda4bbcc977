// Where the time of a test run goes, by folder, and the budget that each folder has of it. Machines differ and are seldom
// quiet, so a budget is a share of the processor time of all tests, which both leave nearly alone.

/**
 * In percent of the processor time of a whole run. A folder that grows beyond it takes from the others, and somebody should
 * look at why before raising the number here. Measured in a whole run of 1658 processor seconds on a slow
 * machine, with a third to spare.
 */
export const budgets = {
  '.': 1,
  analysis: 6,
  checkpoint: 4,
  cli: 13,
  data: 3,
  devices: 1,
  docs: 4,
  evaluation: 3,
  execution: 7,
  extension: 1,
  fuzz: 3,
  faults: 4,
  graph: 1,
  gguf: 1,
  hub: 2,
  model: 3,
  onnx: 1,
  plan: 1,
  pruning: 1,
  publishing: 2,
  recipes: 22,
  reporting: 1,
  rpc: 6,
  runs: 6,
  runtime: 6,
  shared: 1,
  tokenizer: 5,
  training: 5,
  webgpu: 5,
  webview: 19,
  workbench: 26,
};

/**
 * @param results vitest's `testResults` of all files
 * @param costs rows { file, seconds, processorSeconds } of test/measureCost.ts
 * @param pathOf a file's path in the checkout
 */
export function costTable(results, costs, pathOf) {
  const costOf = new Map(costs.map((it) => [pathOf(it.file), it]));
  const folders = new Map();
  for (const { name, assertionResults } of results) {
    const path = pathOf(name);
    const folder = path.split('/').length > 2 ? path.split('/')[1] : '.';
    const row = folders.get(folder) ?? { folder, nFiles: 0, nTests: 0, seconds: 0, processorSeconds: 0 };
    const { seconds = 0, processorSeconds = 0 } = costOf.get(path) ?? {};
    row.nFiles++;
    row.nTests += assertionResults.length;
    row.seconds += seconds;
    row.processorSeconds += processorSeconds;
    folders.set(folder, row);
  }
  const total = sumOf([...folders.values()], 'processorSeconds');
  return [...folders.values()]
    .map((row) => ({ ...row, percent: total > 0 ? (100 * row.processorSeconds) / total : 0 }))
    .sort((a, b) => b.processorSeconds - a.processorSeconds);
}

/** The table as lines, with a sentence for every folder that is over its budget or has none. */
export function tableLines(rows) {
  const widths = [-14, 6, 7, 9, 11, 9, 8];
  const line = (...cells) =>
    cells.map((cell, i) => (widths[i] < 0 ? `${cell}`.padEnd(-widths[i]) : `${cell}`.padStart(widths[i]))).join('');
  const cellsOf = ({ folder, nFiles, nTests, seconds, processorSeconds, percent }) => [
    ...[folder, nFiles, nTests, seconds.toFixed(0), processorSeconds.toFixed(0), `${percent.toFixed(1)} %`],
    folder in budgets ? `${budgets[folder]} %` : '–',
  ];
  const all = { folder: 'all', percent: 100 };
  for (const field of ['nFiles', 'nTests', 'seconds', 'processorSeconds']) all[field] = sumOf(rows, field);
  return [
    line('folder', 'files', 'tests', 'seconds', 'processor', 'share', 'budget'),
    ...rows.map((row) => line(...cellsOf(row))),
    line(...cellsOf(all).slice(0, -1)),
    ...rows
      .filter(({ folder }) => !(folder in budgets) && folder !== 'long')
      .map(({ folder }) => `test/${folder} has no budget; give it one in scripts/test-table.mjs.`),
    ...rows
      .filter(({ folder, percent }) => percent > budgets[folder])
      .map(
        ({ folder, percent }) =>
          `test/${folder} took ${percent.toFixed(1)} % of the processor time; its budget is ${budgets[folder]} %.`,
      ),
  ];
}

const sumOf = (rows, field) => rows.reduce((sum, row) => sum + row[field], 0);
