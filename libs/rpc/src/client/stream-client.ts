import { asError, MillraceError, type OpenSpan } from '@millrace/core';

export interface ClientStreamParts<Item> {
  /** Makes the call; nothing is sent before its first item is asked for. */
  readonly open: () => AsyncIterable<string> | Promise<AsyncIterable<string>>;
  /** Makes an item of its JSON text, and validates it. */
  readonly decode: (text: string) => Item | Promise<Item>;
  /** Ends with the stream. Default: none. */
  readonly span?: OpenSpan | null | undefined;
}

type Items = AsyncIterator<string>;

const END = Object.freeze({ done: true, value: undefined } as const);

/** The items of a streamed answer, as the caller of a client gets them. One that is not valid ends the call. */
export class ClientStream<Item> implements AsyncIterableIterator<Item, undefined, undefined> {
  readonly #parts: ClientStreamParts<Item>;
  #items: Items | Promise<Items> | null = null;
  #hasEnded = false;

  constructor(parts: ClientStreamParts<Item>) {
    this.#parts = parts;
  }

  /** @throws MillraceError INVALID_INPUT it has ended: a loop over it would find nothing, and say nothing */
  [Symbol.asyncIterator](): this {
    if (this.#hasEnded) throw new MillraceError('INVALID_INPUT', 'The stream has ended, and can be iterated over once. Call the method again.');
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    const { span } = this.#parts;
    return span ? this.#nextIn(span) : this.#next();
  }

  /** Also ends a call that is still to be made. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#hasEnded = true;
    this.#parts.span?.end();
    // Why it could not be made is thrown where its items are asked for.
    const items = await Promise.resolve(this.#items).catch(() => null);
    await items?.return?.();
    return END;
  }

  async #nextIn(span: OpenSpan): Promise<IteratorResult<Item, undefined>> {
    try {
      const result = await span.run(() => this.#next());
      if (result.done === true) span.end();
      return result;
    } catch (thrown) {
      span.end(thrown);
      throw thrown;
    }
  }

  async #next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#hasEnded) return END;
    const items = await (this.#items ??= this.#opened());
    // Left meanwhile: nothing is sent any more.
    if (this.#hasEnded) return END;
    const result = await items.next();
    if (result.done === true) {
      this.#hasEnded = true;
      return END;
    }
    try {
      return { done: false, value: await this.#parts.decode(result.value) };
    } catch (thrown) {
      this.#parts.span?.end(thrown);
      await this.return();
      throw asError(thrown);
    }
  }

  #opened(): Items | Promise<Items> {
    const items = this.#parts.open();
    if (!(items instanceof Promise)) return iteratorOf(items);
    return items.then(iteratorOf, (error: unknown) => {
      this.#hasEnded = true;
      throw asError(error);
    });
  }
}

function iteratorOf(items: AsyncIterable<string>): Items {
  return items[Symbol.asyncIterator]();
}
