// A model of 3 billion parameters on a small machine: everything that is measured and pruned stays below a few gigabytes.
// The weights are random and made once, 6.4 GB, beside the other models.
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { ExportReport } from '../../server/recipes/export/recipe';
import type { HealReport } from '../../server/recipes/heal/recipe';
import type { PruneReport } from '../../server/recipes/prune/recipe';
import { childrenOf, type Ended, start } from '../cli/espalier';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';

const data = join(dataFolder, 'data');
const model = modelFolder('llama-3.2-3b-shape');
const wikitext = join(data, 'wikitext-2-raw/wiki.test.raw');
const config = join(data, 'configs/Llama-3.2-3B.config.json');
const tokenizer = join(data, 'tokenizers/llama3');

const minutes = 60_000;

describe.skipIf(process.platform !== 'linux' || ![wikitext, config, tokenizer].every(available))(
  'Llama-3.2-3B by shape',
  () => {
    // Beside the model, since the temporary folder may be in memory.
    let root: string;
    beforeAll(() => {
      if (!existsSync(model)) {
        const shape = ['--config', config, '--tokenizer', tokenizer, '--out', model];
        execFileSync(process.execPath, [join(repoRoot, 'dist/makeShape.cjs'), ...shape]);
      }
      root = mkdtempSync(join(dirname(model), '.scale-'));
    }, 10 * minutes);
    afterAll(() => rmSync(root, { recursive: true, force: true }));

    it('analyze --methods all stays below 3 GB', { timeout: 60 * minutes }, async () => {
      const cut = ['--text', wikitext, '--sequences', '4', '--tokens', '512'];
      const { report, peak, elapsedMs } = await watched<AnalyzeReport>([
        ...['analyze', model, '--methods', 'all', ...cut, '--memory', 'streaming'],
      ]);
      console.log(`analyze: ${summary(peak, report.peakMemoryBytes, elapsedMs)}`);
      expect(report.memory).toBe('streaming');
      expect(report.methods.blockInfluence!.scores).toHaveLength(28);
      // Random weights know nothing: about the logarithm of the vocabulary's size.
      expect(report.lossNats).toBeGreaterThan(11);
      expect(report.lossNats).toBeLessThan(14);
      expect(peak).toBeLessThan(3e9);
      saysWhatIsSeen(report.peakMemoryBytes, peak);
    });

    it('prune stays below 1 GB', { timeout: 30 * minutes }, async () => {
      const out = join(root, 'out');
      const { report, peak, elapsedMs } = await watched<PruneReport>(['prune', model, '--drop', '10-14', '--out', out]);
      console.log(`prune: ${summary(peak, report.peakMemoryBytes, elapsedMs)}`);
      expect(report.keptBlocks).toHaveLength(23);
      expect(report.sizeBytesAfter).toBe(2 * report.nParamsAfter);
      expect(peak).toBeLessThan(1e9);
      saysWhatIsSeen(report.peakMemoryBytes, peak);
    });

    it('export stays below 1 GB', { timeout: 30 * minutes }, async () => {
      const out = join(root, 'model.gguf');
      const { report, peak, elapsedMs } = await watched<ExportReport>([
        ...['export', model, '--gguf', 'q4_0', '--out', out],
      ]);
      console.log(`export: ${summary(peak, report.peakMemoryBytes, elapsedMs)}`);
      expect(statSync(out).size).toBe(report.sizeBytes);
      expect(report.storedAsHalves).toEqual([]);
      expect(peak).toBeLessThan(1e9);
      saysWhatIsSeen(report.peakMemoryBytes, peak);
    });

    it('one step of heal on 1 x 256 tokens stays below 5 GB', { timeout: 60 * minutes }, async () => {
      const step = ['--tokens', '256', '--micro-batch', '1', '--steps', '1', '--holdout', '0', '--memory', 'streaming'];
      const { report, peak, elapsedMs } = await watched<HealReport>([
        ...['heal', model, '--data', wikitext, '--order', 'sequential', ...step, '--out', join(root, 'adapter')],
      ]);
      console.log(`heal: ${summary(peak, report.peakMemoryBytes, elapsedMs)}, loss ${report.steps[0]!.lossNats}`);
      expect(report.memory).toBe('streaming');
      expect(report.adapter.blocks).toHaveLength(28);
      expect(report.steps[0]!.lossNats).toBeGreaterThan(11);
      expect(report.steps[0]!.lossNats).toBeLessThan(14);
      expect(report.steps[0]!.gradNorm).toBeGreaterThan(0);
      expect(peak).toBeLessThan(5e9);
      saysWhatIsSeen(report.peakMemoryBytes, peak);
    });

    /** Runs a command and samples the highest memory of all its processes; what each has held at most is summed. */
    async function watched<R>(args: string[]): Promise<{ report: R; peak: number; elapsedMs: number }> {
      const file = join(root, 'report.json');
      const began = performance.now();
      const started = start([...args, '--json', file]);
      const most = new Map<number, number>();
      const sample = (pid: number) => {
        const held = highWaterBytes(pid);
        if (held !== null) most.set(pid, held);
        for (const child of childrenOf(pid)) sample(child);
      };
      const timer = setInterval(() => sample(started.pid), 20);
      const { code, stderr }: Ended = await started.ended;
      clearInterval(timer);
      expect(code, stderr).toBe(0);
      expect(most.size).toBe(2);
      const peak = [...most.values()].reduce((sum, bytes) => sum + bytes, 0);
      return { report: JSON.parse(readFileSync(file, 'utf8')), peak, elapsedMs: performance.now() - began };
    }
  },
);

function highWaterBytes(pid: number): number | null {
  try {
    const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line && Number(line[1]) * 1024;
  } catch {
    return null; // it has just ended
  }
}

/** The report is made shortly before the end, so that little can come after it. */
function saysWhatIsSeen(reported: number, seen: number): void {
  expect(reported).toBeGreaterThan(0.95 * seen);
  expect(reported).toBeLessThan(1.05 * seen);
}

const summary = (peak: number, reported: number, elapsedMs: number) =>
  `peak of both processes ${(peak / 1e6).toFixed(0)} MB (reported ${(reported / 1e6).toFixed(0)} MB), ${(elapsedMs / 1000).toFixed(1)} s`;
