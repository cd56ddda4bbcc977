// All test files in shares that run beside each other. Most of a workbench's time is waiting for a page, so the tests of
// modules fill it, at low priority: tests that tell times go before them wherever both want the processor.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { quietly } from './commands.mjs';
import { root } from './setup.mjs';

const vitest = join(root, 'node_modules/.bin/vitest');

/** They tell times, or wait for an answer for a second at most, so they must not wait for the others. A folder ends in /. */
const timed = [
  'test/cli/interrupted.test.ts',
  'test/rpc/',
  'test/runs/',
  'test/webview/chooseBlocks.test.ts',
  'test/webview/evaluationTable.test.ts',
  'test/webview/healCurve.test.ts',
  'test/webview/healing.test.ts',
];
/** How soon a page is painted is told of a machine that does nothing else. */
const alone = ['test/workbench/paint.test.ts'];

/**
 * Runs every test file.
 * @param ready.workbench settles when the workbench is there; the others do not wait for it
 * @returns vitest's reports, what each file cost, and files that no report names
 */
export async function runTests(environment, ready) {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  try {
    const { files, problem } = await testFiles(environment);
    if (problem) return { reports: [], costs: [], unreported: [], problem };
    const costFile = join(folder, 'costs.jsonl');
    const told = { ...environment, ESPALIER_TEST_COSTS: costFile };
    const share = (name, project, chosen, priority) =>
      runShare({ name, project, priority, files: chosen, report: join(folder, `${name}.json`) }, told);

    const { modules, workbench } = files;
    const others = share('modules', 'modules', without(modules, timed), 'low');
    const reports = [await share('timed', 'modules', within(modules, timed))];
    await ready.workbench;
    reports.push(await share('workbench', 'workbench', without(workbench, alone)));
    reports.push(await others);
    reports.push(await share('alone', 'workbench', within(workbench, alone)));

    const reported = new Set(reports.flatMap((it) => it.testResults.map(({ name }) => relative(root, name))));
    const unreported = [...modules, ...workbench].filter((file) => !reported.has(file));
    return { reports, costs: rowsOf(costFile), unreported, problem: null };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All files of each project, as paths in the checkout, by vitest's own word. */
async function testFiles(environment) {
  const { succeeded, said } = await quietly(vitest, ['list', '--filesOnly', '--json'], { environment });
  if (!succeeded) return { files: null, problem: `vitest lists no files:\n${said}` };
  const all = JSON.parse(said.slice(said.indexOf('['))).map((it) => ({ ...it, file: relative(root, it.file) }));
  const of = (project) => all.filter(({ projectName }) => projectName === project).map(({ file }) => file);
  const files = { modules: of('modules'), workbench: of('workbench') };
  const lost = [...timed, ...alone].filter((place) => !all.some(({ file }) => liesIn(file, [place])));
  return { files, problem: lost.length > 0 ? `scripts/test-shares.mjs names files that are gone: ${lost}` : null };
}

/** The share that takes longest is watched at work; what the others say is shown when they are done, in one piece. */
async function runShare({ name, project, files, priority, report }, environment) {
  if (files.length === 0) return { testResults: [], numPassedTests: 0, numFailedTests: 0, nSkipped: 0 };
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const show = priority === 'low';
  const { succeeded, said } = await quietly(vitest, [...args, ...files], { environment, priority, show });
  console.log(`\n=== ${name}: ${files.length} files${show ? ', shown above' : `\n${said}`}`);
  const text = textOf(report);
  if (text === '') return { testResults: [], numPassedTests: 0, numFailedTests: 1, nSkipped: 0 };
  const { testResults, numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(text);
  // What went wrong outside of any test, as a file that does not load, counts as one failure.
  const nUnloaded = testResults.filter((it) => it.status === 'failed' && it.assertionResults.length === 0).length;
  const nFailed = numFailedTests + nUnloaded;
  return {
    testResults,
    numPassedTests,
    numFailedTests: nFailed === 0 && !succeeded ? 1 : nFailed,
    nSkipped: numPendingTests + numTodoTests,
  };
}

const liesIn = (file, places) =>
  places.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place));
const without = (files, places) => files.filter((file) => !liesIn(file, places));
const within = (files, places) => files.filter((file) => liesIn(file, places));

function rowsOf(file) {
  return textOf(file)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Nothing where there is no such file. */
function textOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
