import { isDeepStrictEqual } from 'node:util';
import type { Told } from './change.js';
import type { Schema } from './contracts.js';

/** A value of before must be of a type that is there now. */
export function typeChanges(before: Schema, after: Schema): Told[] {
  const [old, now] = [typesOf(before), typesOf(after)];
  if (isDeepStrictEqual(old, now)) return [];
  const isFit = now === null || (old !== null && old.every((type) => now.includes(type) || (type === 'integer' && now.includes('number'))));
  return [{ kind: isFit ? 'compatible' : 'breaking', what: `type: ${typeText(old)} is ${typeText(now)} now` }];
}

/** A value of before must be among those that are there now. */
export function valueChanges(before: Schema, after: Schema): Told[] {
  const [old, now] = [valuesOf(before), valuesOf(after)];
  if (old === null && now === null) return [];
  if (now === null) return [{ kind: 'compatible', what: 'any value of its type may be there now' }];
  if (old === null) return [{ kind: 'breaking', what: `only these values may be there now: ${now.map(text).join(', ')}` }];
  const [gone, added] = [without(old, now), without(now, old)];
  return [
    ...gone.map((value): Told => ({ kind: 'breaking', what: `the value ${text(value)} is gone` })),
    ...added.map((value): Told => ({ kind: 'compatible', what: `the value ${text(value)} is new` })),
  ];
}

/** Null: any value. The rule `IsIn` says no type, and its values do. */
function typesOf(schema: Schema): readonly string[] | null {
  const { type } = schema;
  if (type !== undefined) return [type].flat().map(String).sort();
  const values = valuesOf(schema);
  return values && [...new Set(values.map(typeOf))].sort();
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

function valuesOf(schema: Schema): readonly unknown[] | null {
  if (Array.isArray(schema['enum'])) return schema['enum'] as readonly unknown[];
  return 'const' in schema ? [schema['const']] : null;
}

function without(values: readonly unknown[], others: readonly unknown[]): readonly unknown[] {
  return values.filter((value) => !others.some((other) => isDeepStrictEqual(value, other)));
}

function typeText(types: readonly string[] | null): string {
  return types === null ? 'any' : types.join(' or ');
}

function text(value: unknown): string {
  return JSON.stringify(value) ?? 'none';
}
