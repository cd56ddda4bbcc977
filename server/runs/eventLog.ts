// The log of a run, events.jsonl: an event a line, each with a checksum. A damaged line takes nothing with it but itself: the
// others stay under their numbers, and an event behind them says what is missing. No number is given twice.
import { appendFileSync, closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { setImmediate as turn } from 'node:timers/promises';
import { sealed, unsealed } from '../checkpoint/sealed';
import type { RunEvent } from '../protocol/server';
import { isMissing, isNoFile } from '../shared/systemErrors';
import type { Given } from './eventNumbers';
import { replaceText, withPath } from '../files/replaceText';

/** Throws what the system says, and leaves the log as it was: the number of the event is free again. */
export function appendEvent(path: string, event: RunEvent): void {
  const sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  try {
    appendFileSync(path, `${lineOf(event)}\n`, { mode: 0o600 });
  } catch (error) {
    // A full disk takes half of a line, and closing may fail behind a whole one. What takes no new file lets one be cut.
    try {
      truncateSync(path, sizeBytes);
    } catch {}
    throw withPath(error, path);
  }
}

/**
 * The events of a log, which is mended where it is damaged.
 * @throws what the system says where it does not give the log: one that is taken for empty would be begun anew
 */
export function readEvents(path: string, given: Given): RunEvent[] {
  const reading = readLines(path);
  for (;;) {
    const { done, value } = reading.next();
    if (done) return mended(path, given, value);
  }
}

/** As `readEvents`, and gives way to other work all the while. `isWanted` says at the end whether the log is still as it was. */
export async function readEventsInTurns(
  path: string,
  given: Given,
  isWanted: () => boolean,
): Promise<RunEvent[] | null> {
  const reading = readLines(path);
  for (;;) {
    await turn();
    const { done, value } = reading.next();
    if (done) return isWanted() ? mended(path, given, value) : null;
  }
}

function mended(path: string, { last: lastSeq, perhaps }: Given, log: Log): RunEvent[] {
  const { events, lines, nDamaged, nRepeated } = log;
  const lost = lostNumbers(log, lastSeq);
  const sentences = [
    ...(nDamaged > 0 || nRepeated > 0 || lost.from <= lost.last ? [lossSentence(log, lost)] : []),
    ...(perhaps > lost.last ? [goneSentence(lost.last)] : []),
  ];
  const isWhole = sentences.length === 0;
  if (isWhole && log.isEnded) return events;
  if (!isWhole) {
    const event = { kind: 'warning', text: sentences.join(' ') } as const;
    const said: RunEvent = { seq: Math.max(lost.last, perhaps) + 1, atEpochMs: Date.now(), event };
    events.push(said);
    lines.push(lineOf(said));
  }
  try {
    replaceLines(path, lines);
  } catch {} // such as a folder in its place; what is known is told all the same
  return events;
}

/** The events of a log that another server writes, as far as it has been read: up to a byte behind a line. */
export interface LogTail {
  readonly events: RunEvent[];
  nBytes: number;
}

/** Reads what has been added to a log, and writes nothing. Returns the new events. */
export function readFurther(path: string, tail: LogTail): RunEvent[] {
  const { from, bytes } = bytesBehind(path, tail.nBytes);
  const nWhole = bytes.lastIndexOf(lineEnd) + 1;
  tail.nBytes = from + nWhole;
  let newest = tail.events.at(-1)?.seq ?? 0;
  const added = bytes
    .toString('utf8', 0, nWhole)
    .split('\n')
    .flatMap((line) => {
      const event = unsealed(line) as RunEvent | null;
      if (!event || !Number.isInteger(event.seq) || event.seq <= newest) return [];
      newest = event.seq;
      return [event];
    });
  for (const event of added) tail.events.push(event);
  return added;
}

const lineEnd = 10;

/** A log that was mended may be shorter than it was: then it is read from its begin. */
function bytesBehind(path: string, at: number): { from: number; bytes: Buffer } {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error) || isNoFile(error)) return { from: 0, bytes: Buffer.alloc(0) };
    throw withPath(error, path);
  }
  try {
    const { size } = fstatSync(file);
    const from = size < at ? 0 : at;
    const bytes = Buffer.alloc(size - from);
    return { from, bytes: bytes.subarray(0, readSync(file, bytes, 0, bytes.length, from)) };
  } finally {
    closeSync(file);
  }
}

