// The loop that all windows share goes on whatever others wrote. The full sizes are in test/long.
import { expect, it } from 'vitest';
import { sizes } from './attacks';
import { attack, inWords } from './underAttack';

it('a server under all attacks at once answers within 200 ms', async () => {
  const found = await attack(sizes.small);
  console.log(inWords(found));
  expect(found.server.ownMs).toBeLessThanOrEqual(200);
});
