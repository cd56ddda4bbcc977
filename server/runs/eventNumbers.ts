// No number of an event is given twice, also after a loss of power. A log is not synced at every event, which would cost more than
// all else, so its end may be missing then. What is synced is state.json: it says ahead up to which number events may be told.
import { isThisBoot, placeHere } from '../protocol/processIdentity';

/** What state.json says of numbers beyond its `lastSeq`. */
export interface Reserved {
  readonly upTo: number;
  /** The place of the server that may give them. */
  readonly place: string;
}

/** Numbers that have been given. */
export interface Given {
  /** Up to here for certain. */
  readonly last: number;
  /** Up to here perhaps. */
  readonly perhaps: number;
}

/** Or it is not known: what stands in the log counts. */
export const noneGiven: Given = { last: 0, perhaps: 0 };

/** A run seldom has so many events, so that state.json is seldom written for them. They double, so that many cost few writings. */
const fewest = 10_000;

export const reservedBehind = (lastSeq: number): Reserved => ({
  upTo: lastSeq + Math.max(fewest, lastSeq),
  place: placeHere(),
});

/** Whatever becomes of a server, what it has appended is in the log until the machine goes down. */
export function givenBy({ lastSeq, reserved }: { lastSeq: number; reserved?: Reserved | null }): Given {
  const isInLog = !reserved || isThisBoot(reserved.place);
  return { last: lastSeq, perhaps: isInLog ? lastSeq : Math.max(lastSeq, reserved.upTo) };
}
