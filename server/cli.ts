// espalier, the command line. It reads options, starts an engine for the heavy work, and shows what comes back. It never
// loads onnxruntime itself. Exit codes: 0 done, 2 a mistake the user can mend, 130 interrupted, 1 a defect of ours.
import { Command, CommanderError, Option } from 'commander';
import { checkStagedFile, writeStagedFile } from './checkpoint/stagedFile';
import { runInEngine } from './cli/engineProcess';
import {
  blocksOption,
  type ComputeFlags,
  computeOptions,
  type DropFlags,
  dropOptions,
  dtype,
  type MeasureFlags,
  measureOptions,
  type OutputFlags,
  positive,
  ratio,
  ridge,
  type SourceFlags,
  tokenSource,
  withComputeOptions,
  withDropOptions,
  withMeasureOptions,
  withOutputOptions,
  withPresets,
  withSourceOptions,
} from './cli/options';
import { addEvaluate } from './cli/evaluate';
import { addGraph } from './cli/graph';
import { addHeal } from './cli/heal';
import { addMerge } from './cli/merge';
import { progressView } from './cli/progress';
import { addReport } from './cli/report';
import {
  renderAnalysis,
  renderGeneration,
  renderModel,
  renderPerplexity,
  renderPrune,
  renderSparsify,
} from './cli/render';
import { addRun } from './cli/runRecipe';
import { addServe } from './cli/serve';
import { readReport, renderSuggestion, suggest } from './cli/suggest';
import { isUserError, UserError } from './errors';
import { isEmpty } from './shared/dropSets';
import type { BosMode, DropRule, Dtype } from './protocol/recipes';
import type { Recipe } from './recipes/kinds';
import type {
  AnalyzeReport,
  GenerateReport,
  InspectReport,
  PerplexityReport,
  PruneReport,
  Report,
  SparsifyReport,
} from './protocol/reports';
import { peakMemoryBytes } from './recipes/processMemory';

declare const __ESPALIER_VERSION__: string;

const analyzeWindows = 16;
const program = new Command('espalier')
  .description('Makes language models smaller and shows what it cost.')
  .version(__ESPALIER_VERSION__)
  .exitOverride()
  .configureOutput({
    outputError: (text, write) =>
      write(
        `${text
          .replace(/^error: /, 'espalier: ')
          .trimEnd()
          .replaceAll('\n', ' ')
          .replace(/[^.?)]$/, '$&.')}\n`,
      ),
  });

/** Runs a recipe, shows its report and writes it where --json says. */
async function carryOut<R extends Report>(
  recipe: Recipe,
  flags: OutputFlags,
  render: (report: R) => string,
  written: (report: R) => object = (report) => report,
): Promise<void> {
  if (flags.json) await checkStagedFile(flags.json, 'out' in recipe ? recipe.out : undefined);
  const view = progressView(flags.quiet, recipe.kind === 'generate' ? recipe.prompt : '');
  let report: R;
  try {
    report = await runInEngine<R>(recipe, view.onEvent);
  } finally {
    view.end();
  }
  if ('peakMemoryBytes' in report) report.peakMemoryBytes += peakMemoryBytes();
  if (!flags.quiet) console.log(render(report));
  if (flags.json) await writeStagedFile(flags.json, `${JSON.stringify(written(report), null, 1)}\n`);
}

withOutputOptions(program.command('inspect').argument('<model>', 'folder of a Hugging Face checkpoint'))
  .description('what a model is made of')
  .action((model: string, flags: OutputFlags) =>
    carryOut<InspectReport>({ kind: 'inspect', model }, flags, (report) => renderModel(report.model)),
  );

