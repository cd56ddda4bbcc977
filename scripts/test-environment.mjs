// Where tests find their data, and the variables that they see.
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { root } from './setup.mjs';

export const dataFolder = resolve(root, process.env.ESPALIER_DATA ?? '../shared');
export const cacheFolder = resolve(root, process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier'));
export const modelsFolder = resolve(root, process.env.ESPALIER_MODELS ?? join(cacheFolder, 'models'));
/** Vulkan in software with shader-f16; scripts/lavapipe.mjs makes it. */
export const lavapipeIcd = process.env.ESPALIER_LAVAPIPE ?? join(cacheFolder, 'lavapipe/lvp_icd.json');
export const softwareGpu = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What the shell that started us happens to carry must not change a result: settings are ours or absent. */
export function testEnvironment({ long = false } = {}) {
  const surprising = /^(npm_|NODE_OPTIONS$|NODE_ENV$|ORT_|ESPALIER_|VITEST|VK_|OMP_|TZ$|LC_|LANG)/i;
  const kept = Object.entries(process.env).filter(([name]) => !surprising.test(name));
  return {
    ...Object.fromEntries(kept),
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ORT_DISABLE_TELEMETRY: '1',
    ESPALIER_DATA: dataFolder,
    ESPALIER_MODELS: modelsFolder,
    ESPALIER_CACHE: cacheFolder,
    ESPALIER_LAVAPIPE: lavapipeIcd,
    ...(existsSync(softwareGpu) ? { VK_ICD_FILENAMES: softwareGpu } : {}),
    ...(long ? { ESPALIER_LONG: '1' } : {}),
    // A Python with torch and transformers, to spare the long tests from making one.
    ...(long && process.env.ESPALIER_PYTHON ? { ESPALIER_PYTHON: process.env.ESPALIER_PYTHON } : {}),
  };
}
