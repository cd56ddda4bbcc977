// The packages carry the notices of what others wrote: of every package in the bundles, by esbuild's own account, and of what is
// shipped as it is.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bundledFolders, type Metafile, noticesFile, thirdPartyNotices } from '../../scripts/notices.mjs';
import { long, repoRoot } from '../fixtures';

const read = (...path: string[]) => readFileSync(join(repoRoot, ...path), 'utf8');
if (!existsSync(join(repoRoot, 'dist', noticesFile)))
  throw new Error(`dist/${noticesFile} is missing; npm run build makes it`);
const notices = read('dist', noticesFile);
const metafiles: Metafile[] = JSON.parse(read('dist/metafiles.json'));
const factsOf = (folder: string): { name: string; version: string } => JSON.parse(read(folder, 'package.json'));

describe('third-party notices', () => {
  it('are of every package in a bundle', () => {
    const folders = bundledFolders(metafiles);
    expect(folders.length).toBeGreaterThan(35);
    const missing = folders.map(factsOf).filter(({ name, version }) => !notices.includes(`\n${name} ${version} `));
    expect(missing).toEqual([]);
  });

  it('know every package that a source map of a bundle names', () => {
    // Another account of what went in: the maps name their sources.
    const maps = readdirSync(join(repoRoot, 'dist')).filter((name) => name.endsWith('.map'));
    const sources = maps.flatMap((map): string[] => JSON.parse(read('dist', map)).sources);
    const named = sources.flatMap(
      (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1] ?? [],
    );
    const missing = [...new Set(named)].filter((name) => !notices.includes(`\n${name} `));
    expect(maps.length).toBeGreaterThan(5);
    expect(missing).toEqual([]);
  });

  it.each([
    'onnxruntime-node',
    'onnxruntime-common',
    'tokenizers',
    'pyodide',
    'jinja2',
    'MarkupSafe',
    '@vscode/codicons',
    'stories260K',
    'TinyStories',
  ])('are of %s, which is shipped as it is', (name) => expect(notices).toContain(`\n${name} `));

  it('have the words of each licence', () => {
    const sections = notices.split(/^={100}\n(.+)\n={100}$/m).slice(1);
    expect(sections.length / 2).toBeGreaterThan(45);
    const short = sections.filter((_, i) => i % 2 === 0).filter((_, i) => sections[2 * i + 1]!.trim().length < 300);
    expect(short).toEqual([]);
  });

  // npm takes half a minute to list 54 MB: in the long tests alone.
  if (long)
    it('are in the tarball', () => {
      const [{ files }] = JSON.parse(
        execFileSync('npm', ['pack', '--dry-run', '--json'], { cwd: repoRoot, encoding: 'utf8', stdio: 'pipe' }),
      ) as [{ files: { path: string }[] }];
      expect(files.map(({ path }) => path)).toContain(`dist/${noticesFile}`);
    });
});

describe('a package without the text of its licence', () => {
  const root = mkdtempSync(join(tmpdir(), 'notices-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('fails the build', () => {
    const folder = 'node_modules/left-pad';
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, 'package.json'), '{"name":"left-pad","version":"1.0.0","license":"MIT"}');
    const metafile = { outputs: { a: { inputs: { [`${folder}/index.js`]: { bytesInOutput: 1 } } } } };
    const made = () => thirdPartyNotices([metafile], root, []);
    expect(made).toThrow('No text of a licence was found for left-pad 1.0.0 (MIT); put it into licenses/');
    writeFileSync(join(root, folder, 'LICENSE'), 'You may.');
    expect(made()).toContain('left-pad 1.0.0 (MIT)');
    expect(made()).toContain('You may.');
  });
});
