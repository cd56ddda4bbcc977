// A command for every kind of recipe that is declared with one: its options are the rows of the declaration, and what they say
// goes into the fields that the rows name.
import { type Command, Option } from 'commander';
import { UserError } from '../errors';
import { type CommandLine, type CommandOption, computeOptions } from '../recipes/commandLine';
import { fieldFacts, withDefaults } from '../recipes/defaults';
import { type Kind, kinds, type Recipe } from '../recipes/kinds';
import type { RecipeKind } from '../recipes/recipeKind';
import { carryOut } from './carryOut';
import { completions } from './completions';
import { addEarlierOptions } from './earlierOptions';
import {
  type DropFlags,
  dropOptions,
  type MeasureFlags,
  measureOptions,
  type OutputFlags,
  type SourceFlags,
  tokenSource,
  withDropOptions,
  withMeasureOptions,
  withOutputOptions,
  withPresets,
  withSourceOptions,
} from './options';
import { natural, readings } from './readings';
import { written } from './renderers';

export function addRecipeCommands(program: Command): void {
  for (const kind of Object.keys(kinds) as Kind[]) {
    const declared: RecipeKind = kinds[kind];
    if (declared.command) addCommand(program, kind, declared, declared.command);
  }
}

function addCommand(program: Command, kind: Kind, declared: RecipeKind, line: CommandLine): void {
  const command = program.command(kind).description(line.summary);
  for (const { name, help } of line.arguments) command.argument(name, help);
  if (line.text) withSourceOptions(command, line.text);
  if (line.text?.presets) withPresets(command);
  if (line.drops) withDropOptions(command, line.drops);
  if (line.measures) withMeasureOptions(command);
  withOutputOptions(command);
  const rows = [...(hasField(declared, 'compute') ? computeOptions : []), ...line.options];
  const options = rows.map((row) => ({ row, option: optionOf(row, declared) }));
  for (const { option } of options) command.addOption(option);
  if (hasField(declared, 'compute')) command.option('--seed <n>', 'seed of everything random', natural, 0);
  addEarlierOptions(command);
  command.action(async (...given: unknown[]) => {
    const flags = command.opts<Flags>();
    const named = new Map(line.arguments.map(({ field }, i) => [field, given[i]]));
    for (const { row, option } of options) if (row.field) named.set(row.field, flags[option.attributeName()]);
    const recipe = withDefaults(declared.schema, { kind, ...nested(named), ...grouped(declared, line, flags) });
    const complete = completions[kind] as ((recipe: unknown, flags: Flags) => Recipe) | undefined;
    await carryOut(complete ? complete(recipe, flags) : (recipe as Recipe), flags, { written });
  });
}

/** All that a command may be given; which of it there is, its declaration says. */
type Flags = OutputFlags & SourceFlags & DropFlags & MeasureFlags & { seed: number } & Record<string, unknown>;

const hasField = ({ schema }: RecipeKind, field: string): boolean => Object.hasOwn(schema.shape, field);

export function optionOf(row: CommandOption, { schema }: RecipeKind): Option {
  const facts = row.field === undefined ? { default: undefined, choices: null } : fieldFacts(schema, row.field);
  const option = new Option(row.flags, row.help).makeOptionMandatory(row.required ?? false);
  const choices = row.choices ?? facts.choices;
  if (row.read) option.argParser(readings[row.read]);
  else if (choices) option.choices(choices);
  const value = row.default ?? facts.default;
  if (row.read === 'blocks') return option.default([], 'none');
  // What is switched on is off by default, and nobody needs to be told that a list is empty.
  if (value === undefined || value === false || (Array.isArray(value) && value.length === 0)) return option;
  return Array.isArray(value) ? option.default(value, JSON.stringify(value.join())) : option.default(value);
}

/** What groups of options make of their fields. */
function grouped(declared: RecipeKind, { text, drops, measures }: CommandLine, flags: Flags): object {
  const source = text && tokenSource(flags, text.sequences);
  if (text?.needed && !source)
    throw new UserError('usage', 'A text is needed: add --text FILE (or --ids FILE with rows of token ids).');
  return {
    ...(text && { source }),
    ...(drops && hasField(declared, 'drop') && { drop: dropOptions(flags) }),
    ...(measures && { measure: measureOptions(flags) }),
  };
}

/** `{ optimizer: { learningRate: 1 } }` of `optimizer.learningRate`; what is undefined is left out. */
function nested(fields: ReadonlyMap<string, unknown>): object {
  const root: Record<string, unknown> = {};
  for (const [field, value] of fields) {
    if (value === undefined) continue;
    const keys = field.split('.');
    const last = keys.pop()!;
    let at = root;
    for (const key of keys) at = (at[key] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return root;
}
