// `npm run kit [-- --out FILE]`: an archive that measures Espalier on a machine with a graphics card and nothing of ours: Node,
// onnxruntime for Linux on x64, the loader of Vulkan, our bundles, and PyTorch's side as a script. `./kit` there makes models of a
// shape and prints ratios.
import { chmod, cp, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { fetchedNode, gatherRuntime, gatherTokenizers, run, stop, targets } from './native-parts.mjs';
import { noticesFile } from './notices.mjs';
import { root } from './setup.mjs';

/** What may be handed over where uploads are limited. */
const mostBytes = 64 * 2 ** 20;

const bundles = ['espalier.cjs', 'engine.cjs', 'probe.cjs', 'reader.cjs', 'makeShape.cjs', 'kit.cjs', noticesFile];
/** The loader that finds the drivers of a card; machines for computing seldom have it. */
const vulkan = '/usr/lib/x86_64-linux-gnu/libvulkan.so.1';

/** Our loader of Vulkan only where the machine has none. */
const start = `#!/bin/sh
# Usage: ./kit --help
cd "$(dirname "$0")" || exit 1
if ! { ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null | grep -q 'libvulkan\\.so\\.1'; then
  export LD_LIBRARY_PATH="$PWD/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
exec node/bin/node dist/kit.cjs "$@"
`;

const { values } = parseArgs({ options: { out: { type: 'string' } } });
if (`${process.platform}-${process.arch}` !== 'linux-x64') stop('Kits are made on Linux on x64.');
if (!existsSync(vulkan)) stop(`There is no ${vulkan}; install the package libvulkan1.`);
const out = resolve(values.out ?? join(root, 'espalier-kit-linux-x64.tar.xz'));
const staging = await mkdtemp(join(tmpdir(), 'espalier-kit-'));
try {
  const kit = join(staging, 'espalier-kit');
  await gather(kit);
  await mkdir(dirname(out), { recursive: true });
  run('tar', ['-C', staging, '-cf', out, '-I', 'xz -3 -T0', basename(kit)]);
} finally {
  await rm(staging, { recursive: true, force: true });
}
const { size } = await stat(out);
if (size > mostBytes) stop(`${out} has ${(size / 2 ** 20).toFixed(1)} MiB, and ${mostBytes / 2 ** 20} are allowed.`);
console.log(`${basename(out)} ${(size / 2 ** 20).toFixed(1)} MiB`);

async function gather(kit) {
  const target = targets['linux-x64'];
  for (const name of bundles) await cp(join(root, 'dist', name), join(kit, 'dist', name));
  await cp(join(root, 'dist/demo'), join(kit, 'dist/demo'), { recursive: true });
  await cp(join(root, 'bench/kit/peer.py'), join(kit, 'peer.py'));
  const mmlu = 'mmlu/high_school_physics';
  await cp(join(root, 'test/fixtures/evaluation/data', mmlu), join(kit, 'tasks', mmlu), { recursive: true });
  await cp(join(root, 'test/fixtures/evaluation/NOTICE.txt'), join(kit, 'tasks/NOTICE.txt'));
  const node = await fetchedNode(target.node);
  await cp(node, join(kit, 'node/bin/node'));
  await cp(join(dirname(node), '../LICENSE'), join(kit, 'node/LICENSE'));
  await cp(vulkan, join(kit, 'lib/libvulkan.so.1'), { dereference: true });
  await cp('/usr/share/doc/libvulkan1/copyright', join(kit, 'lib/COPYRIGHT'));
  await gatherRuntime(kit, target);
  await gatherTokenizers(kit, target);
  for (const name of ['LICENSE', 'NOTICE']) await cp(join(root, name), join(kit, name));
  await writeFile(join(kit, 'kit'), start);
  await chmod(join(kit, 'kit'), 0o755);
}
