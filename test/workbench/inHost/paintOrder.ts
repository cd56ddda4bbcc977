// What goes into the extension host and what comes out of it: which panels to open, and when the bare one was painted.
export const pages = ['chooseBlocks', 'try', 'run', 'heal', 'evaluate'] as const;

export type Painted = (typeof pages)[number] | 'bare';

const variable = 'PAINT_ORDER';
export const paintOrder = {
  write: (order: readonly Painted[]): Record<string, string> => ({ [variable]: order.join() }),
  read: (environment: NodeJS.ProcessEnv): Painted[] => environment[variable]!.split(',') as Painted[],
};

const mark = 'bare painted ';
export const barePainted = {
  write: (ms: number): string => `${mark}${ms}`,
  read: (line: string): number | null => (line.includes(mark) ? Number(line.split(mark)[1]) : null),
};
