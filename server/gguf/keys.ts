// The keys of a GGUF file with their values and types, in the order in which they are written. Pure.

export type KeyType = 'uint32' | 'int32' | 'float32' | 'bool' | 'string';

export type KeyValue =
  | { readonly type: KeyType; readonly value: number | boolean | string }
  | { readonly listOf: KeyType; readonly value: readonly (number | boolean | string)[] };

/** A key that is set again keeps its place, as in llama.cpp's writer. */
export type Keys = Map<string, KeyValue>;

export const uint32 = (value: number): KeyValue => ({ type: 'uint32', value });
export const int32 = (value: number): KeyValue => ({ type: 'int32', value });
export const float32 = (value: number): KeyValue => ({ type: 'float32', value });
export const bool = (value: boolean): KeyValue => ({ type: 'bool', value });

/** An empty text is not written. */
export function setText(keys: Keys, key: string, value: string): void {
  if (value !== '') keys.set(key, { type: 'string', value });
}

/** Neither is an empty list. */
export function setList(keys: Keys, key: string, listOf: KeyType, value: readonly (number | boolean | string)[]): void {
  if (value.length > 0) keys.set(key, { listOf, value });
}
