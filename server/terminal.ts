// The one place that writes to standard output and standard error. What it is given may hold text of strangers, so nothing in it
// is acted on by a terminal; the only control sequence that goes out is our own, which replaces a line of progress.
import { visible, visibleLine, visibleMessage } from './shared/visible';

export interface Output {
  /** Calls `written` when it is out of the process. */
  write(text: string, written?: () => void): void;
  /** `write` with the end of a line. */
  line(text: string): void;
  /** A line that says one thing: what follows its first line is indented. */
  message(text: string): void;
  /** Shows this in place of the line that is not ended yet; only where a person looks. */
  replaceLine(text: string): void;
  isTerminal(): boolean;
  /** When it cannot be written to; without a listener the process ends. */
  onLost(listener: (error: NodeJS.ErrnoException) => void): void;
}

function outputTo(name: 'stdout' | 'stderr'): Output {
  const isTerminal = () => process[name].isTTY === true;
  const write: Output['write'] = (text, written) => void process[name].write(visible(text), written);
  return {
    write,
    line: (text) => write(`${text}\n`),
    message: (text) => write(`${visibleMessage(text)}\n`),
    replaceLine(text) {
      if (isTerminal()) process[name].write(`\r\x1b[2K${visibleLine(text)}`);
    },
    isTerminal,
    onLost: (listener) => void process[name].on('error', listener),
  };
}

export const stdout = outputTo('stdout');
export const stderr = outputTo('stderr');
