// What was made of things lately, kept, so that the same thing is made once.

// Texts with the same beginning are cut into the same pieces, and at the end a piece or two are new.
const mostRemembered = 1 << 13;

/** `make`, which is asked only for what is not known. */
export function remembering<Item, Made>(
  make: (items: readonly Item[]) => Promise<Made[]>,
  keyOf: (item: Item) => string,
): (items: readonly Item[]) => Promise<Made[]> {
  const known = new Map<string, Made>();
  return async (items) => {
    const keys = items.map(keyOf);
    const missing = new Map<string, Item>();
    for (const [i, key] of keys.entries()) if (!known.has(key)) missing.set(key, items[i]!);
    const made = missing.size > 0 ? await make([...missing.values()]) : [];
    const fresh = new Map([...missing.keys()].map((key, i) => [key, made[i]!]));
    const result = keys.map((key) => fresh.get(key) ?? known.get(key)!);
    if (known.size + fresh.size > mostRemembered) known.clear();
    for (const [key, one] of fresh) known.set(key, one);
    return result;
  };
}
