// Waiting for a state that no page shows: a file, a process, a line of a log.
export async function eventually<T>(
  what: string,
  look: () => T | null | undefined | false,
  limitMs = 60_000,
): Promise<T> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const seen = look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (Date.now() > endMs) throw new Error(`Waited ${limitMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
