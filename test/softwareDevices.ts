// Vulkan drivers that compute without a graphics card, for VK_ICD_FILENAMES. SwiftShader comes with chromium and has no f16;
// scripts/lavapipe.mjs makes the other one, which has. For `describe.skipIf(!available(...))`.
import { homedir } from 'node:os';
import { join } from 'node:path';

export const swiftShaderDriver = '/usr/lib/chromium/vk_swiftshader_icd.json';

const cache = process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier');
export const lavapipeDriver = process.env.ESPALIER_LAVAPIPE ?? join(cache, 'lavapipe/lvp_icd.json');
