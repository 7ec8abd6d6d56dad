import { inTrace, MillraceError, type OpenSpan, presentSpans, type SpanFacts, type TraceHeaders } from '@millrace/core';
import { MethodFailure } from '../wire/error-answer.js';

export interface ItemStreamParts {
  /** Calls the method: gives what it returned. */
  readonly open: () => unknown;
  /** Validates an item, and makes it JSON text. */
  readonly encode: (item: unknown) => string | Promise<string>;
  /** The span of the method, whose trace is that of its request: the method goes on in it. */
  readonly facts: SpanFacts & { readonly sentIn: readonly [TraceHeaders] };
  /** Names the items in errors. */
  readonly where: string;
}

const END = Object.freeze({ done: true, value: undefined } as const);

/** The items that a method of a service gives, as JSON texts. The method is called when the first is asked for. */
export class ItemStream implements AsyncIterableIterator<string, undefined, undefined> {
  readonly #parts: ItemStreamParts;
  #opening: Promise<AsyncIterator<unknown>> | null = null;
  #hasEnded = false;
  #span: OpenSpan | null = null;

  constructor(parts: ItemStreamParts) {
    this.#parts = parts;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    try {
      const iterator = await (this.#opening ??= this.#opened());
      // Ended meanwhile: a generator that has not begun does not begin.
      if (this.#hasEnded) return END;
      const { done, value } = await this.#nextOf(iterator);
      if (done !== true) return { done: false, value: await this.#parts.encode(value) };
      this.#span?.end();
      return END;
    } catch (thrown) {
      this.#span?.end(thrown instanceof MethodFailure ? thrown.cause : thrown);
      throw thrown;
    }
  }

  /** Ends the method, also one that is still to return its items. */
  async return(): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    this.#hasEnded = true;
    try {
      await (await this.#opening)?.return?.();
    } finally {
      this.#span?.end();
    }
    return END;
  }

  async #opened(): Promise<AsyncIterator<unknown>> {
    const { open, where, facts } = this.#parts;
    this.#span = presentSpans()?.open(facts) ?? null;
    const items = await this.#within(open);
    if (isIterable(items)) return items[Symbol.asyncIterator]();
    throw new MillraceError(
      'INVALID_PAYLOAD',
      `${where}: the method returned no stream, and its contract declares items. Return an async iterable, as an async generator does; ` +
        'an Observable is none.',
    );
  }

  #within<T>(work: () => T): T {
    if (this.#span !== null) return this.#span.run(work);
    return inTrace(this.#parts.facts.sentIn[0], work, undefined);
  }

  async #nextOf(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown, unknown>> {
    try {
      const result = await this.#within(() => iterator.next());
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
