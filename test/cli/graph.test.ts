// espalier graph, as a person types it: a block of the bundled model as text, for Graphviz, and as a file of onnxruntime's.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, expect, it } from 'vitest';
import { modelFolder } from '../fixtures';
import { espalier } from './inProcess';

const root = mkdtempSync(join(tmpdir(), 'graph-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const graph = (...args: string[]) => espalier(['graph', modelFolder('stories260k'), '--block', '3', ...args]);

it('prints a block, forth and back', async () => {
  const { code, stdout } = await graph();
  expect(code).toBe(0);
  expect(stdout).toMatch(/^graph block\nhidden \[8, 64\] = input\n[\s\S]*Rotary[\s\S]*\nhiddenOut <- %\d+\n$/);
  const back = await graph('--backward');
  expect(back.stdout).toContain('hiddenOutGradient [8, 64] = input');
  expect(back.stdout).toContain('\ngradient of mlp.up_proj.weight <- %');
});

it('draws it for Graphviz', async () => {
  const { stdout } = await graph('--format', 'dot');
  expect(stdout).toMatch(/^digraph "block" \{\n/);
  expect(stdout).toContain('[label="hidden\\n[8, 64]", shape=box];');
  expect(stdout).toMatch(
    /"output hiddenOut" \[label="hiddenOut", shape=doublecircle\];\n {2}v\d+ -> "output hiddenOut";\n\}\n$/,
  );
});

it('writes it for onnxruntime, and says where a place is missing', async () => {
  const out = join(root, 'block.onnx');
  expect(await graph('--format', 'onnx', '--out', out)).toMatchObject({ code: 0, stdout: '' });
  const session = await InferenceSession.create(readFileSync(out));
  expect(session.outputNames).toEqual(['hiddenOut']);
  await session.release();
  expect(await graph('--format', 'onnx')).toMatchObject({
    code: 2,
    stderr: 'espalier: An .onnx file needs a place: add --out FILE.\n',
  });
  const missing = await espalier(['graph', modelFolder('stories260k'), '--block', '7']);
  expect(missing).toMatchObject({
    code: 2,
    stderr: 'espalier: There is no block 7; the model has blocks 0 to 4.\n',
  });
});
