// How much memory of its own a graphics card has. WebGPU does not tell, so the drivers are asked.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** No more of a card's memory is planned for: the screen and other programs need some, and the runtime rounds up. */
const shareOfCard = 0.9;

let known: number | null | undefined;

/**
 * Bytes of the largest card that may be planned for; null where no card with memory of its own is known, such as one within
 * the processor, and where Vulkan was told to use a software adapter. Asked once.
 */
export function cardMemoryBytes(): number | null {
  if (known === undefined)
    known = isSoftware(process.env.VK_ICD_FILENAMES ?? '') ? null : largest([...amdCards(), ...nvidiaCards()]);
  return known;
}

/** The drivers that Vulkan is told to use are SwiftShader or Mesa's lavapipe, which compute on the processor. */
const isSoftware = (drivers: string) => /swiftshader|lvp_icd|lavapipe/.test(drivers);

const largest = (bytes: readonly number[]): number | null =>
  bytes.length === 0 ? null : Math.floor(shareOfCard * Math.max(...bytes));

/** The kernel writes it down for each of them. */
export function amdCards(folder = '/sys/class/drm'): number[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^card\d+$/.test(name))
      .flatMap((name) => bytesIn(join(folder, name, 'device/mem_info_vram_total')));
  } catch {
    return [];
  }
}

function bytesIn(file: string): number[] {
  try {
    return positive([Number(readFileSync(file, 'utf8'))]);
  } catch {
    return [];
  }
}

/** @param program what stands for nvidia-smi */
export function nvidiaCards(program = 'nvidia-smi'): number[] {
  try {
    const said = execFileSync(program, ['--query-gpu=memory.total', '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return positive(said.split('\n').map((mebibytes) => 2 ** 20 * Number.parseInt(mebibytes, 10)));
  } catch {
    return [];
  }
}

const positive = (numbers: readonly number[]) => numbers.filter((n) => Number.isFinite(n) && n > 0);
