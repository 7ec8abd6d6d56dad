import { asError, MillraceError } from '@millrace/core';
import { AnsweredFailure } from '@millrace/rpc';
import { type Observable, type Subscription, takeWhile } from 'rxjs';
import { causeOf } from './compat.js';
import { answerText, INTERNAL_ERROR } from './wire.js';

const END = Object.freeze({ done: true, value: undefined } as const);

/** About how many bytes of the heap a text takes beside its characters. */
const TEXT_BYTES = 64;

export interface AnswerParts {
  /** Is subscribed to once. */
  readonly values: Observable<unknown>;
  /** Ends the stream; nobody waits for more. */
  readonly signal: AbortSignal;
  /** How much may wait for the caller; see `MillraceServerOptions.answerBufferBytes`. */
  readonly bufferBytes: number;
  /** Nothing more comes of the values: they ended with the failure, or well. */
  readonly ended: (failure: Error | null) => void;
}

/**
 * The values of a handler's Observable as the items of a streamed answer. An Observable cannot be held back: its values wait here
 * for the caller, up to a bound, behind which the answer fails. An error goes to the caller as Nest gives it.
 */
export class AnswerItems implements AsyncIterableIterator<string, undefined, undefined> {
  readonly #parts: AnswerParts;
  /** Aborts at the bound. */
  readonly #broken = new AbortController();
  #ready: string[] = [];
  #readyBytes = 0;
  #subscription: Subscription | null = null;
  #failure: Error | null = null;
  #hasEnded = false;
  #wake: () => void = () => undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  /**
   * Subscribes, and resolves when there is a value or the end: with the only value, with null for none, and with itself when
   * there may be more of them.
   *
   * @throws AnsweredFailure, MillraceError
   */
  async begin(): Promise<this | string | null> {
    const { signal } = this.#parts;
    signal.addEventListener('abort', () => this.#leave(), { once: true });
    if (signal.aborted) this.#leave();
    else this.#subscription = this.#subscribe();
    // Its first values may have ended the answer before there was a subscription to leave.
    if (this.#hasEnded) this.#subscription?.unsubscribe();
    // A promise that was made an Observable ends right behind its value, before this goes on.
    if (this.#ready.length === 0 && !this.#hasEnded) await this.#woken();
    if (!this.#hasEnded || this.#ready.length > (this.#failure === null ? 1 : 0)) return this;
    if (this.#failure !== null) throw this.#failure;
    return this.#ready[0] ?? null;
  }

  get broken(): AbortSignal {
    return this.#broken.signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    while (this.#ready.length === 0 && !this.#hasEnded) await this.#woken();
    const value = this.#ready.shift();
    if (value !== undefined) {
      this.#readyBytes -= bytesOf(value);
      return { done: false, value };
    }
    if (this.#failure !== null) throw this.#failure;
    return END;
  }

  return(): Promise<IteratorResult<string, undefined>> {
    this.#leave();
    return Promise.resolve(END);
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #subscribe(): Subscription {
    // One that gives all its values at once asks in between whether they are wanted.
    return this.#parts.values.pipe(takeWhile(() => !this.#hasEnded)).subscribe({
      next: (value) => this.#add(value),
      error: (shown: unknown) => this.#end(failureOf(shown)),
      complete: () => this.#end(null),
    });
  }

  /** JSON has no undefined: Nest's own servers end the answer of a handler that returns nothing without a value, too. */
  #add(value: unknown): void {
    if (value === undefined || this.#hasEnded) return;
    try {
      const text = answerText({ response: value });
      this.#readyBytes += bytesOf(text);
      this.#ready.push(text);
    } catch (error) {
      this.#end(unwritable(error));
      return;
    }
    if (this.#readyBytes <= this.#parts.bufferBytes) this.#wake();
    else this.#overflow();
  }

  /** The values that wait are given up with the rest: to send them on would keep the memory for as long as the caller is slow. */
  #overflow(): void {
    const error = tooSlow(this.#parts.bufferBytes);
    this.#ready = [];
    this.#end(error);
    this.#broken.abort(error);
  }

  #leave(): void {
    this.#ready = [];
    this.#end(null);
    this.#failure = null;
  }

  #end(failure: Error | null): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#failure = failure;
    this.#subscription?.unsubscribe();
    this.#parts.ended(failure);
    this.#wake();
  }
}

/** @param shown the error as Nest gives it to the caller; its words are Nest's for unknown errors where it is no JSON */
export function failureOf(shown: unknown): AnsweredFailure {
  const cause = causeOf(shown);
  try {
    return new AnsweredFailure(answerText({ err: shown }), asError(cause), true);
  } catch {
    return unwritable(cause);
  }
}

/** A value that is no JSON, or an error that no filter has seen: only the service learns more. */
export function unwritable(cause: unknown): AnsweredFailure {
  return new AnsweredFailure(answerText({ err: INTERNAL_ERROR }), asError(cause));
}

function tooSlow(most: number): MillraceError {
  return new MillraceError(
    'BACK_PRESSURE',
    `The values of the handler came faster than its caller takes them, and those that wait had more than ${most} bytes: the answer has ended. ` +
      'Send fewer or smaller values, or raise answerBufferBytes of the server.',
  );
}

function bytesOf(text: string): number {
  return text.length + TEXT_BYTES;
}
