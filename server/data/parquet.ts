// Parquet by column. The only file that touches hyparquet.
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { UserError } from '../errors';

export interface Parquet {
  /** Names of the top-level columns. */
  readonly columns: string[];
  /** All values of a column, in order. @throws UserError badData for a damaged file */
  read(column: string): Promise<unknown[]>;
}

/** Reads what a Parquet file says of itself. @throws UserError badData for a damaged file */
export async function openParquet(bytes: Buffer, name: string): Promise<Parquet> {
  const file = {
    byteLength: bytes.length,
    // A copy: a Buffer may lie somewhere inside a larger pool.
    slice: (start: number, end?: number) => new Uint8Array(bytes.subarray(start, end)).buffer,
  };
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => {
    throw damaged(name, cause);
  });
  return {
    columns: parquetSchema(metadata).children.map((column) => column.element.name),
    async read(column) {
      const options = { file, metadata, columns: [column], compressors, rowFormat: 'object' as const };
      const rows: Record<string, unknown>[] = await parquetReadObjects(options).catch((cause: unknown) => {
        throw damaged(name, cause);
      });
      return rows.map((row) => row[column]);
    },
  };
}

const damaged = (name: string, cause: unknown) => {
  const reason = cause instanceof Error ? cause.message.split('\n')[0]?.replace(/\.$/, '') : String(cause);
  return new UserError('badData', `${name} is not a readable Parquet file: ${reason}; get it again.`);
};
