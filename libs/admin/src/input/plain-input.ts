import { MillraceError } from '@millrace/core';

/** Payloads may be this deep, and have as many members as fit into two megabytes: they have limits of their own behind this. */
const MOST_DEPTH = 100;
const MOST_MEMBERS = 1_000_000;

/**
 * A copy of what a use case is given, of plain data: a getter is asked once, so that what is checked is what is used.
 *
 * @throws MillraceError INVALID_OPTIONS when it cannot be read, is too deep or has too many members
 */
export function plainInput(value: unknown): unknown {
  try {
    return new Copier().copy(value, 0);
  } catch (cause) {
    throw new MillraceError('INVALID_OPTIONS', 'The target or the options cannot be read: give plain objects, without functions that throw.', { cause });
  }
}

class Copier {
  #left = MOST_MEMBERS;

  copy(value: unknown, depth: number): unknown {
    if (value === null || typeof value !== 'object') return value;
    if (value instanceof Date) return new Date(value.getTime());
    if (ArrayBuffer.isView(value)) throw new TypeError('it is no plain object');
    if (depth > MOST_DEPTH) throw new RangeError('it is too deep');
    if (Array.isArray(value)) return this.#list(value, depth);
    // A map, say, would become an empty object: rules refuse it as it is.
    if (Object.prototype.toString.call(value) !== '[object Object]') return value;
    const entries = Object.entries(value);
    this.#take(entries.length);
    return Object.fromEntries(entries.map(([name, member]) => [name, this.copy(member, depth + 1)]));
  }

  #list(value: readonly unknown[], depth: number): unknown[] {
    this.#take(value.length);
    return Array.from(value, (item) => this.copy(item, depth + 1));
  }

  #take(members: number): void {
    this.#left -= members;
    if (this.#left < 0) throw new RangeError('it has too many members');
  }
}
