// Asks the compute server how it is, over a socket of its own, again and again while something else happens.
import { readFileSync } from 'node:fs';
import { connect } from '../rpc/client';

export interface StatusSamples {
  /** How long each answer took, once all have come. */
  end(): Promise<number[]>;
}

/** Does not wait for an answer before it asks again: a server that hangs for long shows as many late answers. */
export async function sampleStatus(lockFile: string, everyMs: number): Promise<StatusSamples> {
  const client = await connect(JSON.parse(readFileSync(lockFile, 'utf8')), []);
  const asked: Promise<number>[] = [];
  const ask = async () => {
    const began = performance.now();
    await client.request('server/status', {});
    return performance.now() - began;
  };
  const timer = setInterval(() => {
    const answered = ask();
    answered.catch(() => {}); // whoever ends this hears of it
    asked.push(answered);
  }, everyMs);
  return {
    async end() {
      clearInterval(timer);
      try {
        return await Promise.all(asked);
      } finally {
        await client.close();
      }
    },
  };
}
