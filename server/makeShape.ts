// npm run make-shape: a checkpoint with random weights in the shape of a real model, for benchmarks and tests of size.
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { writeRandomCheckpoint } from './checkpoint/randomCheckpoint';
import { isUserError, UserError } from './errors';
import { stderr, stdout } from './terminal';

interface Options {
  config: string;
  tokenizer?: string;
  out: string;
  seed: number;
  shardSize: number;
}

new Command('make-shape')
  .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
  .exitOverride()
  .description('Write a checkpoint with random weights in the shape that a config.json describes.')
  .requiredOption('--config <file>', 'config.json of a supported model')
  .option('--tokenizer <folder>', 'folder with tokenizer files to copy')
  .requiredOption('--out <folder>', 'where to write; must not exist or be empty')
  .option('--seed <number>', 'same seed, same bytes', wholeNumber, 0)
  .option('--shard-size <bytes>', 'largest weight file', wholeNumber, 2e9)
  .action(makeShape)
  .parseAsync()
  .catch((error: unknown) => {
    // commander has said it already; its own exit code for a mistake is 1, ours is 2 everywhere.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    stderr.message(isUserError(error) ? error.message : inspect(error));
    process.exitCode = isUserError(error) ? 2 : 1;
  });

async function makeShape({ config, tokenizer, out, seed, shardSize }: Options) {
  const startMs = Date.now();
  const nBytes = await writeRandomCheckpoint({
    configJson: await readJson(config),
    tokenizerFolder: tokenizer ?? null,
    out,
    seed,
    maxShardBytes: shardSize,
  });
  stdout.message(
    `${out}: ${(nBytes / 1e9).toFixed(3)} GB of weights in ${((Date.now() - startMs) / 1000).toFixed(1)} s`,
  );
}

async function readJson(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UserError('notFound', `Cannot read ${file}: ${error.code}.`);
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new UserError('notFound', `${file} is not valid JSON; give a model's config.json.`);
  }
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError('It must be a whole number.');
}
