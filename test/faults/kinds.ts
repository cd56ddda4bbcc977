// The kinds of calls that are failed in turn, and what each can fail with. A new kind is a row.

/** `short` does half of what was asked and says so, as the system may at any time. */
export const failures = {
  open: ['EMFILE', 'EIO', 'EACCES'],
  create: ['ENOSPC', 'EMFILE', 'EACCES', 'EIO'],
  read: ['EIO', 'short'],
  write: ['ENOSPC', 'short', 'EIO', 'EDQUOT'],
  fsync: ['EIO', 'ENOSPC'],
  close: ['EIO', 'ENOSPC'],
  rename: ['EIO', 'ENOSPC', 'EACCES'],
  unlink: ['EIO', 'EACCES'],
  mkdir: ['ENOSPC', 'EACCES', 'EIO'],
  truncate: ['EIO', 'ENOSPC'],
  stat: ['EIO', 'EACCES'],
  list: ['EMFILE', 'EIO'],
  change: ['EIO', 'EACCES'],
  start: ['EAGAIN', 'EMFILE', 'ENOMEM'],
} as const satisfies Record<string, readonly string[]>;

export type CallKind = keyof typeof failures;
export const callKinds = Object.keys(failures) as CallKind[];

/** Another thing that a call may come to, in a process of its own: it is the last one. */
export const death = 'death';

/** What goes wrong: the n-th call of a kind, or of those of a kind on one file, counted from 0. */
export interface Fault {
  readonly kind: CallKind;
  readonly n: number;
  readonly how: string;
  /** How the path of the file ends. */
  readonly at?: string;
  /** Whether all later calls of the kind fail too, as on a disk that stays full. */
  readonly lasting?: boolean;
}