interface Log {
  readonly events: RunEvent[];
  /** The lines of these events, as they were written: events of kinds that are not known here stay what they are. */
  readonly lines: string[];
  readonly nDamaged: number;
  /** Of them, behind the last event. One that was not ended was never told to anybody, and its number is free. */
  readonly nDamagedAtEnd: number;
  readonly nRepeated: number;
  /** The last line is followed by a line end. */
  readonly isEnded: boolean;
}

/** A piece at a time; whoever drives it may do other things between two. */
function* readLines(path: string): Generator<void, Log> {
  const log = { events: [] as RunEvent[], lines: [] as string[], nDamaged: 0, nDamagedAtEnd: 0, nRepeated: 0 };
  const take = (line: string, isEnded: boolean) => {
    const event = unsealed(line) as RunEvent | null;
    if (!event || !Number.isInteger(event.seq)) {
      log.nDamaged++;
      if (isEnded) log.nDamagedAtEnd++;
    } else if (event.seq <= (log.events.at(-1)?.seq ?? 0)) log.nRepeated++;
    else {
      log.nDamagedAtEnd = 0;
      log.events.push(event);
      log.lines.push(line);
    }
  };
  let rest = '';
  for (const piece of textIn(path)) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop()!;
    for (const line of lines) take(line, true);
    yield;
  }
  if (rest !== '') take(rest, false);
  return { ...log, isEnded: rest === '' };
}

/** Takes some 10 ms to parse. */
const pieceBytes = 2 ** 17;

function* textIn(path: string): Generator<string> {
  const decoder = new StringDecoder('utf8');
  const bytes = Buffer.alloc(pieceBytes);
  let file: number | null = null;
  try {
    file = openSync(path, 'r');
    for (;;) {
      const nRead = readSync(file, bytes);
      if (nRead === 0) break;
      yield decoder.write(bytes.subarray(0, nRead));
    }
    yield decoder.end();
  } catch (error) {
    if (!isMissing(error) && !isNoFile(error)) throw withPath(error, path);
  } finally {
    if (file !== null) closeSync(file);
  }
}

const lineOf = (event: RunEvent): string => sealed(JSON.stringify(event));
const replaceLines = (path: string, lines: readonly string[]) =>
  replaceText(path, lines.map((line) => `${line}\n`).join(''));

/** Numbers that are missing at the end: up to the last one known, or as many as lines are damaged there. */
function lostNumbers({ events, nDamagedAtEnd }: Log, lastSeq: number): { from: number; last: number } {
  const newest = events.at(-1)?.seq ?? 0;
  return { from: newest + 1, last: Math.max(lastSeq, newest + nDamagedAtEnd) };
}

function lossSentence({ events, nDamaged, nRepeated }: Log, { from, last }: { from: number; last: number }): string {
  const gaps: string[] = [];
  let expected = 1;
  for (const seq of [...events.map((event) => event.seq), last + 1]) {
    if (seq > expected) gaps.push(seq === expected + 1 ? `${expected}` : `${expected} to ${seq - 1}`);
    expected = seq + 1;
  }
  const nBad = nDamaged + nRepeated;
  const what =
    nBad === 0
      ? `The log of this run ends before event ${from}`
      : `${nBad === 1 ? 'A line' : `${nBad} lines`} of this run's log ${nBad === 1 ? 'is' : 'are'} damaged and left out`;
  return `${what}; ${gaps.length === 0 ? 'no event is lost' : `lost: ${gaps.join(', ')}`}.`;
}

const goneSentence = (last: number): string =>
  `The machine or container on which this run went on is gone; what was told behind event ${last} may be lost.`;
