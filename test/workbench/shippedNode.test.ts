// The Node that the VSIX carries is newer than the one that tests run on, and has halves of its own (Float16Array).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { workbench } from '../../scripts/workbench-setup.mjs';
import type { WeightWidth } from '../../server/protocol/recipes';
import type { PerplexityReport } from '../../server/recipes/perplexity/recipe';
import { available, modelFolder, repoRoot } from '../fixtures';

describe.skipIf(!available(workbench.node))('on the Node that the VSIX carries', () => {
  const lossOf = (weights: WeightWidth) => {
    const text = ['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '2', '--tokens', '32'];
    const how = ['--device', 'cpu', '--weights', weights, '--json', '-', '--quiet'];
    const args = ['dist/espalier.cjs', 'perplexity', modelFolder('stories260k'), ...text, ...how];
    const report = execFileSync(workbench.node, args, { cwd: repoRoot, encoding: 'utf8' });
    return (JSON.parse(report) as PerplexityReport).models[0]!.lossNats;
  };

  it('matrices held as halves are computed with', () => {
    const float16Arrays = execFileSync(workbench.node, ['-p', 'typeof Float16Array'], { encoding: 'utf8' }).trim();
    expect(float16Arrays).toBe('function');
    expect(Math.abs(lossOf('f16') - lossOf('f32'))).toBeLessThan(1e-3);
  });
});
