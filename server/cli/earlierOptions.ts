// Options under the names that they had before. They work as those of now; no help shows them.
import { type Command, Option } from 'commander';
import { earlierOptions } from '../shared/earlierNames';

/** To be called when the command has all its options. */
export function addEarlierOptions(command: Command): void {
  for (const [earlier, now] of Object.entries(earlierOptions)) {
    const option = command.options.find(({ long }) => long === now);
    if (!option) continue;
    const synonym = new Option(option.flags.replace(now, earlier)).hideHelp();
    if (option.parseArg) synonym.argParser(option.parseArg);
    synonym.attributeName = () => option.attributeName();
    command.addOption(synonym);
  }
}
