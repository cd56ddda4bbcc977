// Rows of a table by a name that somebody else wrote.

/** undefined: the table has no such row. "constructor", which every object inherits, is none. */
export const rowOf = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;
