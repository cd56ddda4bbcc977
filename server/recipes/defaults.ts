// What a recipe's declaration says of one of its fields, and a recipe with all defaults filled in that nobody has checked yet.
import * as z from 'zod';
import { isRecord } from '../shared/records';
import { optionOf, unwrapped } from './meanings';

type Schema = z.core.$ZodType;

/** The value with the defaults of its schema where it says nothing. It is not checked. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  if (schema instanceof z.ZodDefault && value === undefined) return structuredClone(schema.def.defaultValue);
  if (schema instanceof z.ZodPrefault && value === undefined)
    return withDefaults(schema.unwrap(), schema.def.defaultValue);
  if (schema instanceof z.ZodObject && isRecord(value)) {
    const filled = Object.entries(schema.shape).map(([key, field]) => [key, withDefaults(field as Schema, value[key])]);
    return { ...value, ...Object.fromEntries(filled.filter(([, inner]) => inner !== undefined)) };
  }
  if (value === undefined || value === null) return value;
  const inner = schema instanceof z.ZodUnion ? optionOf(schema, value) : unwrapped(schema);
  return inner ? withDefaults(inner, value) : value;
}

export interface FieldFacts {
  /** undefined where it has none, or where it is null. */
  readonly default: unknown;
  /** null where its value is none of a few words. */
  readonly choices: readonly string[] | null;
}

/** What is said of a field, such as `optimizer.schedule`. Throws for a field that the schema does not have. */
export function fieldFacts(schema: Schema, field: string): FieldFacts {
  const found = field.split('.').reduce((at: Schema[], key) => at.flatMap((each) => fieldOf(each, key)), [schema]);
  if (found.length === 0) throw new Error(`The declaration has no field ${field}`);
  const inner = found.map(innermost);
  const words = inner.flatMap((each) =>
    each instanceof z.ZodEnum ? each.options : each instanceof z.ZodLiteral ? [...each.values] : [],
  ) as string[];
  const ofAll = field.split('.').reduce((at, key) => (isRecord(at) ? at[key] : undefined), defaultsOf(schema));
  return {
    default: structuredClone(ofAll) ?? withDefaults(found[0]!, undefined) ?? undefined,
    choices: inner.every((each) => each instanceof z.ZodEnum || each instanceof z.ZodLiteral) ? words : null,
  };
}

const known = new WeakMap<Schema, unknown>();

/** Of all fields. The command line asks for each of them. */
function defaultsOf(schema: Schema): unknown {
  if (!known.has(schema)) known.set(schema, withDefaults(schema, {}));
  return known.get(schema);
}

/** The names of all fields at a place of a value, such as ['data'] or ['models', 0]; none where it has none. */
export function fieldsAt(schema: Schema, place: readonly PropertyKey[]): string[] {
  const found = place.reduce(
    (at: Schema[], key) =>
      at.flatMap((each) => (typeof key === 'number' ? elementsOf(each) : fieldOf(each, `${String(key)}`))),
    [schema],
  );
  return [...new Set(found.flatMap(namesOf))];
}

function namesOf(schema: Schema): string[] {
  const inner = innermost(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => namesOf(option));
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

function elementsOf(schema: Schema): Schema[] {
  const inner = innermost(schema);
  return inner instanceof z.ZodArray ? [inner.element] : [];
}

/** In all alternatives that have it. */
function fieldOf(schema: Schema, key: string): Schema[] {
  const inner = innermost(schema);
  if (inner instanceof z.ZodObject) return Object.hasOwn(inner.shape, key) ? [inner.shape[key] as Schema] : [];
  return inner instanceof z.ZodUnion ? inner.options.flatMap((option) => fieldOf(option, key)) : [];
}

function innermost(schema: Schema): Schema {
  const inner = unwrapped(schema);
  return inner ? innermost(inner) : schema;
}
