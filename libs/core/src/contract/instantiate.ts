import { plainToInstance } from 'class-transformer';
import { type Class, shapeOf } from './class-shape.js';

/**
 * What `plainToInstance` makes of `plain`, ten times as fast for classes whose decorators ask for nothing more than types.
 * Leaves `plain` as it is; parts of it may be shared with the result.
 */
export function instantiate(type: Class, plain: object): object {
  const { types, discriminates } = shapeOf(type);
  if (types) return assigned(type, plain);
  // It deletes the property by which it tells subtypes apart, so it gets a copy.
  return plainToInstance(type, discriminates ? (JSON.parse(JSON.stringify(plain)) as object) : plain);
}

function assigned(type: Class, plain: object): object {
  const instance = new type() as Record<string, unknown>;
  const { types } = shapeOf(type);
  const taken = takenNames(type);
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

const taken = new WeakMap<Class, ReadonlySet<string>>();

/** Names of methods and of getters without a setter: the class wins over what the data holds under such a name. */
function takenNames(type: Class): ReadonlySet<string> {
  const known = taken.get(type);
  if (known) return known;
  const prototypes = prototypesOf(type.prototype as object);
  const members = prototypes.flatMap((prototype) => Object.entries(Object.getOwnPropertyDescriptors(prototype)));
  const names = new Set(members.filter(([, member]) => !('set' in member && member.set)).map(([name]) => name));
  taken.set(type, names);
  return names;
}

function prototypesOf(prototype: object | null): object[] {
  return prototype === null ? [] : [prototype, ...prototypesOf(Object.getPrototypeOf(prototype) as object | null)];
}