withComputeOptions(
  withMeasureOptions(withSourceOptions(program.command('analyze').argument('<model>'), { windows: analyzeWindows })),
)
  .description('how much each block matters: by every method from one forward pass, and by measured loss')
  .option('--methods <names>', 'comma-separated, all or none', 'all')
  .action((model: string, flags: ComputeFlags & SourceFlags & MeasureFlags & { methods: string }) =>
    carryOut<AnalyzeReport>(
      {
        kind: 'analyze',
        model,
        source: needSource(flags, analyzeWindows),
        methods: flags.methods.split(','),
        measure: measureOptions(flags),
        stay: false,
        compute: computeOptions(flags),
      },
      flags,
      renderAnalysis,
    ),
  );

withOutputOptions(program.command('suggest').argument('<report>', 'what analyze --json wrote'))
  .description('which blocks a method would drop')
  .requiredOption('--method <name>', 'a method of the report, removal or greedy where they were measured, or deepest')
  .requiredOption('--count <n>', 'how many blocks', positive)
  .addOption(blocksOption('--protect <blocks>', 'blocks that stay, such as 0,1,29'))
  .action(async (path: string, flags: OutputFlags & { method: string; count: number; protect: number[] }) => {
    if (flags.json) await checkStagedFile(flags.json);
    const suggestion = suggest(await readReport(path), rule(flags.method, flags.count, flags.protect));
    if (!flags.quiet) console.log(renderSuggestion(suggestion));
    if (flags.json) await writeStagedFile(flags.json, `${JSON.stringify(suggestion, null, 1)}\n`);
  });

interface PruneFlags extends ComputeFlags, SourceFlags, DropFlags {
  repair: 'none' | 'linear';
  ridge: number | 'auto';
  heldOut?: number;
  method?: string;
  count?: number;
  protect: number[];
  out: string;
  dtype?: Dtype;
  shardSize?: number;
  mergekit?: string;
}

withComputeOptions(
  withDropOptions(
    withSourceOptions(program.command('prune').argument('<model>'), { windows: analyzeWindows }),
    'blocks to drop',
  ),
)
  .description('write the model without some of its blocks, or halves of them')
  .requiredOption('--out <folder>', 'the folder to write; it must not exist yet')
  .option('--method <name>', 'let a method choose (with --count); removal, greedy or deepest, too')
  .option('--count <n>', 'how many blocks the method chooses', positive)
  .addOption(blocksOption('--protect <blocks>', 'blocks that the method must not choose'))
  .option('--dtype <name>', 'f32, f16 or bf16 (default: as the source)', dtype)
  .option('--shard-size <megabytes>', 'largest weight file', positive)
  .addOption(
    new Option('--repair <how>', 'make up for what goes by a map in the weights before it (needs --text)')
      .choices(['none', 'linear'])
      .default('none'),
  )
  .option('--ridge <r>', 'how strongly the map is held back; auto: as is best on windows held out', ridge, 'auto')
  .option(
    '--held-out <windows>',
    'windows behind the text used, to judge a repair on (default: half as many)',
    positive,
  )
  .option('--mergekit <file>', 'also write the drop set as a mergekit recipe')
  .action((model: string, flags: PruneFlags) =>
    carryOut<PruneReport>(
      {
        kind: 'prune',
        model,
        rule: pruneRule(flags),
        source: tokenSource(flags, analyzeWindows),
        repair:
          flags.repair === 'none'
            ? null
            : { kind: 'linear', ridge: flags.ridge, heldOutWindows: flags.heldOut ?? null },
        out: flags.out,
        dtype: flags.dtype ?? null,
        maxShardBytes: flags.shardSize === undefined ? null : flags.shardSize * 1e6,
        mergekit: flags.mergekit ?? null,
        compute: computeOptions(flags),
      },
      flags,
      renderPrune,
    ),
  );

interface SparsifyFlags extends ComputeFlags, SourceFlags {
  ratio: number;
  out: string;
  dtype?: Dtype;
  shardSize?: number;
}

