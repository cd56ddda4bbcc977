// The README and the pages of docs/ are kept true: every command in them runs, what the README shows is what is printed,
// every option that a page names exists, and every link leads somewhere.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { out, steps, words } from '../../scripts/demo-steps.mjs';
import { espalier as espalierProcess } from '../cli/espalier';
import { espalier } from '../cli/inProcess';
import { long, repoRoot } from '../fixtures';

const root = mkdtempSync(join(tmpdir(), 'docs-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A folder as a checkout has it, as far as the commands read from it. */
function folderFor(name: string): string {
  const folder = join(root, name.replaceAll('/', '-'));
  for (const place of [
    'test/fixtures/stories260k',
    'test/fixtures/recipes',
    'test/fixtures/evaluation/data',
    'media/demo',
  ])
    cpSync(join(repoRoot, place), join(folder, place), { recursive: true });
  return folder;
}

const jobs = readdirSync(join(repoRoot, 'docs')).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...jobs.map((name) => `docs/${name}`)];
const everyPage = [...pages, 'ARCHITECTURE.md', 'STYLE.md', 'CONTRIBUTING.md'].filter((page) =>
  existsSync(join(repoRoot, page)),
);
const textOf = (page: string) => readFileSync(join(repoRoot, page), 'utf8');

/** The fenced blocks of a language. */
function blocks(page: string, language: string): string[] {
  return [...textOf(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, body]) => body!,
  );
}

/** One command a line, continuation lines joined, comments cut off. */
function commands(page: string): string[] {
  return blocks(page, 'sh')
    .flatMap((body) => body.replace(/\\\n\s*/g, ' ').split('\n'))
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => line.split(' && '));
}

const npx = 'npx espalier ';

/** With few steps of training, and few sequences where a whole text is measured. The long tests run what is written. */
function shortened(command: string): string {
  if (long) return command;
  const whole = /^perplexity /.test(command) && !command.includes('--sequences');
  return `${command.replace(/--steps \d+/, '--steps 4')}${whole ? ' --sequences 4' : ''}`;
}

describe.each(pages.filter((page) => commands(page).length > 0))('the commands of %s', (page) => {
  let folder: string;
  beforeAll(() => {
    folder = folderFor(page);
  });

  // The README's as a person starts them; all others in this process.
  const run = page === 'README.md' ? espalierProcess : espalier;
  it.each(commands(page).filter((it) => it.startsWith(npx)))('%s', async (command) => {
    const { code, stderr } = await run(words(shortened(command.slice(npx.length))), folder);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('are ours or npm scripts that exist', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> };
    const known = ['npm ci', 'npm test', ...Object.keys(scripts).map((name) => `npm run ${name}`)];
    const unknown = commands(page)
      .filter((it) => !it.startsWith(npx))
      .filter((it) => !known.some((start) => it === start || it.startsWith(`${start} `)));
    expect(unknown).toEqual([]);
  });
});

describe('the README', () => {
  it('shows what the demo prints', async () => {
    const folder = folderFor('demo');
    mkdirSync(join(folder, out));
    let printed = '';
    for (const { question, command } of steps) {
      const { code, stdout } = await espalier(words(shortened(command)), folder);
      expect(code).toBe(0);
      printed += `# ${question}\n${stdout}`;
    }
    // The last digits of a loss depend on the processor's order of additions, and with them the columns' widths.
    const shape = (text: string) =>
      text
        .replace(/[\d.]+/g, '#')
        .replace(/[ \t]+/g, ' ')
        .trim();
    const shown = blocks('README.md', 'text')
      .join('\n')
      .split('\n')
      .filter((line) => line.trim() !== '');
    expect(shown.length).toBeGreaterThan(3);
    for (const line of shown) expect(shape(printed)).toContain(shape(line.replace(/ \.\.\.$/, '')));
  });
});

describe('every page', () => {
  let options: Set<string>;
  beforeAll(async () => {
    const help = async (...command: string[]) => (await espalier([...command, '--help'])).stdout;
    const names = [...(await help()).matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name]) => name!);
    expect(names).toContain('analyze');
    const all = await Promise.all(names.map((name) => help(name)));
    options = new Set(all.flatMap((text) => [...text.matchAll(/--[a-z][a-z0-9-]*/g)].map(([option]) => option)));
  });

  it.each(pages)('%s names only options that exist', (page) => {
    const named = [...textOf(page).matchAll(/(?<=[`\s])--[a-z][a-z0-9-]*/g)].map(([option]) => option);
    // Of npm run make-shape, npm run bench, a kit, and llama.cpp's llama-quantize.
    const ofBenchmarks = ['--python', '--before', '--model', '--rounds', '--shape', '--torch-device'];
    const others = ['--config', '--tokenizer', ...ofBenchmarks, '--prune-layers'];
    expect(named.filter((option) => !options.has(option) && !others.includes(option))).toEqual([]);
  });

  it('names only measurements that exist, and docs/performance.md all of them', () => {
    const [, table] = /^const benchmarks[^\n]*\n([\s\S]*?)^};/m.exec(textOf('bench/main.ts'))!;
    const known = [...table!.matchAll(/^ {2}(\w+): \{/gm)].map(([, name]) => name!);
    expect(known.length).toBeGreaterThan(10);
    const named = (page: string) =>
      [...textOf(page).matchAll(/npm run bench -- ((?:\w+ ?)+)/g)].flatMap(([, names]) => names!.trim().split(' '));
    for (const page of everyPage) expect(known, page).toEqual(expect.arrayContaining(named(page)));
    expect(named('docs/performance.md')).toEqual(expect.arrayContaining(known));
  });

  it.each(everyPage)('%s links to what is there', (page) => {
    const links = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!.split('#')[0]!);
    const broken = links.filter(
      (target) => target !== '' && !/^[a-z]+:/.test(target) && !existsSync(join(repoRoot, dirname(page), target)),
    );
    expect(broken).toEqual([]);
  });
});
