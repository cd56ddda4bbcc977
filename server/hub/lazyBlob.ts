// A file as a Blob that reads what is asked for, since the library that sends commits takes nothing else. It holds the file that
// was opened: whatever takes its name meanwhile is not sent.
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { cannotRead } from '../shared/systemErrors';

/** The bytes of an open file from `start` to `end`. */
export class LazyBlob extends Blob {
  override readonly size: number;

  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
    private readonly start: number,
    private readonly end: number,
  ) {
    super([]);
    this.size = end - start;
  }

  override slice(start = 0, end = this.size): LazyBlob {
    const from = Math.min(this.start + start, this.end);
    return new LazyBlob(this.handle, this.path, from, Math.max(from, Math.min(this.start + end, this.end)));
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for await (const chunk of this.chunks()) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes.buffer;
  }

  override async text(): Promise<string> {
    return Buffer.from(await this.arrayBuffer()).toString('utf8');
  }

  override stream(): ReturnType<Blob['stream']> {
    return Readable.toWeb(Readable.from(this.chunks())) as ReturnType<Blob['stream']>;
  }

  /** @throws UserError `cannotRead`, also for a file that has become shorter */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let at = this.start; at < this.end; ) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(chunkBytes, this.end - at));
      const { bytesRead } = await this.handle.read(chunk, 0, chunk.length, at).catch((error) => {
        throw cannotRead(error, this.path);
      });
      if (bytesRead === 0)
        throw cannotRead(Object.assign(new Error(`${this.path} became shorter`), { code: 'EIO' }), this.path);
      at += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }
}

const chunkBytes = 256 * 1024;
