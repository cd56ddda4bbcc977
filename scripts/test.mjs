// `npm test`: build, fetch what tests need, check types and style, run the tests, and say where the time went and, on the
// last line, how it went. With --long the slow tests run too. Under CI=true missing tools are installed and nothing may be
// skipped. What waits for the network or for a page leaves the processor to the rest.
import { join, relative } from 'node:path';
import { inView, quietly } from './commands.mjs';
import { root } from './setup.mjs';
import { testEnvironment } from './test-environment.mjs';
import { runTests } from './test-shares.mjs';
import { costTable, tableLines } from './test-table.mjs';
import { lavapipe } from './lavapipe.mjs';
import { debianPackages, realModel, workbenchTools } from './test-tools.mjs';

const ci = process.env.CI === 'true';
const long = process.argv.includes('--long');
const checks = [
  ...['server', 'extension', 'webview', 'test', 'bench'].map((place) => ({
    name: `types of ${place}/`,
    command: ['tsc', '-p', place],
  })),
  { name: 'style', command: ['biome', 'check', '.'] },
];

const parts = [];
/** Does a part of the work, and remembers from when to when. */
async function part(name, work) {
  const beganMs = performance.now();
  try {
    return await work();
  } finally {
    parts.push({ name, beganMs, endedMs: performance.now() });
  }
}

const builds = part('packages, build', () => inView(process.execPath, ['scripts/setup.mjs']));
const debian = part('Debian packages', () => debianPackages(ci));
const model = debian.then(() => part('real model', realModel));
const workbench = debian.then(() => part('workbench', workbenchTools));
const softwareVulkan = debian.then(() => part('lavapipe', lavapipe));
if (!(await builds)) process.exit(1);
const checked = part('types, style', failedChecks);

const environment = testEnvironment({ long });
const missing = [...(await debian), ...(await model), ...(await softwareVulkan)];
const tests = await part('tests', () => runTests(environment, { workbench }));
missing.push(...(await workbench));
const failedChecksFound = await checked;

const { reports, costs, unreported, problem } = tests;
const sum = (field) => reports.reduce((total, report) => total + report[field], 0);
const results = reports.flatMap((report) => report.testResults);
console.log('\nWhere the time went, in seconds');
for (const { name, beganMs, endedMs } of parts.sort((a, b) => a.beganMs - b.beganMs))
  console.log(
    `${name.padEnd(18)}${seconds(endedMs - beganMs).padStart(7)}   from ${seconds(beganMs)} to ${seconds(endedMs)}`,
  );
console.log('');
for (const line of tableLines(costTable(results, costs, (file) => relative(root, file)))) console.log(line);
console.log('');

for (const line of failures(results)) console.log(line);
for (const { what, why } of missing) console.log(`Missing: ${what}; ${why}.`);
for (const { name } of failedChecksFound) console.log(`Failed check: ${name}`);
for (const file of unreported) console.log(`Failed check: ${file} was not run`);
if (problem) console.log(`Failed check: ${problem}`);
const failed = sum('numFailedTests') + failedChecksFound.length + unreported.length + (problem ? 1 : 0);
const skipped = sum('nSkipped') + missing.length;
console.log(`\n${sum('numPassedTests')} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || (ci && skipped > 0) ? 1 : 0;

/** One after the other, since the first of them use all processors. */
async function failedChecks() {
  const failed = [];
  for (const check of checks) {
    const [tool, ...args] = check.command;
    const { succeeded, said } = await quietly(join(root, 'node_modules/.bin', tool), args);
    if (succeeded) continue;
    console.log(`\nChecking ${check.name} ...\n${said}`);
    failed.push(check);
  }
  return failed;
}

/** Every failed test with what it said, once more at the end, where a log that is cut still shows it. */
function failures(testResults) {
  return testResults
    .filter(({ status }) => status === 'failed')
    .flatMap(({ name, message, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      const file = relative(root, name);
      if (failed.length === 0) return [`Failed: ${file}\n${message ?? ''}`];
      return failed.map(
        ({ fullName, failureMessages }) => `Failed: ${file} > ${fullName}\n${failureMessages.join('\n')}`,
      );
    });
}

function seconds(ms) {
  return (ms / 1000).toFixed(0);
}
