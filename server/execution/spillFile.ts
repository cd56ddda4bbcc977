// A temporary file of numbers, for hidden states that memory has no room for.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SpillFile extends Disposable {
  /** Gives the offset at which the numbers stand, in bytes. */
  append(data: Float32Array): number;
  read(offset: number, length: number): Float32Array;
}

/** The file is made when it is first written to. */
export function openSpillFile(): SpillFile {
  let open: { folder: string; handle: number } | null = null;
  let end = 0;
  return {
    append(data: Float32Array): number {
      if (!open) {
        const folder = mkdtempSync(join(tmpdir(), `espalier-states-${process.pid}-`));
        open = { folder, handle: openSync(join(folder, 'states'), 'wx+', 0o600) };
        // Where an open file needs no name, a process that is killed leaves none.
        if (process.platform !== 'win32') rmSync(folder, { recursive: true });
      }
      const at = end;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; )
        done += writeSync(open.handle, bytes, done, bytes.length - done, at + done);
      end += bytes.length;
      return at;
    },
    read(offset: number, length: number): Float32Array {
      const data = new Float32Array(length);
      const bytes = new Uint8Array(data.buffer);
      for (let done = 0; done < bytes.length; ) {
        const n = readSync(open!.handle, bytes, done, bytes.length - done, offset + done);
        if (n === 0) throw new Error('the file of hidden states is shorter than what was written to it');
        done += n;
      }
      return data;
    },
    [Symbol.dispose]() {
      if (!open) return;
      closeSync(open.handle);
      rmSync(open.folder, { recursive: true, force: true });
      open = null;
    },
  };
}
