// PyTorch on the same card, by peer.py, where there is a Python that has it.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { JobName, KitPlaces, MeasuredJobs } from './jobs';
import type { KitShape } from './shapes';

type TokensPerSecond = Readonly<Record<JobName, number | { readonly missing: string }>>;

export type PeerFacts =
  /** Why nothing was measured. */
  | { readonly missing: string }
  | {
      readonly device: string;
      readonly name: string;
      readonly torch: string;
      readonly dtypes: Readonly<Record<string, TokensPerSecond | { readonly failed: string }>>;
    };

export function askPeer(
  { sequences, tokens, microBatch, healedTokens }: KitShape,
  { model, scratch }: KitPlaces,
  { plainTokens, nRequests }: MeasuredJobs,
  { python, device }: { readonly python: string; readonly device: string },
): PeerFacts {
  const setting = {
    ...{ model: resolve(model), device },
    analysis: { sequences, tokens },
    healing: { microBatch, tokens: healedTokens },
    scoring: { requests: nRequests, tokens: plainTokens },
  };
  const file = join(scratch, 'peer.json');
  writeFileSync(file, JSON.stringify(setting));
  const { status, error, stdout, stderr } = spawnSync(python, ['peer.py', file], { encoding: 'utf8' });
  if (error) return { missing: `${python} did not start (${error.message})` };
  if (status !== 0) return { missing: `${python} ended with ${status}: ${stderr.trim().split('\n').at(-1)}` };
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as PeerFacts;
}
