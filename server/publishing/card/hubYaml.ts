// YAML as both readers of the hub take it: its pages read 1.2, huggingface_hub reads 1.1, where an unquoted `no` is false and a
// number with an exponent but without a point is text.
import { stringify } from 'yaml';

export const hubYaml = (value: unknown): string => stringify(value, { version: '1.1', lineWidth: 0 });

/** Whether a number is written without an exponent. */
export const isPlainNumber = (value: number): boolean => Number.isFinite(value) && !`${value}`.includes('e');
