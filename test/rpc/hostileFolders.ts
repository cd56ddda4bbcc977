// Folders as nobody honest makes them. Each is made below a workspace where a good model lies beside it.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { stories } from './client';

export interface HostileFolder {
  readonly what: string;
  /** Makes `bad`, or something in its place, in the workspace. */
  make(workspace: string): void;
  /** What its sentence says; null: it looks like no model, and is passed over. */
  readonly says: RegExp | null;
}

const config = JSON.parse(readFileSync(join(stories, 'config.json'), 'utf8')) as Record<string, unknown>;
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

/** A copy of the good model, with something done to it. */
function copied(change: (bad: string) => void): HostileFolder['make'] {
  return (workspace) => {
    const bad = join(workspace, 'bad');
    cpSync(stories, bad, { recursive: true });
    change(bad);
  };
}

/** A copy with another thing in the place of a file. */
const inPlaceOf = (name: string, make: (path: string) => void) =>
  copied((bad) => {
    execFileSync('rm', ['-f', join(bad, name)]);
    make(join(bad, name));
  });
const withText = (name: string, text: string | Buffer) => inPlaceOf(name, (path) => writeFileSync(path, text));
const withConfig = (change: Record<string, unknown>) =>
  withText('config.json', JSON.stringify({ ...config, ...change }));
const fifo = (path: string) => execFileSync('mkfifo', [path]);
const folder = (path: string) => mkdirSync(path);
const linkTo = (target: string) => (path: string) => symlinkSync(target, path);
const sparse = (nBytes: number) => (path: string) => {
  writeFileSync(path, '');
  truncateSync(path, nBytes);
};
const socket = (path: string) => {
  const server = createServer().listen(path);
  server.unref();
};
const weights = 'model.safetensors';
const index = 'model.safetensors.index.json';

function withHeader(header: string | Buffer, data = Buffer.alloc(0)): HostileFolder['make'] {
  const bytes = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return withText(weights, Buffer.concat([length, bytes, data]));
}
const header = (tensors: Record<string, unknown>, nBytes = 8) =>
  withHeader(JSON.stringify(tensors), Buffer.alloc(nBytes));
const tensor = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const withIndex = (text: string) =>
  copied((bad) => {
    execFileSync('mv', [join(bad, weights), join(bad, 'model-00001-of-00001.safetensors')]);
    writeFileSync(join(bad, index), text);
  });
/** The weights begin as they are and go on for a terabyte. */
const endless = (path: string) => {
  cpSync(join(stories, weights), path);
  truncateSync(path, 2 ** 40);
};

const isRoot = process.getuid?.() === 0;

