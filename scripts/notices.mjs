// The notices of what others wrote and the packages carry: of every package that a bundle took something from, by esbuild's
// metafiles, and of what is shipped as it is. A package without the text of its licence is an error, which fails the build.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const noticesFile = 'ThirdPartyNotices.txt';

/** What is shipped beside the bundles. `texts`: files of licences in this checkout; without them, those in `folder`. */
export const shipped = [
  { folder: 'node_modules/onnxruntime-node' },
  { folder: 'node_modules/onnxruntime-common' },
  { folder: 'node_modules/tokenizers' },
  { folder: 'node_modules/pyodide' },
  { folder: 'node_modules/@vscode/codicons' },
  { name: 'jinja2', version: '3.1.6', license: 'BSD-3-Clause', texts: ['server/tokenizer/jinja/jinja2-LICENSE.txt'] },
  {
    name: 'MarkupSafe',
    version: '3.0.4',
    license: 'BSD-3-Clause',
    texts: ['server/tokenizer/jinja/markupsafe/LICENSE.txt'],
  },
  {
    name: 'stories260K',
    license: 'MIT',
    texts: ['LICENSE', 'NOTICE.txt'].map((name) => `test/fixtures/stories260k/${name}`),
  },
  { name: "llama.cpp's converter", license: 'MIT', texts: ['licenses/llama.cpp/LICENSE.txt'] },
  { name: 'TinyStories', license: 'CDLA-Sharing-1.0', texts: ['media/demo/NOTICE.txt'] },
];

const fast = ['licenses/microsoft-fast/LICENSE.txt'];

/** Licences of packages that do not carry the text themselves. */
const textsOf = {
  'onnxruntime-node': ['licenses/onnxruntime/LICENSE.txt', 'licenses/onnxruntime/ThirdPartyNotices.txt'],
  'onnxruntime-common': ['licenses/onnxruntime/LICENSE.txt'],
  '@bufbuild/protobuf': ['Apache-2.0', 'BSD-3-Clause'].map((name) => `licenses/bufbuild-protobuf/${name}.txt`),
  'gearhash-jit': ['licenses/gearhash-jit/LICENSE.txt'],
  '@microsoft/fast-element': fast,
  '@microsoft/fast-foundation': fast,
  '@microsoft/fast-web-utilities': fast,
  pyodide: ['MPL-2.0', 'Python', 'libraries'].map((name) => `licenses/pyodide/${name}.txt`),
};

const isNotice = (name) => /^(licen[cs]e|copying|notice|third-?party-?notices?)([.-].*)?$/i.test(name);

/** The folders of packages of which something went into an output. */
export function bundledFolders(metafiles) {
  const inputs = metafiles.flatMap(({ outputs }) => Object.values(outputs).flatMap((it) => Object.entries(it.inputs)));
  const folders = inputs.flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? (packageFolder(path) ?? []) : []));
  return [...new Set(folders)].sort();
}

/** `node_modules/a/node_modules/@b/c` of a file in it; undefined for a file of ours. */
const packageFolder = (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];

/**
 * The notices of all bundles and of what is shipped as it is.
 * @param metafiles esbuild's, one for each bundle
 * @param root the checkout, in which all paths lie
 * @param beside what is shipped beside the bundles
 * @throws Error naming the packages without the text of a licence
 */
export function thirdPartyNotices(metafiles, root = '.', beside = shipped) {
  const bundled = bundledFolders(metafiles).map((folder) => ({ folder }));
  // Two copies of one version are one package.
  const all = [...beside, ...bundled.filter(({ folder }) => !beside.some((it) => it.folder === folder))];
  const found = new Map(all.map((it) => noticeOf(it, root)).map((notice) => [notice.title, notice]));
  const notices = [...found.values()].sort((a, b) => (a.title.toLowerCase() < b.title.toLowerCase() ? -1 : 1));
  const without = notices.filter(({ texts }) => texts.length === 0).map(({ title }) => title);
  if (without.length > 0)
    throw new Error(
      `No text of a licence was found for ${without.join(', ')}; put it into licenses/ and name it in scripts/notices.mjs.`,
    );
  const parts = notices.map(({ title, texts }) =>
    [`${'='.repeat(100)}\n${title}\n${'='.repeat(100)}`, ...texts].join('\n\n'),
  );
  return `Espalier contains software and data of others, under these terms.\n\n${parts.join('\n\n')}\n`;
}

function noticeOf({ folder, ...stated }, root) {
  const { name, version, license } = folder
    ? JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    : stated;
  const files = stated.texts ?? textsOf[name] ?? noticeFiles(join(root, folder)).map((file) => join(folder, file));
  const texts = files.filter((file) => existsSync(join(root, file))).map((file) => textOf(join(root, file)));
  return { title: [name, version, license && `(${license.replace(/^\(|\)$/g, '')})`].filter(Boolean).join(' '), texts };
}

/** In the package's folder, and in a folder of licences of what it contains itself. */
function noticeFiles(folder) {
  const within = (place, fits) =>
    existsSync(join(folder, place))
      ? readdirSync(join(folder, place), { withFileTypes: true })
          .filter((it) => it.isFile() && fits(it.name))
          .map(({ name }) => join(place, name))
          .sort()
      : [];
  return [...within('.', isNotice), ...within('licenses', () => true)];
}

const textOf = (file) => readFileSync(file, 'utf8').replaceAll('\r\n', '\n').trim();
