// A forward pass with loss over 8 sequences of 512 tokens against PyTorch in f32, before and after ours in the same minutes.
import { forward } from '../server/execution/forward';
import { peers } from './peers';
import { type Setting, takeTurns, tokensPerSequence, withBenchModel } from './setting';

export async function benchForward(setting: Setting): Promise<void> {
  const before = torchTokensPerSecond(setting);
  let ours = 0;
  await withBenchModel(setting, async (model, sequences) => {
    const best = await takeTurns(setting.rounds, { forward: () => forward(model, sequences) });
    ours = (sequences.length * tokensPerSequence * 1000) / best.forward;
  });
  const torch = Math.max(before, torchTokensPerSecond(setting));
  console.log(
    `forward: ${ours.toFixed(0)} tokens/s with loss, PyTorch f32 ${torch.toFixed(0)} tokens/s, ratio ${(ours / torch).toFixed(3)} (best of ${setting.rounds}; PyTorch best of 2 rounds before and after)`,
  );
}

/** The best that the peers' own benchmark reports for 8 x 512 tokens with logits and loss. */
function torchTokensPerSecond(setting: Setting): number {
  const { forward: rows } = peers(setting, ['forward'], { repeat: 2 });
  const row = rows?.['float32 8x512 logits_and_loss'] as { tokens_per_second_best: number } | undefined;
  if (!row) throw new Error(`the peers' benchmark failed: ${JSON.stringify(rows)}`);
  return row.tokens_per_second_best;
}
