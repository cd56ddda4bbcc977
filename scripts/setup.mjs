// Everything between a fresh checkout and a working one: the packages of package-lock.json, then the build.
// Plain Node and no packages, since it runs before there are any.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function setUp() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) stop(`Espalier needs Node 20 or newer; this is ${process.version}.`);
  if (!packagesAreCurrent()) {
    console.log('Installing packages (npm ci) ...');
    // Without the variable onnxruntime-node fetches its CUDA libraries from the web. .npmrc says the same, but
    // npm has announced that it will stop passing on settings that it does not know.
    run('npm', ['ci', '--no-audit', '--no-fund'], { ONNXRUNTIME_NODE_INSTALL: 'skip' });
  }
  run(process.execPath, ['build.mjs']);
}

/** Runs a command in the checkout, its output in view; ends this process when it fails. */
export function run(command, args, environment = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...environment },
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (error) stop(`Could not start ${command}: ${error.message}`);
  if (status !== 0) stop(`Failed: ${[command, ...args].join(' ')}`, status ?? 1);
}

/**
 * npm leaves a copy of the lock file in node_modules when an install is complete. Contents are compared, not times,
 * because a checkout gives every file the time of the checkout. Optional packages may be for another platform.
 */
function packagesAreCurrent() {
  const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  let installed;
  try {
    installed = read('node_modules/.package-lock.json');
  } catch {
    return false;
  }
  return Object.entries(read('package-lock.json')).every(([path, wanted]) => {
    const found = installed[path];
    if (path === '' || (!found && wanted.optional)) return true;
    return found?.version === wanted.version && found?.integrity === wanted.integrity;
  });
}

function stop(message, status = 1) {
  console.error(message);
  process.exit(status);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp();
