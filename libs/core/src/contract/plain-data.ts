import { instanceToPlain } from 'class-transformer';
import { type Class, shapeOf } from './class-shape.js';

/** How deep it is looked for classes. */
const MOST_LEVELS = 32;

/**
 * A value as class-transformer shows it, when `options` of it are given or the class of anything in the value has decorators of
 * it (`@Exclude`, `@Expose`, `@Transform`); else the value itself.
 */
export function plainData(value: unknown, options?: object): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return options !== undefined || isDecorated(value, 0) ? instanceToPlain(value, options) : value;
}

function isDecorated(value: unknown, level: number): boolean {
  if (typeof value !== 'object' || value === null || level > MOST_LEVELS) return false;
  const { constructor } = Object.getPrototypeOf(value) as { constructor?: Class } ?? {};
  if (constructor && !PLAIN.has(constructor) && shapeOf(constructor).transforms) return true;
  return Object.values(value).some((part) => isDecorated(part, level + 1));
}

const PLAIN = new Set<unknown>([Object, Array, Date]);
