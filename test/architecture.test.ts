// Who may import whom, checked on the import statements of the source. The tables below are the ones of ARCHITECTURE.md;
// a new folder or package is a row here. Every rule is also tried on a planted violation, so none can pass unseen.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repoRoot } from './fixtures';

/** From top to bottom: a place may import every place in the rows beneath its own, and none of its own row. */
const compute = [
  ['engine', 'cli', 'makeShape', 'probe'],
  ['recipes'],
  ['publishing'],
  ['reporting'],
  ['analysis', 'pruning', 'training', 'evaluation', 'gguf', 'hub'],
  ['execution'],
  ['checkpoint', 'data', 'runtime'],
  ['model', 'tokenizer', 'devices'],
  ['graph'],
  ['onnx', 'child'],
  ['terminal'],
];

/** The server's process, which must always answer, knows the engine as a child process and not as code. */
const serving = [
  ['main', 'reader'],
  ['rpc'],
  ['language'],
  ['runs'],
  ['engineClient', 'readerClient', 'plan'],
  ['terminal'],
];

/** The faces; they know of the others only what lies everywhere. The command line starts engines and the server. */
const faces = [['extension'], ['webview']];

/** May be imported from everywhere: what two sides of a wire say to each other, and what they both know. */
const everywhere = ['shared', 'errors', 'protocol'];

/** How files are opened, removed and owned, by whatever works on a disk. */
const onDisk = ['files', ...everywhere];

const mayImport = new Map<string, readonly string[]>([
  ...downward(compute),
  ...downward(serving),
  ...faces.flat().map((face) => [face, everywhere] as const),
  // What stands for `auto` is planned before a recipe is carried out.
  ['engine', [...compute.slice(1).flat(), 'plan', ...onDisk]],
  ['cli', [...compute.slice(1).flat(), 'rpc', 'engineClient', ...onDisk]],
  // What a model is and what a run would take is read and planned with the engine's own words, though never computed.
  ['engineClient', ['checkpoint', 'child', 'terminal', ...onDisk]],
  ['readerClient', ['child', ...everywhere]],
  ['reader', ['rpc', 'plan', 'recipes', 'devices', 'child', ...onDisk]],
  ['plan', [...compute.slice(1).flat(), ...onDisk]],
  ['runs', ['engineClient', 'recipes', 'checkpoint', ...onDisk]],
  ['rpc', ['runs', 'plan', 'readerClient', 'recipes', ...onDisk]],
  ['files', everywhere],
  ['shared', ['errors', 'protocol']],
  ['errors', ['protocol']],
  ['protocol', []],
]);

/** A path that ends in / stands for all that lies under it. */
const packages: Record<string, readonly string[]> = {
  vscode: ['extension/'],
  'onnxruntime-node': ['server/runtime/'],
  'onnxruntime-common': ['server/runtime/'],
  ws: ['server/rpc/socket.ts', 'extension/socket.ts', 'bench/serverClient.ts'],
  'vscode-jsonrpc': ['webview/host.ts', 'server/rpc/', 'extension/socket.ts', 'extension/panels/'],
  'vscode-languageclient': ['extension/serverClient.ts', 'extension/connection.ts'],
  lit: ['webview/'],
  echarts: ['webview/components/chart.ts', 'server/reporting/chart.ts'],
  '@vscode/webview-ui-toolkit': ['webview/components/controls.ts'],
  tokenizers: ['server/tokenizer/library.ts'],
  pyodide: ['server/tokenizer/jinja/'],
  '@bufbuild/protobuf': ['server/onnx/', 'server/gguf/sentencePiece.ts'],
  '@huggingface/gguf': ['server/gguf/header.ts'],
  hyparquet: ['server/data/'],
  'hyparquet-compressors': ['server/data/'],
  'csv-parse': ['server/data/'],
  fzstd: ['server/data/compressed.ts'],
  commander: ['server/cli.ts', 'server/cli/', 'server/makeShape.ts'],
  'cli-progress': ['server/cli/'],
  yaml: ['server/pruning/', 'server/publishing/', 'server/gguf/modelCard.ts', 'server/recipes/'],
  zod: ['server/'],
  '@huggingface/hub': ['server/hub/commitFiles.ts'],
};

/** Their work is to answer: they load no onnxruntime, so that a run that blocks or dies cannot take them along. */
const neverLoadRuntime = ['server/main.ts', 'server/cli.ts'];

/** They take data and return data; disk, clock and network wait at the rim. */
const pure = ['graph', 'model', 'shared'];

