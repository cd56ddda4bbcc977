// The same as test/rpc/underAttack.test.ts at the sizes at which a server was kept busy for minutes.
import { expect, it } from 'vitest';
import { sizes } from '../rpc/attacks';
import { attack, inWords } from '../rpc/underAttack';

it('a server under all attacks at once answers within 200 ms', async () => {
  const found = await attack(sizes.full);
  console.log(inWords(found));
  expect(found.server.ownMs).toBeLessThanOrEqual(200);
});
