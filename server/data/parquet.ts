// Parquet by column. The only file that touches hyparquet.
import { parquetMetadataAsync, parquetRead, parquetSchema, type SchemaTree } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { isUserError, UserError } from '../errors';
import { refuseLargeColumn } from './parquetLimits';
import { refuseManyRows } from './rowLimits';

/** What fits in a text. */
const mostBytes = 500_000_000;

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
  refuseManyRows(Number(metadata.num_rows), name);
  const schema = parquetSchema(metadata);
  const columns = schema.children.map((column) => column.element.name);
  // The footer is taken as it is; what is no name there is nothing.
  if (columns.some((column) => typeof column !== 'string')) throw damaged(name, 'a column has no name');
  const leaves = new Set(leafPaths(schema));
  // hyparquet throws when it comes to one, and leaves the reads that it has begun to nobody: an error of theirs ends a process.
  for (const { columns: chunks } of metadata.row_groups)
    for (const { meta_data } of chunks)
      if (!leaves.has(String(meta_data?.path_in_schema)))
        throw damaged(name, 'it holds a column that its schema lacks');
  return {
    columns,
    async read(column) {
      try {
        refuseLargeColumn(bytes, metadata, column, name, mostBytes);
      } catch (cause) {
        throw isUserError(cause) ? cause : damaged(name, cause);
      }
      // Rows as lists: a column may have a name that every object has.
      let rows: unknown[][] = [];
      const onComplete = (found: unknown[][]) => {
        rows = found;
      };
      await parquetRead({ file, metadata, columns: [column], compressors, onComplete }).catch((cause: unknown) => {
        throw damaged(name, cause);
      });
      return rows.map(([value]) => value);
    },
  };
}

const leafPaths = ({ path, children }: SchemaTree): string[] =>
  children.length === 0 ? [String(path)] : children.flatMap(leafPaths);

const damaged = (name: string, cause: unknown) => {
  const reason = cause instanceof Error ? cause.message.split('\n')[0]?.replace(/\.$/, '') : String(cause);
  return new UserError('badData', `${name} is not a readable Parquet file: ${reason}; get it again.`);
};
