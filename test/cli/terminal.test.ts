// The one place that writes to terminals keeps its own way to replace a line of progress, and nothing else of the kind.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { stderr, stdout } from '../../server/terminal';

const isTerminal = process.stderr.isTTY;
afterEach(() => {
  vi.restoreAllMocks();
  process.stderr.isTTY = isTerminal;
});

function written(stream: 'stdout' | 'stderr', write: () => void): string {
  let text = '';
  vi.spyOn(process[stream], 'write').mockImplementation((part: string | Uint8Array) => {
    text += String(part);
    return true;
  });
  write();
  return text;
}

describe('a line of progress', () => {
  it('is replaced where a person looks, and stays one line', () => {
    process.stderr.isTTY = true;
    expect(written('stderr', () => stderr.replaceLine('step 1\n\x1b[2J'))).toBe('\r\x1b[2Kstep 1\\u000a\\u001b[2J');
  });

  it('is not there in a file', () => {
    process.stderr.isTTY = false;
    expect(written('stderr', () => stderr.replaceLine('step 1'))).toBe('');
  });
});

describe('a message', () => {
  it('keeps its lines together', () => {
    expect(written('stdout', () => stdout.message('one\nespalier: two'))).toBe('one\n  espalier: two\n');
  });

  it('says when it is out', () => {
    const done = vi.fn();
    vi.spyOn(process.stdout, 'write').mockImplementation(((_: string, then: () => void) => {
      then();
      return true;
    }) as never);
    stdout.write('a', done);
    expect(done).toHaveBeenCalledOnce();
  });
});
