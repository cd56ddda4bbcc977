// A forward pass with loss over 8 windows of 512 tokens against PyTorch in f32, before and after ours in the same minutes.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { forward } from '../server/walk/forward';
import { type Setting, takeTurns, tokensPerWindow, withBenchModel } from './setting';

export async function benchForward(setting: Setting): Promise<void> {
  const before = torchTokensPerSecond(setting);
  let ours = 0;
  await withBenchModel(setting, async (model, windows) => {
    const best = await takeTurns(setting.rounds, { forward: () => forward(model, windows) });
    ours = (windows.length * tokensPerWindow * 1000) / best.forward;
  });
  const torch = Math.max(before, torchTokensPerSecond(setting));
  console.log(
    `forward: ${ours.toFixed(0)} tokens/s with loss, PyTorch f32 ${torch.toFixed(0)} tokens/s, ratio ${(ours / torch).toFixed(3)} (best of ${setting.rounds}; PyTorch best of 2 rounds before and after)`,
  );
}

/** The best that the peers' own benchmark reports for 8 x 512 tokens with logits and loss. */
function torchTokensPerSecond({ data, python, model, threads }: Setting): number {
  const script = join(data, 'bench-peers/bench_peers.py');
  const out = execFileSync(
    python,
    [
      script,
      '--model',
      model,
      '--data',
      join(data, 'data'),
      '--only',
      'forward',
      '--repeat',
      '2',
      '--threads',
      `${threads}`,
    ],
    { encoding: 'utf8', env: { ...process.env, HF_HUB_OFFLINE: '1' } },
  );
  const result = JSON.parse(out.slice(out.indexOf('{')));
  const row = result['float32 8x512 logits_and_loss'];
  if (!row) throw new Error(`the peers' benchmark failed: ${out}`);
  return row.tokens_per_second_best;
}
