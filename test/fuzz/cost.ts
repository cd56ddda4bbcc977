// What a piece of work cost: the processor's time, since machines are seldom quiet, and the memory beyond all that was before.

export interface Cost {
  readonly seconds: number;
  /** 0 where the process was larger at some time before: its peak is all that is known. */
  readonly grownBytes: number;
}

export async function costOf<T>(work: () => Promise<T>): Promise<Cost & { result: T }> {
  const cpuBefore = process.cpuUsage();
  const residentBefore = process.memoryUsage.rss();
  const mostBefore = process.resourceUsage().maxRSS;
  const result = await work();
  const { user, system } = process.cpuUsage(cpuBefore);
  const most = process.resourceUsage().maxRSS;
  const grownBytes = most > mostBefore ? Math.max(0, most * 1024 - residentBefore) : 0;
  return { result, seconds: (user + system) / 1e6, grownBytes };
}