withComputeOptions(withSourceOptions(program.command('sparsify').argument('<model>'), { windows: analyzeWindows }))
  .description('write the model with the smallest weights of every projection zeroed')
  .requiredOption('--ratio <share>', 'share of the weights of each matrix, such as 0.3', ratio)
  .requiredOption('--out <folder>', 'the folder to write; it must not exist yet')
  .option('--dtype <name>', 'f32, f16 or bf16 (default: as the source)', dtype)
  .option('--shard-size <megabytes>', 'largest weight file', positive)
  .action((model: string, flags: SparsifyFlags) =>
    carryOut<SparsifyReport>(
      {
        kind: 'sparsify',
        model,
        ratio: flags.ratio,
        source: tokenSource(flags, analyzeWindows),
        out: flags.out,
        dtype: flags.dtype ?? null,
        maxShardBytes: flags.shardSize === undefined ? null : flags.shardSize * 1e6,
        compute: computeOptions(flags),
      },
      flags,
      renderSparsify,
    ),
  );

withComputeOptions(
  withDropOptions(
    withPresets(withSourceOptions(program.command('perplexity').argument('<model...>'), { windows: null })),
    'blocks to leave out without writing a model',
  ),
)
  .description('loss and perplexity of models, whole or without blocks')
  .action((models: string[], flags: ComputeFlags & SourceFlags & DropFlags) =>
    carryOut<PerplexityReport>(
      {
        kind: 'perplexity',
        models,
        drop: dropOptions(flags),
        source: needSource(flags, null),
        compute: computeOptions(flags),
      },
      flags,
      renderPerplexity,
    ),
  );

withComputeOptions(withDropOptions(program.command('generate').argument('<model>'), 'blocks to leave out'))
  .description('greedy text from a prompt')
  .option('--prompt <text>', 'what to continue; empty: from the beginning-of-text token', '')
  .option('--max-tokens <n>', 'the most tokens to add', positive, 100)
  .option('--bos <mode>', 'none, each or tokenizer', 'tokenizer')
  .option('--no-cache', 'compute every token from the whole text, to check the cache')
  .action(
    (
      model: string,
      flags: ComputeFlags & DropFlags & { prompt: string; maxTokens: number; bos: BosMode; cache: boolean },
    ) => {
      const { prompt, maxTokens, bos, cache } = flags;
      const drop = dropOptions(flags);
      return carryOut<GenerateReport>(
        {
          kind: 'generate',
          model,
          prompt,
          maxTokens,
          drop,
          bos,
          cache,
          compute: computeOptions(flags),
        },
        flags,
        renderGeneration,
      );
    },
  );

addRun(program, carryOut);
addHeal(program, carryOut);
addEvaluate(program, carryOut);
addMerge(program, carryOut);
addReport(program);
addGraph(program);
addServe(program);

function needSource(flags: SourceFlags & ComputeFlags, defaultWindows: number | null) {
  const source = tokenSource(flags, defaultWindows);
  if (!source)
    throw new UserError('usage', 'A text is needed: add --text FILE (or --ids FILE with rows of token ids).');
  return source;
}

const rule = (method: string, count: number, kept: number[]): DropRule =>
  method === 'deepest'
    ? { kind: 'deepest', count, protected: kept }
    : { kind: 'method', method, count, protected: kept };

function pruneRule({ method, count, protect, ...flags }: PruneFlags): DropRule {
  const drop = dropOptions(flags);
  if (!isEmpty(drop) && !method && count === undefined) return { kind: 'chosen', ...drop };
  if (isEmpty(drop) && method && count !== undefined) return rule(method, count, protect);
  throw new UserError(
    'usage',
    'Say which blocks go: either --drop LIST (or --drop-attention, --drop-mlp), or --method NAME with --count N.',
  );
}

async function main(): Promise<number> {
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!isUserError(error)) {
      console.error(error);
      return 1;
    }
    console.error(`espalier: ${error.message}`);
    return error.code === 'cancelled' ? 130 : 2;
  }
}

// A reader that has seen enough (`espalier analyze ... | head`) is no failure; the report may still go to --json.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`espalier: The output cannot be written (${error.code}); use --json FILE, or another place.`);
  process.exit(2);
});

void main().then((code) => {
  process.exitCode = code;
});
