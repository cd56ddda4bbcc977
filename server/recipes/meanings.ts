// Values of a recipe that stand for something (paths, names out of a table, sources of text), found by its declaration.
import * as z from 'zod';
import { isRecord } from '../shared/records';
import { type Meaning, meanings } from './recipeKind';

export type Place = readonly (string | number)[];

/**
 * The value with all replaced that has a meaning, from the outside inwards. What does not fit the schema stays as it is.
 * @param replace gives back the value itself where it is to stay
 */
export function replaceMeant(
  schema: z.core.$ZodType,
  value: unknown,
  replace: (value: unknown, meaning: Meaning, place: Place) => unknown,
  place: Place = [],
): unknown {
  if (value === null || value === undefined) return value;
  const meaning = meanings.get(schema);
  const replaced = meaning ? replace(value, meaning, place) : value;
  const inside = (inner: z.core.$ZodType, part: unknown, ...at: Place) =>
    replaceMeant(inner, part, replace, [...place, ...at]);
  if (schema instanceof z.ZodObject && isRecord(replaced))
    return mapValues(replaced, (part, key) => {
      const field = Object.hasOwn(schema.shape, key) ? (schema.shape[key] as z.core.$ZodType) : null;
      return field ? inside(field, part, key) : part;
    });
  if (schema instanceof z.ZodArray && Array.isArray(replaced))
    return replaced.map((part, i) => inside(schema.element, part, i));
  if (schema instanceof z.ZodUnion) {
    const option = optionOf(schema, replaced);
    return option ? inside(option, replaced) : replaced;
  }
  const wrapped = unwrapped(schema);
  return wrapped ? inside(wrapped, replaced) : replaced;
}

/** What stands behind a default, a null or a transformation; null where nothing does. */
export function unwrapped(schema: z.core.$ZodType): z.core.$ZodType | null {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional) return schema.unwrap();
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.unwrap();
  return schema instanceof z.ZodPipe ? schema.in : null;
}

/** Of a union the one that the value names by its `kind`, or the first that it fits. */
export function optionOf({ options }: z.ZodUnion, value: unknown): z.core.$ZodType | undefined {
  if (!isRecord(value)) return options.find((option) => z.safeParse(option, value).success);
  return options.find(
    (option) => option instanceof z.ZodObject && (option.shape.kind as z.ZodLiteral | undefined)?.value === value.kind,
  );
}

const mapValues = (record: Record<string, unknown>, map: (value: unknown, key: string) => unknown) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
