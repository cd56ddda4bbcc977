// `npm run package [-- --target linux-arm64] [--out FILE]`: the extension as a VSIX for one platform, with the Node, the
// onnxruntime and the tokenizers of that platform alone. What goes in is gathered in a folder of its own, so nothing else can slip in.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fetchedNode, gatherRuntime, gatherTokenizers, run, stop, targets } from './native-parts.mjs';
import { noticesFile } from './notices.mjs';
import { root } from './setup.mjs';

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
  await gatherRuntime(staging, target);
  await gatherTokenizers(staging, target);

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
