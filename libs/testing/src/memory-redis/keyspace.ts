import { wrongType } from './reply.js';

export type TypeName = 'string' | 'hash' | 'zset' | 'stream';

export interface Value {
  readonly type: TypeName;
}

/** All keys and their values. A key whose time has come is gone when it is next looked at. */
export class Keyspace {
  readonly #values = new Map<string, Value>();
  readonly #ends = new Map<string, number>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  find(key: string): Value | undefined {
    const end = this.#ends.get(key);
    if (end !== undefined && end <= this.#nowMs()) this.delete(key);
    return this.#values.get(key);
  }

  /** @throws RedisError WRONGTYPE */
  get<T extends Value>(key: string, kind: new () => T): T | undefined {
    const value = this.find(key);
    if (value === undefined || value instanceof kind) return value;
    throw wrongType();
  }

  /** @throws RedisError WRONGTYPE */
  make<T extends Value>(key: string, kind: new () => T): T {
    const known = this.get(key, kind);
    if (known) return known;
    const value = new kind();
    this.#values.set(key, value);
    return value;
  }

  /** In place of any earlier value, which may have been one with an end. */
  put(key: string, value: Value): void {
    this.#ends.delete(key);
    this.#values.set(key, value);
  }

  delete(key: string): boolean {
    this.#ends.delete(key);
    return this.#values.delete(key);
  }

  endOf(key: string): number | undefined {
    return this.#ends.get(key);
  }

  endAt(key: string, end: number): void {
    this.#ends.set(key, end);
  }

  keys(): string[] {
    return [...this.#values.keys()].filter((key) => this.find(key) !== undefined);
  }

  clear(): void {
    this.#values.clear();
    this.#ends.clear();
  }
}
