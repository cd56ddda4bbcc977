// Tells, where somebody asks for it, what each test file cost: this process and the children that it has waited for. It is
// loaded before every test file (vitest.config.ts).
import { appendFileSync, readFileSync } from 'node:fs';
import { afterAll, expect } from 'vitest';

const file = process.env.ESPALIER_TEST_COSTS;
const beganMs = Date.now();

// Hooks run in reverse order at the end, so this one sees what the file's own have cost, too.
if (file)
  afterAll(() => {
    const cost = {
      file: expect.getState().testPath,
      seconds: (Date.now() - beganMs) / 1000,
      processorSeconds: processorSeconds(),
    };
    appendFileSync(file, `${JSON.stringify(cost)}\n`);
  });

/** Linux counts hundredths of a second: its own, and those of its children. */
function processorSeconds(): number {
  if (process.platform !== 'linux') {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)!.split(' ').map(Number);
  return fields.slice(11, 15).reduce((sum, n) => sum + n, 0) / 100;
}
