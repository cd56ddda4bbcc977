export interface Metafile {
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, { bytesInOutput: number }>> }>>;
}
export const noticesFile: string;
export function bundledFolders(metafiles: readonly Metafile[]): string[];
export function thirdPartyNotices(metafiles: readonly Metafile[], root?: string, beside?: readonly object[]): string;
