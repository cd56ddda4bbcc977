// Where --json writes a report: a file that appears complete or not at all, or standard output. What is for people then goes to
// standard error, so that a program can read the other.
import { checkStagedFile, writeStagedFile } from '../checkpoint/stagedFile';
import { withNamesOfBefore } from '../shared/earlierNames';
import { finiteJson } from '../shared/finite';
import { visible } from '../shared/visible';
import { type Output, stderr, stdout } from '../terminal';

/** @param place what --json was given */
export const isStandardOutput = (place: string | undefined): boolean =>
  place === '-' || place === '/dev/stdout' || place === '/dev/fd/1' || place === '/proc/self/fd/1';

/** Where what is for people goes. */
export const forPeople = (place: string | undefined): Output => (isStandardOutput(place) ? stderr : stdout);

/** The file that a report goes to; undefined where it goes to none. */
export const reportFile = (place: string | undefined): string | undefined =>
  place === undefined || isStandardOutput(place) ? undefined : place;

/** As `checkStagedFile`. */
export async function checkReport(place: string | undefined, made?: string): Promise<void> {
  const file = reportFile(place);
  if (file !== undefined) await checkStagedFile(file, made);
}

export async function writeReport(place: string | undefined, report: object): Promise<void> {
  if (place === undefined) return;
  // What a terminal would act on becomes its code in files, too, so that they can be looked at.
  const text = `${visible(finiteJson(withNamesOfBefore(report), 1))}\n`;
  if (!isStandardOutput(place)) return writeStagedFile(place, text);
  await new Promise<void>((done) => stdout.write(text, done));
}
