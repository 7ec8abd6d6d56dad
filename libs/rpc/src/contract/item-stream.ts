import { inTrace, MillraceError, type TraceHeaders } from '@millrace/core';
import { MethodFailure } from '../wire/error-answer.js';

export interface ItemStreamParts {
  /** Calls the method: gives what it returned. */
  readonly open: () => unknown;
  /** Validates an item, and makes it JSON text. */
  readonly encode: (item: unknown) => string | Promise<string>;
  /** Those of the request: the method goes on in their trace. */
  readonly headers: TraceHeaders;
  /** Names the items in errors. */
  readonly where: string;
}

const END = Object.freeze({ done: true, value: undefined } as const);

/** The items that a method of a service gives, as JSON texts. The method is called when the first is asked for. */
export class ItemStream implements AsyncIterableIterator<string, undefined, undefined> {
  readonly #parts: ItemStreamParts;
  #opening: Promise<AsyncIterator<unknown>> | null = null;
  #hasEnded = false;

  constructor(parts: ItemStreamParts) {
    this.#parts = parts;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    const iterator = await (this.#opening ??= this.#opened());
    // Ended meanwhile: a generator that has not begun does not begin.
    if (this.#hasEnded) return END;
    const { done, value } = await this.#nextOf(iterator);
    return done === true ? END : { done: false, value: await this.#parts.encode(value) };
  }

  /** Ends the method, also one that is still to return its items. */
  async return(): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    this.#hasEnded = true;
    await (await this.#opening)?.return?.();
    return END;
  }

  async #opened(): Promise<AsyncIterator<unknown>> {
    const { open, where } = this.#parts;
    const items = await open();
    if (isIterable(items)) return items[Symbol.asyncIterator]();
    throw new MillraceError(
      'INVALID_PAYLOAD',
      `${where}: the method returned no stream, and its contract declares items. Return an async iterable, as an async generator does; ` +
        'an Observable is none.',
    );
  }

  async #nextOf(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown, unknown>> {
    try {
      const result = await inTrace(this.#parts.headers, (each: AsyncIterator<unknown>) => each.next(), iterator);
      if (result.done === true) this.#hasEnded = true;
      return result;
    } catch (thrown) {
      this.#hasEnded = true;
      throw new MethodFailure(thrown);
    }
  }
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return value !== null && typeof value === 'object' && Symbol.asyncIterator in value;
}
