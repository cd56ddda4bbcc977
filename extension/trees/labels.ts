// Models, blocks and runs in words; pure.
import type { DropSet, FoundModel, MeasuredLoss, RunSummary } from '../../server/protocol';

/** `30 blocks, 269 MB`: decimal, as the Hub counts. */
export function modelDescription({ summary }: FoundModel): string {
  const removed = summary.prunedFrom?.removedBlocks.length ?? 0;
  const halves = summary.droppedSublayers.attention.length + summary.droppedSublayers.mlp.length;
  const without = [
    ...(removed > 0 ? [`without ${blockRanges(summary.prunedFrom!.removedBlocks)}`] : []),
    ...(halves > 0 ? [`${halves} ${halves === 1 ? 'half' : 'halves'} less`] : []),
  ];
  return [`${summary.nBlocks} blocks`, sizeOf(summary.sizeBytes), ...without].join(', ');
}

export const sizeOf = (bytes: number): string =>
  bytes >= 1e9
    ? `${(bytes / 1e9).toFixed(2)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toFixed(1)} MB`
      : `${Math.round(bytes / 1e3)} kB`;

/** `13–15, 17, 26`: inclusive, from 0. */
export function blockRanges(blocks: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last && last[1] === block - 1) last[1] = block;
    else runs.push([block, block]);
  }
  return runs.map(([first, end]) => (first === end ? `${first}` : `${first}–${end}`)).join(', ');
}

export const dropCount = ({ blocks, attention, mlp }: DropSet): string => {
  const halves = attention.length + mlp.length;
  const parts = [
    ...(blocks.length > 0 ? [`${blocks.length} ${blocks.length === 1 ? 'block' : 'blocks'}`] : []),
    ...(halves > 0 ? [`${halves} ${halves === 1 ? 'half' : 'halves'}`] : []),
  ];
  return parts.join(' and ') || 'nothing';
};

/** `+0.113`, with the real minus sign. */
export const signed = (nats: number): string => `${nats < 0 ? '−' : '+'}${Math.abs(nats).toFixed(3)}`;

/** Nine bars, by the logarithm of what leaving the block out costs, between 0.1 and 4 nats. */
export function barLevel({ costNats }: Pick<MeasuredLoss, 'costNats'>): number {
  const [least, most] = [0.1, 4];
  const share = Math.log(Math.max(costNats, least) / least) / Math.log(most / least);
  return Math.max(1, Math.min(9, 1 + Math.round(share * 8)));
}

/** What a run does or how it ended. */
export function runDescription(run: RunSummary): string {
  if (run.state === 'queued') return 'queued';
  if (run.state === 'running') return `${run.step} ${percent(run.fraction)}`;
  if (run.state === 'failed') return `failed: ${run.message}`;
  const { startedAtEpochMs: began, endedAtEpochMs: ended } = run;
  const took = began !== null && ended !== null ? `, ${duration((ended - began) / 1000)}` : '';
  return `${run.state}${took}`;
}

export const percent = (fraction: number): string => `${Math.floor(fraction * 100)} %`;

/** `3:32`, `1:02:05`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (n: number) => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** Seconds that are left if the rest takes as long as what is done; null where that cannot be said yet. */
export function secondsLeft(run: RunSummary, nowEpochMs: number): number | null {
  if (run.state !== 'running' || run.startedAtEpochMs === null || run.fraction < 0.02) return null;
  const spent = (nowEpochMs - run.startedAtEpochMs) / 1000;
  return (spent / run.fraction) * (1 - run.fraction);
}

/** `stories260k-pruned`, `stories260k-pruned-2`: the first that is free. */
export function freeName(base: string, taken: (name: string) => boolean): string {
  for (let n = 1; ; n++) {
    const name = `${base}-pruned${n === 1 ? '' : `-${n}`}`;
    if (!taken(name)) return name;
  }
}
