// Bundles what runs: one file per process, so that an install carries no source tree. Node's bundles are CommonJS,
// because the editor and `child_process.fork` both take that; the native and the editor's modules stay outside.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { imagePath, makeImage } from './server/tokenizer/jinja/python.mjs';
import { noticesFile, thirdPartyNotices } from './scripts/notices.mjs';
import { wireHash } from './scripts/wireHash.mjs';

process.chdir(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

/** Tells two builds of one version apart. Whether a running server may be used is decided by the hash of the wire alone. */
async function sourceHash() {
  const hash = createHash('sha256');
  const files = await readdir('server', { recursive: true });
  for (const file of files.filter((name) => name.endsWith('.ts')).sort())
    hash.update(`${file}\0`).update(await readFile(join('server', file)));
  return hash.digest('hex').slice(0, 12);
}
const buildName = `${version}+${await sourceHash()}`;
const wire = await wireHash('.');

// `import` of a package that stays outside becomes `require`: Node's own loader of modules takes 15 ms to start.
const node = { platform: 'node', format: 'cjs', target: 'node20', supported: { 'dynamic-import': false } };
const browser = { platform: 'browser', format: 'iife', target: 'es2023' };

/** Files of this name in the folders of a place: each defines a page, and nobody else names it. */
async function definitions(place, name) {
  const folders = (await readdir(place)).filter((folder) => existsSync(join(place, folder, `${name}.ts`)));
  return folders.sort().map((folder) => `${place}/${folder}/${name}`);
}
/** The script of all pages: what reports errors comes first, then the pages register themselves, and the last part opens one. */
const pagesScript = ['webview/errorReporter', ...(await definitions('webview', 'page')), 'webview/main'];
/** The pages are defined before the extension is activated. */
const extensionScript = [...(await definitions('extension/panels', 'panel')), 'extension/extension'];

/** Loads all, and exports what the last one does. */
const inTurn = (parts) =>
  [...parts.slice(0, -1).map((part) => `import './${part}';`), `export * from './${parts.at(-1)}';`].join('\n');

// `banner`: only the command line is started by its name; its entry has no #! line of its own.
const bundles = [
  { entry: 'server/cli.ts', out: 'espalier.cjs', ...node, banner: { js: '#!/usr/bin/env node' } },
  { entry: 'server/engine.ts', out: 'engine.cjs', ...node },
  { entry: 'server/main.ts', out: 'server.cjs', ...node },
  { entry: 'server/reader.ts', out: 'reader.cjs', ...node },
  { entry: 'server/probe.ts', out: 'probe.cjs', ...node },
  { entry: 'server/makeShape.ts', out: 'makeShape.cjs', ...node },
  { entry: 'bench/main.ts', out: 'bench.cjs', ...node },
  { entry: 'bench/kit/main.ts', out: 'kit.cjs', ...node },
  // The editor reports every extension that looks at `navigator`; zod asks there whether it runs at Cloudflare's.
  { parts: extensionScript, out: 'extension.cjs', ...node, define: { navigator: 'undefined' } },
  { parts: pagesScript, out: 'webview.js', ...browser, minify: true },
  { entry: 'webview/webview.css', out: 'webview.css', minify: true },
];
/** The icon font that webview.css names. */
const copies = [{ from: 'node_modules/@vscode/codicons/dist/codicon.ttf', out: 'codicon.ttf' }];

const kilobytes = async (path) => `${((await stat(path)).size / 1024).toFixed(1).padStart(9)} kB`;

const metafiles = [];
for (const { entry, parts, out, ...options } of bundles) {
  const outfile = join('dist', out);
  const { metafile } = await build({
    ...options,
    ...(parts ? { stdin: { contents: inTurn(parts), resolveDir: '.' } } : { entryPoints: [entry] }),
    outfile,
    bundle: true,
    external: ['onnxruntime-node', 'tokenizers', 'vscode', 'esbuild', '*.ttf'],
    define: {
      ...options.define,
      __ESPALIER_VERSION__: JSON.stringify(version),
      __ESPALIER_BUILD__: JSON.stringify(buildName),
      __ESPALIER_WIRE__: JSON.stringify(wire),
    },
    sourcemap: 'linked',
    metafile: true,
    logLevel: 'warning',
  });
  metafiles.push(metafile);
  console.log(`${out.padEnd(16)} ${await kilobytes(outfile)}`);
  // A file that is written anew has lost its right to be run, and with it `npx espalier`.
  if (options.banner) await chmod(outfile, 0o755);
}

// What chat templates are rendered with. An image of Python after loading saves most of the time that loading takes; it is
// made once for what goes into it, and tests of the sources find it where it is made.
const jinja = 'server/tokenizer/jinja';
const pyodide = await import('pyodide');
if (!existsSync(imagePath(jinja, pyodide))) {
  for (const name of await readdir(jinja)) if (name.endsWith('.image.gz')) await rm(join(jinja, name));
  const { path, bytes } = await makeImage(jinja, pyodide);
  await writeFile(`${path}.${process.pid}`, gzipSync(bytes));
  await rename(`${path}.${process.pid}`, path);
}
await rm('dist/jinja', { recursive: true, force: true });
await cp(jinja, 'dist/jinja', { recursive: true });
console.log(`${'jinja image'.padEnd(16)} ${await kilobytes(imagePath(jinja, pyodide))}`);

// Also for a test, which compares what is in the bundles with what the notices say.
await writeFile('dist/metafiles.json', JSON.stringify(metafiles.map(({ outputs }) => ({ outputs }))));
await writeFile(join('dist', noticesFile), thirdPartyNotices(metafiles));

for (const { from, out } of copies) await copyFile(from, join('dist', out));
// What a person without a model can try everything on.
await cp('test/fixtures/stories260k', 'dist/demo/stories260k', { recursive: true });
await copyFile('media/demo/tinystories.txt', 'dist/demo/tinystories.txt');