export const hostileFolders: readonly HostileFolder[] = [
  { what: 'config.json nested 5,000 deep', make: withText('config.json', nested(5000)), says: /nested more than/ },
  { what: 'config.json nested 1,000,000 deep', make: withText('config.json', nested(1e6)), says: /nested more than/ },
  {
    what: 'a field nested 90 deep',
    make: withText('config.json', `{"hidden_size":${nested(90)}}`),
    says: /config\.json/,
  },
  { what: 'config.json a list', make: withText('config.json', '[]'), says: /config\.json/ },
  { what: 'config.json a number', make: withText('config.json', '7'), says: /config\.json/ },
  { what: 'config.json null', make: withText('config.json', 'null'), says: /config\.json/ },
  { what: 'config.json a text', make: withText('config.json', '"llama"'), says: /config\.json/ },
  { what: 'config.json empty', make: withText('config.json', ''), says: /not valid JSON/ },
  { what: 'config.json cut', make: withText('config.json', '{"model_type":'), says: /not valid JSON/ },
  {
    what: 'config.json in other bytes than UTF-8',
    make: withText('config.json', Buffer.of(0xff, 0xfe, 0x7b, 0)),
    says: /not valid JSON/,
  },
  { what: 'config.json of 10 GB, sparse', make: inPlaceOf('config.json', sparse(1e10)), says: /no more than 4\.0 MB/ },
  { what: 'config.json a folder', make: inPlaceOf('config.json', folder), says: /no config\.json/ },
  { what: 'config.json a FIFO', make: inPlaceOf('config.json', fifo), says: /no config\.json/ },
  { what: 'config.json a socket', make: inPlaceOf('config.json', socket), says: /no config\.json/ },
  {
    what: 'config.json a link to nothing',
    make: inPlaceOf('config.json', linkTo('/nothing')),
    says: /link to|followed/,
  },
  {
    what: 'config.json a link to itself',
    make: inPlaceOf('config.json', linkTo('config.json')),
    says: /link to|followed/,
  },
  {
    what: 'config.json a link to a device',
    make: inPlaceOf('config.json', linkTo('/dev/zero')),
    says: /which is no file/,
  },
  {
    what: 'config.json a link to memory',
    make: inPlaceOf('config.json', linkTo('/proc/self/mem')),
    says: /outside the folders/,
  },
  {
    what: 'config.json that may not be read',
    make: copied((bad) => chmodSync(join(bad, 'config.json'), 0)),
    says: isRoot ? null : /EACCES/,
  },
  { what: 'a folder that may not be read', make: copied((bad) => chmodSync(bad, 0)), says: null },
  { what: 'a billion blocks', make: withConfig({ num_hidden_layers: 1e9 }), says: /./ },
  { what: '1e300 tokens', make: withConfig({ vocab_size: 1e300 }), says: /./ },
  { what: '1e9 heads', make: withConfig({ num_attention_heads: 1e9 }), says: /./ },
  { what: 'a negative width', make: withConfig({ hidden_size: -1 }), says: /./ },
  { what: 'a width of text', make: withConfig({ hidden_size: 'wide' }), says: /./ },
  {
    what: 'a million types of layers',
    make: withConfig({ layer_types: Array(100_000).fill('full_attention') }),
    says: /./,
  },
  { what: 'the family constructor', make: withConfig({ model_type: 'constructor' }), says: /./ },
  {
    what: 'the family __proto__',
    make: withText('config.json', JSON.stringify({ ...config, model_type: '__proto__' })),
    says: /./,
  },
  { what: 'weights a folder', make: inPlaceOf(weights, folder), says: /./ },
  { what: 'weights a FIFO', make: inPlaceOf(weights, fifo), says: /./ },
  { what: 'weights a socket', make: inPlaceOf(weights, socket), says: /./ },
  { what: 'weights a link to nothing', make: inPlaceOf(weights, linkTo('/nothing')), says: /./ },
  { what: 'weights a link to a device', make: inPlaceOf(weights, linkTo('/dev/zero')), says: /./ },
  { what: 'weights empty', make: withText(weights, ''), says: /fewer than the 8/ },
  { what: 'weights of 7 bytes', make: withText(weights, '1234567'), says: /fewer than the 8|text that begins/ },
  { what: 'weights of a terabyte, sparse', make: inPlaceOf(weights, sparse(2 ** 40)), says: /nothing but zeros/ },
  { what: 'weights that go on for a terabyte', make: inPlaceOf(weights, endless), says: /belong to no tensor/ },
  {
    what: 'a header of 2^63 bytes',
    make: withText(weights, Buffer.of(0, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d)),
    says: /not between 2 and/,
  },
  { what: 'a header of 95 MB', make: withHeader(`{"a":"${'x'.repeat(95e6)}"}`), says: /header of 95\.0 MB/ },
  { what: 'a header of 15 MB of brackets', make: withHeader(`{"a":${nested(7_500_000)}}`), says: /nested more than/ },
  {
    what: 'a header of 150,000 tensors',
    make: header(Object.fromEntries(Array.from({ length: 150_000 }, (_, i) => [`t${i}`, tensor(0, 0, [0])]))),
    says: /150000 tensors/,
  },
  { what: 'a header that is a list', make: withHeader('[]'), says: /does not begin with/ },
  { what: 'a header in other bytes than UTF-8', make: withHeader(Buffer.of(0x7b, 0xff, 0x7d)), says: /not UTF-8/ },
  {
    what: 'overlapping tensors',
    make: header({ a: tensor(0, 8), b: tensor(4, 8) }),
    says: /inside the tensor before it/,
  },
  { what: 'bytes that nobody owns', make: header({ a: tensor(4, 8) }), says: /no tensor owns/ },
  {
    what: 'negative offsets',
    make: header({ a: { dtype: 'F32', shape: [1], data_offsets: [-4, 0] } }),
    says: /data_offsets/,
  },
  { what: 'offsets beyond the end', make: header({ a: tensor(0, 4e9) }), says: /cut off/ },
  {
    what: 'a shape that overflows',
    make: header({ a: tensor(0, 8, [2 ** 52, 2 ** 52, 0]) }),
    says: /more than any file/,
  },
  { what: 'a shape of lists', make: header({ a: tensor(0, 8, [[1], [2]]) }), says: /shape/ },
  { what: 'a name twice', make: withHeader('{"a":{},"a":{}}'), says: /occurs twice/ },
  {
    what: 'a tensor named __proto__',
    make: withHeader('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', Buffer.alloc(8)),
    says: /./,
  },
  { what: 'an unknown dtype', make: header({ a: { ...tensor(0, 8), dtype: 'X9' } }), says: /does not know/ },
  { what: 'an index nested deep', make: withIndex(nested(5000)), says: /nested more than/ },
  {
    what: 'an index out of its folder',
    make: withIndex('{"metadata":{},"weight_map":{"a":"../good/model.safetensors"}}'),
    says: /plain name/,
  },
  {
    what: 'an index of 50,000 files',
    make: withIndex(
      JSON.stringify({
        metadata: {},
        weight_map: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`t${i}`, `${i}.safetensors`])),
      }),
    ),
    says: /names 50000 files/,
  },
  { what: 'an index without a map', make: withIndex('{}'), says: /no weight_map/ },
  { what: 'an index of 20 MB', make: withIndex(`{"a":"${'x'.repeat(2e7)}"}`), says: /no more than 16\.0 MB/ },
  {
    what: 'a pointer of Git LFS',
    make: withText(weights, 'version https://git-lfs.github.com/spec/v1\nsize 5\n'),
    says: /Git LFS/,
  },
  { what: 'espalier.json nested deep', make: withText('espalier.json', nested(5000)), says: /nested more than/ },
  { what: 'espalier.json a list', make: withText('espalier.json', '[]'), says: /espalier\.json/ },
  {
    what: 'espalier.json of 5 MB of steps',
    make: withText('espalier.json', JSON.stringify({ steps: Array(250_000).fill({ kind: 'prune' }) })),
    says: /no more than 4\.0 MB/,
  },
  { what: 'espalier.json a FIFO', make: inPlaceOf('espalier.json', fifo), says: null },
  { what: 'an adapter beside the model', make: withText('adapter_config.json', '{}'), says: /a model and an adapter/ },
  {
    what: 'a name with line ends and escapes',
    make: (at) => {
      copied((bad) => writeFileSync(join(bad, 'config.json'), ''))(at);
      execFileSync('mv', [join(at, 'bad'), join(at, 'b\n\x1b]52;c;\x07ad')]);
    },
    says: /not valid JSON/,
  },
  {
    what: 'a name of other bytes than UTF-8',
    make: (at) => {
      copied(() => {})(at);
      execFileSync('bash', ['-c', 'mv bad "$(printf "b\\xff\\xfead")"'], { cwd: at });
    },
    says: /no UTF-8/,
  },
  {
    what: 'a name of 255 bytes',
    make: (at) => {
      copied((bad) => writeFileSync(join(bad, 'config.json'), ''))(at);
      execFileSync('mv', [join(at, 'bad'), join(at, 'x'.repeat(255))]);
    },
    says: /not valid JSON/,
  },
  {
    what: '8,000 links to nothing',
    make: (at) => {
      mkdirSync(join(at, 'a'));
      for (let i = 0; i < 8000; i++) symlinkSync('/nothing', join(at, 'a', `${i}`));
    },
    says: null,
  },
  {
    what: '8,000 links to nothing in a model',
    make: copied((bad) => {
      for (let i = 0; i < 8000; i++) symlinkSync('nothing', join(bad, `${i}.safetensors`));
    }),
    says: /followed|link/,
  },
  { what: 'a tree 300 deep', make: (at) => execFileSync('mkdir', ['-p', join(at, 'a/'.repeat(300))]), says: null },
  {
    what: 'links in a circle',
    make: (at) => {
      symlinkSync(at, join(at, 'a1'));
      symlinkSync(join(at, 'a3'), join(at, 'a2'));
      symlinkSync(join(at, 'a2'), join(at, 'a3'));
    },
    says: null,
  },
  {
    what: 'links to the whole disk',
    make: (at) => {
      symlinkSync('/', join(at, 'a1'));
      symlinkSync('/proc', join(at, 'a2'));
      symlinkSync('/dev', join(at, 'a3'));
    },
    says: null,
  },
  {
    what: 'a repository of the cache without a snapshot',
    make: (at) => mkdirSync(join(at, 'models--a--b/snapshots'), { recursive: true }),
    says: /snapshot/,
  },
  {
    what: 'a repository whose refs/main is 200 MB',
    make: (at) => {
      mkdirSync(join(at, 'models--a--b/refs'), { recursive: true });
      sparse(2e8)(join(at, 'models--a--b/refs/main'));
      mkdirSync(join(at, 'models--a--b/snapshots'));
    },
    says: /./,
  },
  {
    what: 'a repository whose refs/main leads out',
    make: (at) => {
      mkdirSync(join(at, 'models--a--b/refs'), { recursive: true });
      writeFileSync(join(at, 'models--a--b/refs/main'), '../../good');
      mkdirSync(join(at, 'models--a--b/snapshots'));
    },
    says: /./,
  },
  {
    what: 'a repository whose snapshots are a link',
    make: (at) => {
      mkdirSync(join(at, 'models--a--b'));
      symlinkSync('/', join(at, 'models--a--b/snapshots'));
    },
    says: /./,
  },
];
