// Vulkan on Linux, as its loader finds drivers: manifests in JSON that name a library. Files are looked at, nothing is loaded.
// The order of folders is that of Khronos' "Loader and Driver Interface".
import { basename, dirname, isAbsolute, join } from 'node:path';
import type { VendorName } from './graphicsCards';
import type { System } from './system';

export interface VulkanDriver {
  readonly manifest: string;
  /** As the manifest names it. */
  readonly library: string;
  /** Where it is; null: it was not found. */
  readonly path: string | null;
}

export interface VulkanDrivers {
  /** The path of libvulkan.so.1; null: it was not found. */
  readonly loader: string | null;
  readonly drivers: readonly VulkanDriver[];
  /** The variable that names manifests, and those of them that are not there. */
  readonly named: { readonly variable: string; readonly missing: readonly string[] } | null;
}

export function findVulkanDrivers(system: System): VulkanDrivers {
  const { environment } = system;
  const variable = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES'].find((name) => environment[name]);
  const named = variable === undefined ? null : pathsIn(environment[variable]);
  const manifests = [...pathsIn(environment.VK_ADD_DRIVER_FILES), ...(named ?? foldersOf(system))].flatMap((path) =>
    path.endsWith('.json') ? [path] : jsonFilesIn(system, path),
  );
  return {
    loader: findLibrary(system, 'libvulkan.so.1'),
    drivers: [...new Set(manifests)].flatMap((manifest) => driverOf(system, manifest)),
    named: variable === undefined ? null : { variable, missing: named!.filter((path) => system.mark(path) === null) },
  };
}

const pathsIn = (list: string | undefined): string[] => (list ?? '').split(':').filter(Boolean);

const jsonFilesIn = (system: System, folder: string): string[] =>
  system
    .list(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => join(folder, name));

function foldersOf({ environment, home }: System): string[] {
  const { XDG_CONFIG_HOME, XDG_CONFIG_DIRS, XDG_DATA_HOME, XDG_DATA_DIRS } = environment;
  const parents = [
    XDG_CONFIG_HOME || join(home, '.config'),
    ...pathsIn(XDG_CONFIG_DIRS || '/etc/xdg'),
    '/etc',
    '/usr/local/etc',
    XDG_DATA_HOME || join(home, '.local/share'),
    ...pathsIn(XDG_DATA_DIRS || '/usr/local/share:/usr/share'),
  ];
  return parents.map((parent) => join(parent, 'vulkan/icd.d'));
}

/** Nothing where the file is no manifest, which the loader ignores, too. */
function driverOf(system: System, manifest: string): VulkanDriver[] {
  const library = libraryIn(system.read(manifest));
  if (library === null) return [];
  if (!library.includes('/')) return [{ manifest, library, path: findLibrary(system, library) }];
  const path = isAbsolute(library) ? library : join(dirname(manifest), library);
  return [{ manifest, library, path: system.mark(path) === null ? null : path }];
}

function libraryIn(text: string | null): string | null {
  try {
    const { ICD } = JSON.parse(text ?? '') as { ICD?: { library_path?: unknown } };
    return typeof ICD?.library_path === 'string' ? ICD.library_path : null;
  } catch {
    return null;
  }
}

/** What a driver's library drives. Mesa's `lavapipe` calls its device llvmpipe. */
const libraries: readonly { readonly name: RegExp; readonly drives: VendorName | string }[] = [
  { name: /vk_swiftshader/, drives: 'SwiftShader' },
  { name: /vulkan_lvp|lavapipe/, drives: 'llvmpipe' },
  { name: /(GLX|EGL)_nvidia|vulkan_nouveau/, drives: 'NVIDIA' },
  { name: /vulkan_radeon|amdvlk/, drives: 'AMD' },
  { name: /vulkan_intel/, drives: 'Intel' },
];

export const drivenBy = (library: string): string | null =>
  libraries.find(({ name }) => name.test(basename(library)))?.drives ?? null;

export const isSoftware = (drives: string | null): boolean => drives === 'SwiftShader' || drives === 'llvmpipe';

/** There are drivers, and all compute on the processor. */
export function computesInSoftware({ loader, drivers }: VulkanDrivers): boolean {
  const driven = drivers.filter(({ path }) => path !== null).map(({ library }) => drivenBy(library));
  return loader !== null && driven.length > 0 && driven.every(isSoftware);
}

/** As the system's linker: LD_LIBRARY_PATH, the cache of ldconfig, and the usual folders where there is no cache. */
export function findLibrary(system: System, name: string): string | null {
  const folders = pathsIn(system.environment.LD_LIBRARY_PATH);
  const cache = system.read('/etc/ld.so.cache');
  const escaped = name.replace(/[.+*]/g, '\\$&');
  const [, cached = null] = new RegExp(`(/[^\\0]*/${escaped})\\0`).exec(cache ?? '') ?? [];
  const usual = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];
  const places = [...folders.map((folder) => join(folder, name)), ...(cached ? [cached] : [])];
  if (cache === null) places.push(...usual.map((folder) => join(folder, name)));
  return places.find((place) => system.mark(place) !== null) ?? null;
}