/** What only a browser or only Node has; what both have, such as `URL`, is no matter. */
const globalsOfOneSide =
  /(?<![\w$.'`])(?:window|document|navigator|localStorage|HTMLElement|process|Buffer|__dirname|require)(?=[.[(])/g;

/** What strangers wrote is made visible in one place each. */
const onlyIn = [
  {
    place: 'server/terminal.ts',
    within: /^(server|extension)\//,
    uses: /\bprocess\.(?:stdout|stderr)\b|\bconsole\.\w+|\bprocess\[/g,
  },
  { place: 'server/hub/request.ts', within: /^(server|extension)\//, uses: /(?<![\w.])fetch\(|from 'node:https'/g },
  {
    place: 'extension/editorText.ts',
    within: /^extension\//,
    uses: /\bwindow\.(?:show(?:Error|Warning|Information)Message|showQuickPick|createOutputChannel)|\bnew (?:TreeItem|MarkdownString)\b|\bpanel\.title =/g,
  },
];

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Types are gone before anything runs: they count for the layers, not for what a process loads. */
  readonly typeOnly: boolean;
}

type Source = ReadonlyMap<string, string>;
type Rule = (imports: readonly Import[], files: ReadonlySet<string>, source: Source) => string[];

const rules: Record<string, Rule> = {
  'every file has a row in the table': (_, files) =>
    [...files].filter((file) => !mayImport.has(placeOf(file))).map((file) => `${file}: no row for ${placeOf(file)}`),

  'imports go down the table': (imports) =>
    imports
      .filter(isRelative)
      .filter((it) => {
        const [from, to] = [placeOf(it.file), placeOf(target(it))];
        return from !== to && !mayImport.get(from)?.includes(to);
      })
      .map(sentence),

  'folders make no cycle': (imports) => {
    const edges = imports.filter(isRelative).filter((it) => placeOf(it.file) !== placeOf(target(it)));
    const steps = edges.map((it) => ({ from: placeOf(it.file), to: placeOf(target(it)) }));
    return edges
      .filter((it) => reachedFrom(placeOf(target(it)), steps).has(placeOf(it.file)))
      .map((it) => `${sentence(it)}, and ${placeOf(target(it))} leads back to ${placeOf(it.file)}`);
  },

  'files make no circle': (imports, files) => {
    const edges = imports.filter(isRelative).flatMap((it) => {
      const to = fileOf(it, files);
      return to ? [{ it, from: it.file, to }] : [];
    });
    return edges
      .filter(({ from, to }) => reachedFrom(to, edges).has(from))
      .map(({ it }) => `${sentence(it)}, which leads back to it`);
  },

  'a package is used only where its row says': (imports) =>
    imports
      .filter((it) => !isRelative(it) && !isBuiltin(it.specifier))
      .filter(({ file, specifier }) => !packages[packageOf(specifier)]?.some((place) => liesIn(file, place)))
      .map(sentence),

  'graph/, model/ and shared/ reach nothing of Node': (imports, files) =>
    [...files]
      .filter((file) => pure.includes(placeOf(file)))
      .flatMap((file) => loadedFrom(file, imports, files))
      .filter(({ last }) => isBuiltin(last.specifier))
      .map(chain),

  'shared/ uses nothing that only Node or only a browser has': (imports, files, source) =>
    [...files]
      .filter((file) => placeOf(file) === 'shared')
      .flatMap((file) => [
        ...imports.filter((it) => it.file === file && !isRelative(it)).map(sentence),
        ...[...codeOf(source.get(file)!).matchAll(globalsOfOneSide)].map(([name]) => `${file} uses ${name}`),
      ]),

  'only one place writes to terminals, one to the parts of the editor, and one talks to the network': (
    _,
    files,
    source,
  ) =>
    onlyIn.flatMap(({ place, within, uses }) =>
      [...files]
        .filter((file) => file !== place && within.test(file))
        .flatMap((file) =>
          [...codeOf(source.get(file)!).matchAll(uses)].map(([use]) => `${file} uses ${use}, which is ${place}'s`),
        ),
    ),

  'the webview uses nothing of Node': (imports) =>
    imports.filter(({ file, specifier }) => placeOf(file) === 'webview' && isBuiltin(specifier)).map(sentence),

  'the server and the command line never load the runtime': (imports, files) =>
    neverLoadRuntime
      .filter((entry) => files.has(entry))
      .flatMap((entry) => loadedFrom(entry, imports, files))
      .filter(({ last }) => packageOf(last.specifier) === 'onnxruntime-node' || placeOf(target(last)) === 'runtime')
      .map(chain),

  'imports can be read from the source': (imports) =>
    imports
      .filter(({ specifier }) => specifier === unreadable)
      .map(({ file }) => `${file}: import() of a computed name`),
};

describe('the source keeps to the import table', () => {
  const source = readSource(['server', 'extension', 'webview']);
  const imports = importsOf(source);
  const files = new Set(source.keys());

  it('has source to read', () => {
    expect(files).toContain('server/protocol/recipes.ts');
    expect(imports.length).toBeGreaterThan(files.size / 2);
  });

  it.each(Object.entries(rules))('%s', (_, rule) => {
    expect(rule(imports, files, source)).toEqual([]);
  });

  it('has a table without cycles', () => {
    for (const [place, below] of mayImport)
      for (const other of below)
        expect(mayImport.get(other) ?? [], `${other}, which ${place} may import`).not.toContain(place);
  });
});

describe('planted violations are found', () => {
  type Planted = { rule: keyof typeof rules; files: Record<string, string>; finds: string[] };
  const planted: Planted[] = [
    {
      rule: 'every file has a row in the table',
      files: { 'server/helpers/dates.ts': '', 'server/surprise.ts': '' },
      finds: ['server/helpers/dates.ts: no row for helpers', 'server/surprise.ts: no row for surprise'],
    },
    {
      rule: 'imports go down the table',
      files: {
        'server/graph/value.ts': "import { llama } from '../model/llama';",
        'server/checkpoint/surgery.ts': "export { read } from '../data/textSource';",
        'server/execution/forward.ts':
          "import type { Report } from '../analysis/report';\nimport { run } from '../runtime/device';",
        'server/protocol/recipes.ts': "import { UserError } from '../errors';",
        'server/runs/queue.ts': "const { forward } = await import('../execution/forward');",
        'webview/main.ts':
          "import type { Recipe } from '../server/protocol/recipes';\nimport { dropSet } from '../server/pruning/dropSet';",
        'extension/extension.ts': "import { mount } from '../webview/main';",
        'server/onnx/model.ts': "import { repoRoot } from '../../test/fixtures';",
        'server/errors.ts': '',
      },
      finds: [
        "server/graph/value.ts imports '../model/llama'",
        "server/checkpoint/surgery.ts imports '../data/textSource'",
        "server/execution/forward.ts imports '../analysis/report'",
        "server/protocol/recipes.ts imports '../errors'",
        "server/runs/queue.ts imports '../execution/forward'",
        "webview/main.ts imports '../server/pruning/dropSet'",
        "extension/extension.ts imports '../webview/main'",
        "server/onnx/model.ts imports '../../test/fixtures'",
      ],
    },
    {
      rule: 'folders make no cycle',
      files: {
        'server/data/a.ts': "import type { B } from '../tokenizer/b';",
        'server/tokenizer/b.ts': "import { c } from '../model/c';",
        'server/model/c.ts': "import { d } from '../data/d';",
        'server/execution/w.ts': "import { c } from '../model/c';",
      },
      finds: [
        "server/data/a.ts imports '../tokenizer/b', and tokenizer leads back to data",
        "server/tokenizer/b.ts imports '../model/c', and model leads back to tokenizer",
        "server/model/c.ts imports '../data/d', and data leads back to model",
      ],
    },
    {
      rule: 'files make no circle',
      files: {
        'server/execution/a.ts': "import { b } from './b';",
        'server/execution/b.ts': "import type { C } from './c';",
        'server/execution/c.ts': "import { a } from './a';",
        'server/execution/d.ts': "import { a } from './a';",
      },
      finds: [
        "server/execution/a.ts imports './b', which leads back to it",
        "server/execution/b.ts imports './c', which leads back to it",
        "server/execution/c.ts imports './a', which leads back to it",
      ],
    },
    {
      rule: 'a package is used only where its row says',
      files: {
        'server/runtime/device.ts': "import { InferenceSession } from 'onnxruntime-node';",
        'server/execution/forward.ts': "import type { Tensor } from 'onnxruntime-node';",
        'server/rpc/socket.ts': "import { WebSocketServer } from 'ws';",
        'server/rpc/handlers.ts': "import { WebSocket } from 'ws';",
        'server/cli/table.ts': "import * as vscode from 'vscode';\nimport { Command } from 'commander';",
        'server/data/csv.ts': "import { parse } from 'csv-parse/sync';",
        'server/tokenizer/chat.ts': "import {\n  Tokenizer,\n} from 'tokenizers';",
        'server/recipes/prune.ts': "import 'left-pad';\nconst bar = require('cli-progress');",
        'server/onnx/model.ts': "import { BinaryReader } from '@bufbuild/protobuf/wire';",
      },
      finds: [
        "server/execution/forward.ts imports 'onnxruntime-node'",
        "server/rpc/handlers.ts imports 'ws'",
        "server/cli/table.ts imports 'vscode'",
        "server/tokenizer/chat.ts imports 'tokenizers'",
        "server/recipes/prune.ts imports 'left-pad'",
        "server/recipes/prune.ts imports 'cli-progress'",
      ],
    },
    {
      rule: 'graph/, model/ and shared/ reach nothing of Node',
      files: {
        'server/graph/value.ts': "import { readFile } from 'node:fs/promises';",
        'server/model/llama.ts': "import { wire } from '../onnx/wire';",
        'server/onnx/wire.ts': "import { hash } from 'crypto';",
        'server/shared/numbers.ts': "import { EOL } from 'node:os';",
        'server/data/text.ts': "import { readFile } from 'node:fs/promises';",
      },
      finds: [
        "server/graph/value.ts imports 'node:fs/promises'",
        "server/model/llama.ts imports '../onnx/wire'; server/onnx/wire.ts imports 'crypto'",
        "server/shared/numbers.ts imports 'node:os'",
      ],
    },
    {
      rule: 'shared/ uses nothing that only Node or only a browser has',
      files: {
        'server/shared/metrics.ts': "import { html } from 'lit';\n// a window. and a document.\nconst windows = [1];",
        'server/shared/numbers.ts': "const dark = window.matchMedia('(prefers-color-scheme: dark)');",
        'server/shared/dropSets.ts': 'const bytes = Buffer.from(text);',
        'server/data/text.ts': 'const bytes = Buffer.from(text);',
      },
      finds: [
        "server/shared/metrics.ts imports 'lit'",
        'server/shared/numbers.ts uses window',
        'server/shared/dropSets.ts uses Buffer',
      ],
    },
    {
      rule: 'only one place writes to terminals, one to the parts of the editor, and one talks to the network',
      files: {
        'server/cli/table.ts': "process.stdout.write('a');\nconsole.error('b');\n// console.log(c)",
        'server/terminal.ts': 'process.stdout.write(text);',
        'extension/commands.ts': 'void window.showErrorMessage(message);\nconst item = new TreeItem(name);',
        'extension/editorText.ts': 'window.showErrorMessage(visible(message));',
        'server/data/rows.ts': 'const rows = await fetch(url);\nprefetch(1); each.fetch(2);',
        'webview/main.ts': 'console.log(1);',
      },
      finds: [
        "server/cli/table.ts uses process.stdout, which is server/terminal.ts's",
        "server/cli/table.ts uses console.error, which is server/terminal.ts's",
        "server/data/rows.ts uses fetch(, which is server/hub/request.ts's",
        "extension/commands.ts uses window.showErrorMessage, which is extension/editorText.ts's",
        "extension/commands.ts uses new TreeItem, which is extension/editorText.ts's",
      ],
    },
    {
      rule: 'the webview uses nothing of Node',
      files: {
        'webview/charts/axis.ts': "import { join } from 'path';",
        'extension/extension.ts': "import 'node:path';",
      },
      finds: ["webview/charts/axis.ts imports 'path'"],
    },
    {
      rule: 'the server and the command line never load the runtime',
      files: {
        'server/cli.ts': "import { commands } from './cli/commands';\nimport type { Device } from './runtime/device';",
        'server/cli/commands.ts': "import { inspect } from '../recipes';",
        'server/recipes/index.ts': "export * from '../execution/forward';",
        'server/execution/forward.ts': "import { compile, type Device } from '../runtime/device';",
        'server/main.ts': "import { type Plan } from './engine';\nexport * as plan from './plan';",
        'server/plan.ts': "void import('onnxruntime-node');",
        'server/engine.ts': "import { compile } from './runtime/device';",
        'server/runtime/device.ts': '',
      },
      finds: [
        "server/main.ts imports './plan'; server/plan.ts imports 'onnxruntime-node'",
        "server/cli.ts imports './cli/commands'; server/cli/commands.ts imports '../recipes'; " +
          "server/recipes/index.ts imports '../execution/forward'; server/execution/forward.ts imports '../runtime/device'",
      ],
    },
    {
      rule: 'imports can be read from the source',
      files: {
        'server/recipes/heal.ts': 'const module = await import(name);\n// import(anything) in a comment is nothing',
      },
      finds: ['server/recipes/heal.ts: import() of a computed name'],
    },
  ];

  it('and an import by the name of a folder is one of every file so named', () => {
    const source = new Map([
      ['server/recipes/run.ts', `const { run } = await import(\`./\${kind}/\${kind}.ts\`);`],
      ['server/recipes/heal/heal.ts', ''],
      ['server/recipes/heal/trainer.ts', ''],
      ['server/recipes/merge/merge.ts', "import { compile } from '../../runtime/device';"],
      ['server/runtime/device.ts', ''],
      ['server/main.ts', "import { run } from './recipes/run';"],
    ]);
    const imports = importsOf(source);
    expect(imports.filter(({ file }) => file === 'server/recipes/run.ts').map(({ specifier }) => specifier)).toEqual([
      './heal/heal',
      './merge/merge',
    ]);
    const rule = rules['the server and the command line never load the runtime']!;
    expect(rule(imports, new Set(source.keys()), source)).toEqual([
      "server/main.ts imports './recipes/run'; server/recipes/run.ts imports './merge/merge'; " +
        "server/recipes/merge/merge.ts imports '../../runtime/device'",
    ]);
  });

  it.each(planted)('$rule', ({ rule, files, finds }) => {
    const source = new Map(Object.entries(files));
    expect(rules[rule]!(importsOf(source), new Set(source.keys()), source)).toEqual(finds);
  });

  it('and every rule has one', () => {
    expect(planted.map(({ rule }) => rule).sort()).toEqual(Object.keys(rules).sort());
  });

  it('and clean source is left in peace', () => {
    const source = new Map([
      ['server/cli.ts', "import { Command } from 'commander';\nimport { commands } from './cli/commands';"],
      ['server/cli/commands.ts', "import { UserError } from '../errors';\n// see import(x) and from 'vscode'"],
      ['server/errors.ts', "import type { Recipe } from './protocol/recipes';"],
      ['server/protocol/recipes.ts', ''],
      ['server/engine.ts', "import { fork } from 'node:child_process';\nimport { device } from './runtime/device';"],
      ['server/runtime/device.ts', "import ort from 'onnxruntime-node';\nimport { emit } from '../graph/emit';"],
      ['server/graph/emit.ts', "import { encode } from '../onnx/model';"],
      ['server/onnx/model.ts', ''],
    ]);
    const findings = Object.values(rules).flatMap((rule) => rule(importsOf(source), new Set(source.keys()), source));
    expect(findings).toEqual([]);
  });
});

// ---------------------------------------------------------------------------------------------- reading the source

const unreadable = '(computed)';

function readSource(folders: string[]): Map<string, string> {
  const paths = folders.flatMap((folder) =>
    readdirSync(join(repoRoot, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => posix.join(folder, path.replaceAll('\\', '/'))),
  );
  return new Map(paths.map((path) => [path, readFileSync(join(repoRoot, path), 'utf8')]));
}

/** What a formatted source says at the beginning of a line, and calls of import() and require() anywhere. */
function importsOf(source: ReadonlyMap<string, string>): Import[] {
  const named = String.raw`(?<names>[\w$]+(?:\s*,\s*)?)?(?:\*(?:\s*as\s+[\w$]+)?|(?<list>\{[^}'"]*\}))?`;
  const statement = new RegExp(
    String.raw`^(?:import|export)\s+(?<type>type\s+)?${named}\s*from\s*['"](?<from>[^'"]+)['"]`,
    'gm',
  );
  const sideEffect = /^import\s*['"](?<from>[^'"]+)['"]/gm;
  const call = /\b(?:import|require)\s*\(\s*(?:['"`](?<from>[^'"`]+)['"`]|(?=[^)\s]))/g;

  return [...source]
    .flatMap(([file, text]) => {
      const code = codeOf(text);
      return [statement, sideEffect, call].flatMap((pattern) =>
        [...code.matchAll(pattern)].map(({ groups = {} }) => {
          const listed =
            groups.list
              ?.slice(1, -1)
              .split(',')
              .map((name) => name.trim())
              .filter(Boolean) ?? [];
          const onlyTypes = !groups.names && listed.length > 0 && listed.every((name) => name.startsWith('type '));
          return { file, specifier: groups.from ?? unreadable, typeOnly: Boolean(groups.type) || onlyTypes };
        }),
      );
    })
    .flatMap((it) => (it.specifier.includes('${') ? ofEveryName(it, [...source.keys()]) : [it]));
}

/** An import of `./${kind}/${kind}.ts` is one of every file whose path is so formed. */
function ofEveryName(it: Import, files: readonly string[]): Import[] {
  const wanted = target(it).replace(/[.*+?()[\]\\^|]/g, '\\$&');
  const names = new Map<string, string>();
  const form = wanted.replace(/\$\{(\w+)\}/g, (_, name: string) => {
    if (names.has(name)) return `\\k<${name}>`;
    names.set(name, name);
    return `(?<${name}>\\w+)`;
  });
  const found = files.filter((file) => new RegExp(`^${form}\\.ts$`).test(file));
  if (!isRelative(it) || found.length === 0) return [{ ...it, specifier: unreadable }];
  return found.map((file) => ({ ...it, specifier: relativeTo(it.file, file) }));
}

function relativeTo(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to).replace(/\.ts$/, '');
  return path.startsWith('.') ? path : `./${path}`;
}

/** Without comments that have a line of their own. */
function codeOf(text: string): string {
  return text.replace(/^\s*(\/\/|\/?\*).*$/gm, '');
}

// ---------------------------------------------------------------------------------------------- places and ways

function downward(rows: readonly (readonly string[])[]): [string, readonly string[]][] {
  return rows.flatMap((row, i) =>
    row.map((place): [string, string[]] => [place, [...rows.slice(i + 1).flat(), ...onDisk]]),
  );
}

/** How recipes look is part of what goes over the wire, though each kind of them is declared beside what runs it. */
const declaration = /^server\/recipes\/(\w+\/(?:recipe|\w+Options)|recipeKind|kinds|commandLine)(\.ts)?$/;

/** A folder of server/, or a file that lies directly in it; server/cli.ts and server/cli/ are one place. */
function placeOf(path: string): string {
  const [top = '', next = ''] = path.split('/');
  if (declaration.test(path)) return 'protocol';
  return top === 'server' ? next.replace(/\.ts$/, '') : top;
}

function isRelative({ specifier }: Import): boolean {
  return specifier.startsWith('.');
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier);
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function liesIn(file: string, place: string): boolean {
  return place.endsWith('/') ? file.startsWith(place) : file === place;
}

/** The imported path without its ending. */
function target({ file, specifier }: Import): string {
  return posix.join(posix.dirname(file), specifier).replace(/\.[tj]s$/, '');
}

/** The imported file, if it is one of ours. */
function fileOf(it: Import, files: ReadonlySet<string>): string | undefined {
  return [`${target(it)}.ts`, `${target(it)}/index.ts`].find((path) => isRelative(it) && files.has(path));
}

/** `start` and all that steps lead to from it. */
type Steps = readonly { readonly from: string; readonly to: string }[];
const known = new WeakMap<Steps, Map<string, string[]>>();

/** Where the steps lead from each place; the same steps are asked for again and again. */
function nextOf(steps: Steps): Map<string, string[]> {
  const next = known.get(steps) ?? new Map<string, string[]>();
  if (!known.has(steps)) for (const { from, to } of steps) next.set(from, [...(next.get(from) ?? []), to]);
  known.set(steps, next);
  return next;
}

function reachedFrom(start: string, steps: Steps): Set<string> {
  const next = nextOf(steps);
  const reached = new Set([start]);
  for (const place of reached) for (const to of next.get(place) ?? []) reached.add(to);
  return reached;
}

interface Way {
  readonly steps: readonly Import[];
  readonly last: Import;
}

/** Every import that is carried out when `entry` is loaded, with the way that leads to it. */
function loadedFrom(entry: string, imports: readonly Import[], files: ReadonlySet<string>): Way[] {
  const ways: Way[] = [];
  const seen = new Set([entry]);
  const open = [{ file: entry, steps: [] as Import[] }];
  for (const { file, steps } of open) {
    for (const it of imports) {
      if (it.file !== file || it.typeOnly) continue;
      ways.push({ steps: [...steps, it], last: it });
      const next = fileOf(it, files);
      if (!next || seen.has(next)) continue;
      seen.add(next);
      open.push({ file: next, steps: [...steps, it] });
    }
  }
  return ways;
}

function sentence({ file, specifier }: Import): string {
  return `${file} imports '${specifier}'`;
}

function chain({ steps }: Way): string {
  return steps.map(sentence).join('; ');
}
