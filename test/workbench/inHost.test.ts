// The in-host suite: a table of tests that runs inside the extension host of a real workbench, beside the packaged
// extension. Here the workbench is started, and every row is told how it went.
import { beforeAll, describe, expect, it } from 'vitest';
import { runInHost } from './hostSuite';
import { hostTests, resultOf, type HostResult } from './inHost/tests';
import { workbenchAvailable } from './vsix';

describe.skipIf(!workbenchAvailable())('inside the extension host', () => {
  const results = new Map<string, HostResult>();
  let said = '';

  beforeAll(async () => {
    const { lines } = await runInHost('test/workbench/inHost/suite.ts');
    for (const result of lines.map(resultOf.read)) if (result) results.set(result.name, result);
    said = lines.join('\n');
  }, 240_000);

  it.each(Object.keys(hostTests))('%s', (name) => {
    expect(results.get(name), said).toEqual({ name, error: null });
  });
});
