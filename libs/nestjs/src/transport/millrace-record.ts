import type { Duration } from '@millrace/core';

/** Everything that travels beside the data of a record. */
export interface RecordParts {
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly idempotencyKey?: string;
  readonly timeout?: Duration;
}

/** Data with headers, a key and more: what {@link MillraceRecordBuilder} builds. */
export class MillraceRecord<T = unknown> {
  constructor(
    readonly data: T,
    readonly parts: RecordParts = {},
  ) {}
}

/** Builds a record for `client.emit(pattern, record)` and `client.send(pattern, record)`. */
export class MillraceRecordBuilder<T = unknown> {
  #data: T | undefined;
  #parts: RecordParts = {};

  constructor(data?: T) {
    this.#data = data;
  }

  setData(data: T): this {
    this.#data = data;
    return this;
  }

  /** At most 64 short strings, as those of a publish. */
  setHeaders(headers: Readonly<Record<string, string>>): this {
    return this.#set({ headers: { ...headers } });
  }

  /** Decides the partition of an event. Without effect on a request. */
  setKey(key: string): this {
    return this.#set({ key });
  }

  /** Makes an event unique in its topic. Without effect on a request. */
  setIdempotencyKey(idempotencyKey: string): this {
    return this.#set({ idempotencyKey });
  }

  /** How long the answer to a request is waited for, in place of the client's `timeout`. Without effect on an event. */
  setTimeout(timeout: Duration): this {
    return this.#set({ timeout });
  }

  build(): MillraceRecord<T> {
    return new MillraceRecord(this.#data as T, this.#parts);
  }

  #set(parts: RecordParts): this {
    this.#parts = { ...this.#parts, ...parts };
    return this;
  }
}
