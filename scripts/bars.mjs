// Draws media/bars: how much a block matters, as bars in nine levels for the tree of models. Run it when the look changes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

// The orange of what was measured, as the panels have it, and the grey of what is left of the bar.
const themes = { light: { bar: '#b5651d', rest: '#d4d4d4' }, dark: { bar: '#d18616', rest: '#4a4a4a' } };

for (const [theme, { bar, rest }] of Object.entries(themes)) {
  const folder = join(root, 'media/bars', theme);
  mkdirSync(folder, { recursive: true });
  for (let level = 1; level <= 9; level++) {
    const width = (14 * level) / 9;
    writeFileSync(
      join(folder, `${level}.svg`),
      `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16"><rect x="1" y="6" width="14" height="4" rx="1" fill="${rest}"/><rect x="1" y="6" width="${width.toFixed(2)}" height="4" rx="1" fill="${bar}"/></svg>\n`,
    );
  }
}
