import { AnsweredFailure } from './answered-failure.js';
import type { AnswerItems } from './service-definition.js';

export interface PumpParts {
  /** How many items may be sent before the first grant. */
  readonly window: number;
  /** Ends the stream: the method gets `return()`. */
  readonly signal: AbortSignal;
  /**
   * @param number from 1 on
   * @throws to end the stream with an error
   */
  readonly send: (text: string, number: number) => void;
}

/** Takes items of a method one after the other, as far as they are granted: the method makes none ahead of that. */
export class StreamPump {
  readonly #parts: PumpParts;
  #granted: number;
  #sent = 0;
  #wake: (() => void) | null = null;

  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#granted = parts.window;
  }

  /** How many items were sent. */
  get sent(): number {
    return this.#sent;
  }

  /** @param upTo the number of the last item that may be sent; a lower one than before says nothing */
  grant(upTo: number): void {
    if (upTo <= this.#granted) return;
    this.#granted = upTo;
    this.#wake?.();
  }

  /**
   * Resolves when the method has made all items, or has ended because the signal aborted. Called once.
   *
   * @throws the error of the method
   */
  async run(items: AnswerItems): Promise<void> {
    const { signal } = this.#parts;
    const { broken } = items;
    const iterator = items[Symbol.asyncIterator]();
    const wake = (): void => this.#wake?.();
    let closing: Promise<unknown> | undefined;
    const close = (): void => {
      wake();
      // An error of the method while it is closed reaches nobody.
      closing = (async () => iterator.return?.())().catch(() => undefined);
    };
    signal.addEventListener('abort', close, { once: true });
    broken?.addEventListener('abort', wake, { once: true });
    if (signal.aborted) close();
    try {
      while (!signal.aborted && (await this.#hasSent(iterator, broken)));
    } catch (thrown) {
      close();
      throw thrown;
    } finally {
      signal.removeEventListener('abort', close);
      await closing;
    }
  }

  /** @returns whether there may be more */
  async #hasSent(iterator: AsyncIterator<string>, broken: AbortSignal | undefined): Promise<boolean> {
    const { signal } = this.#parts;
    if (this.#sent >= this.#granted && broken?.aborted !== true) await this.#granting();
    if (signal.aborted) return false;
    broken?.throwIfAborted();
    const result = await this.#next(iterator);
    if (result.done === true || signal.aborted) return false;
    this.#send(result.value);
    return true;
  }

  #send(text: string): void {
    this.#parts.send(text, this.#sent + 1);
    this.#sent += 1;
  }

  /** Sends what a method that has failed tells its caller itself, before it throws. */
  async #next(iterator: AsyncIterator<string>): Promise<IteratorResult<string>> {
    try {
      return await iterator.next();
    } catch (thrown) {
      if (thrown instanceof AnsweredFailure && !this.#parts.signal.aborted) this.#send(thrown.text);
      throw thrown;
    }
  }

  #granting(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
