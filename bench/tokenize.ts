// Tokens as transformers makes them, in the time that transformers takes: whole texts, lines one by one, and back to text.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openTokenizer } from '../server/tokenizer/tokenizer';
import { type Setting, takeTurns } from './setting';

const nLines = 2000;
const contests = ['open', 'text', 'lines', 'decode'] as const;

/** Both sides open the same folder and read the same text; the text goes in whole, as data for healing does. */
export async function benchTokenize(setting: Setting): Promise<void> {
  const file = join(setting.data, 'data/wikitext-2-raw/wiki.test.raw');
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n').slice(0, nLines);
  const tokenizer = await openTokenizer(setting.model);
  const ids = await tokenizer.encode(text, { addSpecialTokens: false });

  const ours = await takeTurns(setting.rounds, {
    open: () => openTokenizer(setting.model),
    text: () => tokenizer.encode(text, { addSpecialTokens: false }),
    lines: async () => {
      for (const line of lines) await tokenizer.encode(line, { addSpecialTokens: false });
    },
    decode: () => tokenizer.decode(ids, { skipSpecialTokens: false }),
  });
  const theirs = inPython(setting, file);
  if (theirs.nTokens !== ids.length) throw new Error(`${ids.length} tokens here, ${theirs.nTokens} in transformers`);
  for (const name of contests)
    console.log(
      `tokenize ${name}: ${ours[name].toFixed(1)} ms, transformers ${theirs[name].toFixed(1)} ms, ` +
        `ratio ${(theirs[name] / ours[name]).toFixed(2)}; ${ids.length} tokens`,
    );
}

function inPython(
  { python, model, rounds }: Setting,
  file: string,
): Record<(typeof contests)[number] | 'nTokens', number> {
  const args = ['-c', script, model, file, `${nLines}`, `${rounds}`];
  const env = { ...process.env, HF_HUB_OFFLINE: '1', TOKENIZERS_PARALLELISM: 'true' };
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8', env }));
}

const script = `
import json, sys, time
from transformers import AutoTokenizer

folder, file, n_lines, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
text = open(file, encoding="utf-8", newline="").read()
lines = text.split("\\n")[:n_lines]
tokenizer = AutoTokenizer.from_pretrained(folder)
encode = lambda it: tokenizer(it, add_special_tokens=False, verbose=False)["input_ids"]
ids = encode(text)


def least(work):
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * min(times[1:])


print(json.dumps({
    "nTokens": len(ids),
    "open": least(lambda: AutoTokenizer.from_pretrained(folder)),
    "text": least(lambda: encode(text)),
    "lines": least(lambda: [encode(line) for line in lines]),
    "decode": least(lambda: tokenizer.decode(ids)),
}))
`;
