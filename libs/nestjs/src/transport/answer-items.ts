import { asError } from '@millrace/core';
import type { Observable, Subscription } from 'rxjs';
import { causeOf } from './compat.js';
import { answerText } from './wire.js';

const END = Object.freeze({ done: true, value: undefined } as const);

/**
 * The values of a handler as the items of a streamed answer. The handler is called when the first is asked for; nobody who waits
 * for more unsubscribes it. An error is an item, as Nest gives it to the caller, and then ends the stream as what it was.
 */
export class AnswerItems implements AsyncIterableIterator<string, undefined, undefined> {
  readonly #values: Observable<unknown>;
  readonly #ready: string[] = [];
  #subscription: Subscription | null = null;
  #failure: Error | null = null;
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(values: Observable<unknown>) {
    this.#values = values;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    this.#subscription ??= this.#subscribe();
    while (this.#ready.length === 0 && !this.#hasEnded) await new Promise<void>((resolve) => (this.#wake = resolve));
    const value = this.#ready.shift();
    if (value !== undefined) return { done: false, value };
    if (this.#failure !== null) throw this.#failure;
    return END;
  }

  return(): Promise<IteratorResult<string, undefined>> {
    this.#end();
    this.#ready.length = 0;
    this.#failure = null;
    this.#subscription?.unsubscribe();
    return Promise.resolve(END);
  }

  #subscribe(): Subscription {
    return this.#values.subscribe({
      next: (value) => this.#add(value),
      error: (shown: unknown) => this.#fail(shown),
      complete: () => this.#end(),
    });
  }

  /** JSON has no undefined: Nest's own servers end the answer of a handler that returns nothing without a value, too. */
  #add(value: unknown): void {
    if (value === undefined || this.#hasEnded) return;
    try {
      this.#ready.push(answerText({ response: value }));
      this.#wake();
    } catch (error) {
      this.#fail(error);
      this.#subscription?.unsubscribe();
    }
  }

  #fail(shown: unknown): void {
    if (this.#hasEnded) return;
    this.#ready.push(answerText({ err: shown }));
    this.#failure = asError(causeOf(shown));
    this.#end();
  }

  #end(): void {
    this.#hasEnded = true;
    this.#wake();
  }
}
