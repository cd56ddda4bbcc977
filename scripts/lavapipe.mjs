// Mesa's lavapipe, a Vulkan device in software that has shader-f16, for tests of half precision: SwiftShader has none. The
// packages of Debian or Ubuntu are unpacked in the cache folder, beside the system's own Mesa, which stays as it is.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { quietly } from './commands.mjs';
import { cacheFolder, lavapipeIcd } from './test-environment.mjs';

const folder = dirname(lavapipeIcd);

/** Debian 12 has Mesa 22, which lacks shader-f16; later releases have one that suffices. */
const backports = { bookworm: 'bookworm-backports' };

/** As the other tools: what is missing and why. It needs no rights of root, only apt and a compiler. */
export async function lavapipe() {
  if (process.platform !== 'linux' || isWhole()) return [];
  mkdirSync(cacheFolder, { recursive: true });
  const unfinished = mkdtempSync(join(cacheFolder, '.lavapipe-'));
  try {
    const why = (await downloaded(unfinished)) ?? (await unpacked(unfinished)) ?? (await linked(unfinished));
    if (why) return [{ what: 'the Vulkan device lavapipe', why: `tests that need it are skipped: ${why}` }];
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    return [];
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

/** A cache that outlives the system may lack what that system had. */
function isWhole() {
  const library = join(folder, 'liblavapipe.so');
  return existsSync(library) && existsSync(lavapipeIcd) && !execFileSync('ldd', [library]).includes('not found');
}

/** Packages that the system has already are left out. Lists and archives of our own leave the system's sources alone. */
async function downloaded(place) {
  const at = (name) => join(place, name);
  for (const name of ['lists/partial', 'archives/partial']) mkdirSync(at(name), { recursive: true });
  const release = readFileSync('/etc/os-release', 'utf8');
  const suite = backports[/^VERSION_CODENAME=(\w+)/m.exec(release)?.[1]];
  const source = suite
    ? `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`
    : '';
  writeFileSync(at('sources.list'), source);
  const settings = [
    `Dir::Etc::SourceList=${at('sources.list')}`,
    `Dir::State::Lists=${at('lists')}`,
    `Dir::Cache=${place}`,
    `Dir::Cache::Archives=${at('archives')}`,
    'Debug::NoLocking=true',
    'APT::Sandbox::User=',
  ].flatMap((setting) => ['-o', setting]);
  const apt = (...args) => succeeded('apt-get', ['-q', ...settings, ...args]);
  if (!(await apt('update'))) return 'apt-get could not read the lists of packages';
  const install = [
    'install',
    '-y',
    '--no-install-recommends',
    '--reinstall',
    '--download-only',
    ...(suite ? ['-t', suite] : []),
  ];
  return (await apt(...install, 'mesa-vulkan-drivers')) ? null : 'apt-get could not download mesa-vulkan-drivers';
}

async function unpacked(place) {
  const archives = join(place, 'archives');
  for (const name of readdirSync(archives).filter((each) => each.endsWith('.deb')))
    if (!(await succeeded('dpkg-deb', ['-x', join(archives, name), join(place, 'root')])))
      return `dpkg-deb could not unpack ${name}`;
  for (const name of ['archives', 'lists']) rmSync(join(place, name), { recursive: true, force: true });
  return null;
}

/**
 * Drivers are opened by their path, and the libraries that they need by name, from the system's folders. An empty library
 * whose own search path (DT_RPATH, which counts for all that it brings along) is the unpacked folder opens both.
 */
async function linked(place) {
  const found = readdirSync(join(place, 'root'), { recursive: true }).find((name) => name.endsWith('libvulkan_lvp.so'));
  if (!found) return 'the packages hold no libvulkan_lvp.so';
  const libraries = join('root', found, '..');
  const made = join(place, 'liblavapipe.so');
  const path = `-Wl,--disable-new-dtags,-rpath,$ORIGIN/${libraries}`;
  const search = ['-L', join(place, libraries), '-Wl,--no-as-needed', '-l:libvulkan_lvp.so'];
  const lenient = '-Wl,--allow-shlib-undefined,--unresolved-symbols=ignore-all';
  if (!(await succeeded('g++', ['-shared', '-nostdlib', '-o', made, path, lenient, ...search])))
    return 'g++ could not link it';
  const icd = { library_path: join(folder, 'liblavapipe.so'), api_version: '1.3.0' };
  writeFileSync(join(place, 'lvp_icd.json'), JSON.stringify({ file_format_version: '1.0.0', ICD: icd }));
  return null;
}

/** Others are at work beside it, so its words are shown only where it failed. */
async function succeeded(command, args) {
  const { succeeded: isDone, said } = await quietly(command, args, {
    environment: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (!isDone) console.log(`${said}\nFailed: ${command} ${args.join(' ')}`);
  return isDone;
}
