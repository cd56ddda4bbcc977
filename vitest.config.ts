import { readFileSync } from 'node:fs';
import { configDefaults, defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const long = process.env.ESPALIER_LONG === '1';

export default defineConfig({
  define: { __ESPALIER_VERSION__: JSON.stringify(version), __ESPALIER_BUILD__: JSON.stringify(`${version}+test`) },
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...(long ? [] : ['test/long/**'])],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // onnxruntime ends the whole process when something goes badly wrong: a process per file keeps the others alive.
    pool: 'forks',
    maxWorkers: 2,
  },
});
