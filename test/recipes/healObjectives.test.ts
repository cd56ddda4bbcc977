// What a healing may learn: text in order as PEFT does, what an original expects, and answers to instructions.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { available, dataFolder } from '../fixtures';
import { optimizerOf, readReference } from '../training/setting';
import { openHealings } from './healing';

const { root, pruned, orphan, place, heal } = openHealings();

const references = join(dataFolder, 'reference');
describe.skipIf(!available(references))("PEFT's runs on stories260K without block 3", () => {
  it.each(['lora-stories260k', 'lora-stories260k-cosine'])('%s: the same steps', async (name) => {
    const { settings, ...expected } = readReference(name);
    const { report } = await heal({
      data: {
        files: [join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw')],
        tokens: settings.length,
        order: 'sequential',
        heldOutFraction: 0,
      },
      adapter: { init: join(references, 'lora-stories260k-init') },
      optimizer: optimizerOf({ settings, ...expected }),
      loop: {
        steps: expected.steps.length,
        microBatchSequences: settings.rows,
        accumulate: settings.accumulate,
        heldOut: heldOutRows(settings),
      },
    });
    const off = (found: number, wanted: number) => Math.abs(found / wanted - 1);
    const worst = Math.max(
      off(report.pruned!.lossNats, expected.held_out_before),
      off(report.evals.at(-1)!.lossNats, expected.held_out_after),
      ...expected.steps.flatMap(({ loss, grad_norm }, s) => [
        off(report.steps[s]!.lossNats, loss),
        off(report.steps[s]!.gradNorm, grad_norm),
      ]),
    );
    console.log(`${name}: off by ${worst.toExponential(1)}`);
    expect(report.steps.map(({ learningRate }) => learningRate)).toEqual(
      expected.steps.map(({ lr }) => expect.closeTo(lr, 9)),
    );
    expect(worst).toBeLessThan(1e-4);
  });
});

/** The micro-batch that the reference holds out. */
const heldOutRows = ({ rows, length, held_out_micro_batch: m }: ReturnType<typeof readReference>['settings']) => ({
  kind: 'text' as const,
  files: [join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw')],
  field: null,
  sequences: rows,
  tokens: length,
  start: m * rows * length,
  bos: 'none' as const,
  sampling: 'consecutive' as const,
  seed: 0,
});

describe('distillation', () => {
  const objective = { kind: 'distillation', topK: 16, temperature: 2 } as const;

  it('brings the held-out loss down', async () => {
    const { report } = await heal({ objective, loop: { steps: 16 } });
    expect(report.objective).toEqual(objective);
    expect(report.healed!.lossNats).toBeLessThan(report.pruned!.lossNats - 0.02);
    expect(report.steps.at(-1)!.lossNats).toBeLessThan(report.steps[0]!.lossNats);
    console.log(
      `distilled: ${report.pruned!.lossNats} to ${report.healed!.lossNats} nats, dense ${report.dense!.lossNats}`,
    );
  });

  it('from the model itself has nothing to learn', async () => {
    const { report } = await heal({ objective, dense: pruned, loop: { steps: 2 } });
    for (const { lossNats } of report.steps) expect(Math.abs(lossNats)).toBeLessThan(1e-4);
  });

  it('without an original is refused, and nothing is left', async () => {
    const out = place();
    await expect(heal({ model: orphan, out, objective })).rejects.toThrow(/say where it is by --dense/);
    expect(existsSync(out)).toBe(false);
  });
});

it('instructions are learned through the chat template of the model', async () => {
  const model = join(root, 'chatty');
  cpSync(orphan, model, { recursive: true });
  const file = join(model, 'tokenizer_config.json');
  const known = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const chat_template = "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}";
  writeFileSync(file, JSON.stringify({ ...known, chat_template }));
  const rows = Array.from({ length: 12 }, (_, i) => ({
    instruction: `Say ${i} dogs.`,
    output: 'The dog ran home. '.repeat(1 + (i % 4)),
  }));
  const instructions = join(root, 'instructions.jsonl');
  writeFileSync(instructions, rows.map((row) => JSON.stringify(row)).join('\n'));
  const { report } = await heal({ model, data: { files: [instructions], heldOutFraction: 0.2 } });
  expect(report.data).toMatchObject({ format: 'instructions', nTrainingItems: 9, nHeldOutItems: 3 });
  expect(report.data.nCountedTokens).toBeLessThan(report.data.nTokens);
  expect(report.healed!.lossNats).toBeLessThan(report.pruned!.lossNats - 0.5);
});
