// How the command line asks for a recipe: its arguments, and a row for each option. What a row does not say follows from the
// schema of its field: the default and the choices.

export interface CommandLine {
  readonly summary: string;
  readonly arguments: readonly CommandArgument[];
  /** Options for the text that becomes `source`. */
  readonly text?: TextOptions;
  /** Options for what is left out of a model, with what is said of the blocks. They become `drop`, if there is such a field. */
  readonly drops?: string;
  /** Options for what is measured beside the scores, which become `measure`. */
  readonly measures?: true;
  readonly options: readonly CommandOption[];
}

export interface CommandArgument {
  /** As commander writes it: `<model>`, or `<model...>` for several. */
  readonly name: string;
  readonly field: string;
  readonly help?: string;
}

export interface TextOptions {
  /** How many sequences are cut where --sequences is not given; null: all. */
  readonly sequences: number | null;
  readonly needed: boolean;
  /** --preset, for the sequences of the literature's perplexities. */
  readonly presets?: true;
}

export interface CommandOption {
  /** As commander writes it: `--lr <rate>`. */
  readonly flags: string;
  readonly help: string;
  /** Where its value goes, such as `optimizer.learningRate`. Absent: cli/completions.ts says what becomes of it. */
  readonly field?: string;
  /** How its text is read; absent: as it stands. */
  readonly read?: Reading;
  readonly required?: true;
  /** Only where no field says it, or where this command has another. */
  readonly default?: string | number;
  /** Only where no field says it. */
  readonly choices?: readonly string[];
}

/** What the text of an option is read as, by cli/readings.ts. */
export type Reading =
  | 'positive'
  | 'natural'
  | 'amount'
  | 'amountOrNone'
  | 'fraction'
  | 'share'
  | 'ridge'
  | 'megabytes'
  | 'bytes'
  | 'parameters'
  | 'dtype'
  | 'names'
  | 'blocks'
  | 'adapterBlocks'
  | 'dropSets'
  | 'perModule'
  | 'itemRange';

/** Of commands that write a model folder. */
export const outputModelOptions: readonly CommandOption[] = [
  { flags: '--out <folder>', field: 'out', required: true, help: 'the folder to write; it must not exist yet' },
  { flags: '--dtype <name>', field: 'dtype', read: 'dtype', help: 'f32, f16 or bf16 (default: as the source)' },
  { flags: '--shard-size <megabytes>', field: 'maxShardBytes', read: 'megabytes', help: 'largest weight file' },
];

/** Of all commands whose recipe has `compute`. */
export const computeOptions: readonly CommandOption[] = [
  { flags: '--device <name>', field: 'compute.device', help: 'where to compute' },
  { flags: '--memory <mode>', field: 'compute.memory', help: 'weights all at once, or block by block' },
  {
    flags: '--weights <width>',
    field: 'compute.weights',
    help: 'bits that matrices are held in; arithmetic is float32',
  },
  {
    flags: '--memory-limit <megabytes>',
    field: 'compute.memoryLimitBytes',
    read: 'megabytes',
    help: 'the most memory to plan for (default: what is free)',
  },
  {
    flags: '--device-memory <megabytes>',
    field: 'compute.deviceMemoryBytes',
    read: 'megabytes',
    help: "the most of a graphics card's memory to plan for (default: what its driver says)",
  },
  {
    flags: '--threads <n>',
    field: 'compute.threads',
    read: 'positive',
    help: 'threads to compute with (default: all cores)',
  },
];
