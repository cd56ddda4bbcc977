import { readFileSync } from 'node:fs';
import { configDefaults, defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const long = process.env.ESPALIER_LONG === '1';
const workbench = 'test/workbench/**/*.test.ts';
// They take pictures for people; there is nothing in them to pass or fail unless somebody wants the pictures.
const pictures = process.env.ESPALIER_SCREENS ? [] : ['test/workbench/*creens.test.ts'];
const curves = process.env.ESPALIER_CURVES ? [] : ['test/webview/curves.test.ts'];

export default defineConfig({
  define: {
    __ESPALIER_VERSION__: JSON.stringify(version),
    __ESPALIER_BUILD__: JSON.stringify(`${version}+test`),
    __ESPALIER_WIRE__: JSON.stringify('test'),
  },
  test: {
    // Against tests that hang, not against slow machines: the longest takes about a minute on two quiet cores.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // What is waited for comes soon or never; one second, the default, is too little beside a busy processor.
    expect: { poll: { timeout: 60_000 } },
    // Tells what a file cost, for the table of `npm test`.
    setupFiles: ['test/measureCost.ts'],
    // onnxruntime ends the whole process when something goes badly wrong: a process per file keeps the others alive.
    pool: 'forks',
    projects: [
      {
        extends: true,
        test: {
          name: 'modules',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, workbench, ...(long ? [] : ['test/long/**']), ...curves],
          setupFiles: ['test/tensorsAlive.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'workbench',
          include: [workbench],
          exclude: [...configDefaults.exclude, ...pictures],
          // One at a time: a workbench is a browser, an editor and a server. `npm test` fills its waiting with tests of modules.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
