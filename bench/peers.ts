// The Python tools' own benchmark, run beside ours.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Setting } from './setting';

/** Its results by section. Needs a Python with torch, transformers and whatever the sections ask for. */
export function peers(
  { data, python, model, threads }: Setting,
  sections: readonly string[],
  { repeat }: { repeat: number },
): Record<string, Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-peers-'));
  const out = join(folder, 'results.json');
  const script = join(data, 'bench-peers/bench_peers.py');
  const where = ['--model', model, '--data', join(data, 'data'), '--reference', join(data, 'reference'), '--out', out];
  const how = [
    '--only',
    sections.join(),
    '--repeat',
    `${repeat}`,
    '--slow-repeat',
    `${repeat}`,
    '--threads',
    `${threads}`,
  ];
  try {
    execFileSync(python, [script, ...where, ...how], {
      encoding: 'utf8',
      env: { ...process.env, HF_HUB_OFFLINE: '1' },
    });
    return JSON.parse(readFileSync(out, 'utf8')).sections;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One section with the model in bfloat16, whatever dtype the section is written for. */
export function peersInBfloat16(
  { data, python, model, threads }: Setting,
  section: string,
): Record<string, Record<string, unknown>> {
  const where = ['--model', model, '--data', join(data, 'data'), '--threads', `${threads}`];
  const args = ['-c', inBfloat16, join(data, 'bench-peers'), ...where, '--repeat', '1', '--section', section];
  const output = execFileSync(python, args, { encoding: 'utf8', env: { ...process.env, HF_HUB_OFFLINE: '1' } });
  const line = output.split('\n').find((each) => each.startsWith('RESULT '));
  if (line === undefined) throw new Error(`the peers' benchmark has no ${section}: ${output}`);
  return { [section]: JSON.parse(line.slice('RESULT '.length)) };
}

const inBfloat16 = `
import sys
sys.path.insert(0, sys.argv.pop(1))
import bench_peers
load = bench_peers.load
bench_peers.load = lambda a, dtype="": load(a, "bfloat16")
bench_peers.main()
`;

/** The least seconds of the row of a section whose name begins so. */
export function least(results: Record<string, Record<string, unknown>>, section: string, row: string): number {
  const found = Object.entries(results[section] ?? {}).find(([name]) => name.startsWith(row))?.[1] as
    | { min: number }
    | undefined;
  if (!found) throw new Error(`the peers' benchmark has no ${row}: ${JSON.stringify(results)}`);
  return found.min;
}
