import 'reflect-metadata';
import { EXCEPTION_FILTERS_METADATA, GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA } from '@nestjs/common/internal';

/** These add up where they are written twice; for all others the upper one counts. */
const LISTS: readonly unknown[] = [GUARDS_METADATA, INTERCEPTORS_METADATA, PIPES_METADATA, EXCEPTION_FILTERS_METADATA];

/**
 * Guards and the like are written on the function of a method. This copies them to the function that a decorator, a spy or a
 * `bind` puts in its place, so that none of them is passed over in silence. May be called again.
 */
export function carryMetadata(from: Iterable<object>, to: unknown): void {
  if (typeof to !== 'function') return;
  for (const written of from) {
    if (written === to) continue;
    for (const key of Reflect.getOwnMetadataKeys(written) as unknown[]) carryOne(key, written, to);
  }
}

function carryOne(key: unknown, from: object, to: object): void {
  const lower: unknown = Reflect.getOwnMetadata(key, from);
  const upper: unknown = Reflect.getOwnMetadata(key, to);
  if (upper === undefined) return Reflect.defineMetadata(key, lower, to);
  if (!LISTS.includes(key)) return;
  const [below, above] = [lower as unknown[], upper as unknown[]];
  Reflect.defineMetadata(key, [...below.filter((item) => !above.includes(item)), ...above], to);
}
