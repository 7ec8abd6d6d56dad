import { plainToInstance } from 'class-transformer';
import { membersOf } from './class-members.js';
import { type Class, shapeOf } from './class-shape.js';

/**
 * Makes the same instance as `plainToInstance`, ten times as fast for classes whose decorators ask for nothing more than types.
 * Leaves `plain` as it is; parts of it may be shared with the result.
 */
export function instantiate(type: Class, plain: object): object {
  const { types, discriminates } = shapeOf(type);
  if (types) return assigned(type, plain);
  // It deletes the property by which it distinguishes subtypes, so it gets a copy.
  return plainToInstance(type, discriminates ? (JSON.parse(JSON.stringify(plain)) as object) : plain);
}

function assigned(type: Class, plain: object): object {
  const instance = new type() as Record<string, unknown>;
  const { types } = shapeOf(type);
  const { taken } = membersOf(type);
  for (const name of Object.keys(plain)) {
    if (!taken.has(name) && typeof instance[name] !== 'function') instance[name] = converted(Reflect.get(plain, name), types?.get(name));
  }
  return instance;
}

function converted(value: unknown, type: Class | undefined): unknown {
  if (type === undefined || value === null || value === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => converted(item, type));
  const convert = CONVERSIONS.get(type);
  if (convert) return convert(value);
  return typeof value === 'object' ? assigned(type, value) : value;
}

const CONVERSIONS: ReadonlyMap<unknown, (value: unknown) => unknown> = new Map<unknown, (value: unknown) => unknown>([
  [String, String],
  [Number, Number],
  [Boolean, Boolean],
  [Date, (value) => new Date(value as string)],
  [Object, (value) => value],
]);
