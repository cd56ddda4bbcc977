// What a column of a Parquet file takes when it is read, from the headers of its pages: how many values they say they have, and
// what they unpack to. The reader makes room for as many as a page says before it looks for them.
import type { FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { UserError } from '../errors';
import { refuseManyValues } from './rowLimits';

/**
 * @param mostBytes of all pages, unpacked
 * @throws UserError badData; another error where the headers cannot be read
 */
export function refuseLargeColumn(
  bytes: Buffer,
  { row_groups: groups }: FileMetaData,
  column: string,
  name: string,
  mostBytes: number,
): void {
  const chunks = groups.flatMap(({ columns }) => columns.flatMap(({ meta_data: facts }) => facts ?? []));
  let [nValues, nBytes] = [0, 0];
  for (const facts of chunks.filter(({ path_in_schema: path }) => path[0] === column)) {
    const start = Number(facts.dictionary_page_offset || facts.data_page_offset);
    const end = Math.min(bytes.length, start + Number(facts.total_compressed_size));
    if (!(start >= 0 && start <= end)) throw new Error(`its column ${column} lies outside of the file`);
    const reader = { view: new DataView(bytes.buffer, bytes.byteOffset + start, end - start), offset: 0 };
    while (reader.offset < reader.view.byteLength - 1) {
      const page = parquetHeader(reader);
      const counts = page.data_page_header ?? page.data_page_header_v2 ?? page.dictionary_page_header;
      nValues += natural(counts?.num_values ?? 0);
      nBytes += natural(page.uncompressed_page_size);
      refuseManyValues(nValues, name);
      if (nBytes > mostBytes)
        throw new UserError(
          'badData',
          `${name} unpacks to more than the ${mostBytes} bytes we read; give a part of it.`,
        );
      reader.offset += natural(page.compressed_page_size);
    }
  }
}

function natural(count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error(`a page has a size of ${count}`);
}
