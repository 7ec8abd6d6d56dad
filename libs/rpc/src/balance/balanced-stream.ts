import type { OutgoingCall } from '../call/outgoing-call.js';
import { RpcCancelledError } from '../errors.js';
import { ended, Outbound, type Send } from './outbound.js';

const END = Object.freeze({ done: true, value: undefined } as const);

/** A streamed answer that has begun, and how the policies around it learn what becomes of it. */
interface Begun {
  readonly items: AsyncIterator<string>;
  readonly end: () => void;
  readonly fail: (error: unknown) => void;
}

export interface BalancedStreamParts {
  readonly call: OutgoingCall;
  /** Puts the policies of the client around a call. */
  readonly around: (send: Send) => Send;
  readonly open: (call: OutgoingCall) => AsyncIterable<string>;
}

/** A streamed answer whose call goes through policies: for them it is a call that lasts until the stream has ended. */
export class BalancedStream implements AsyncIterableIterator<string, undefined, undefined> {
  readonly #parts: BalancedStreamParts;
  #outbound: Outbound | null = null;
  #beginning: Promise<Begun> | null = null;
  /** Items that the consumer waits for. */
  #asked = 0;
  #hasItem = false;
  #hasEnded = false;

  constructor(parts: BalancedStreamParts) {
    this.#parts = parts;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    this.#asked += 1;
    try {
      return await this.#nextOf(await (this.#beginning ??= this.#begin()));
    } catch (error) {
      if (this.#hasEnded) return END;
      this.#hasEnded = true;
      throw error;
    } finally {
      this.#asked -= 1;
    }
  }

  async return(): Promise<IteratorResult<string, undefined>> {
    this.#hasEnded = true;
    this.#outbound?.giveUp();
    const begun = await this.#beginning?.catch(() => null);
    if (!begun) return END;
    if (this.#hasItem) begun.end();
    else begun.fail(new RpcCancelledError('The stream was given up before its first item came.'));
    await begun.items.return?.();
    return END;
  }

  async #nextOf({ items, end, fail }: Begun): Promise<IteratorResult<string, undefined>> {
    if (this.#hasEnded) return END;
    try {
      const result = await items.next();
      if (result.done === true) {
        end();
        return END;
      }
      if (!this.#hasItem) this.#heard();
      return result;
    } catch (error) {
      fail(error);
      throw error;
    }
  }

  #heard(): void {
    this.#hasItem = true;
    this.#outbound?.begun?.open();
  }

  #begin(): Promise<Begun> {
    const { call, around, open } = this.#parts;
    const outbound = Outbound.ofStream(call);
    this.#outbound = outbound;
    return new Promise((resolve, reject) => {
      let end = (): void => undefined;
      const send: Send = ({ call: sent }) => new Promise((done, fail) => {
        end = () => done(null);
        resolve({ items: open(sent)[Symbol.asyncIterator](), end, fail });
      });
      const unwatch = this.#watch(outbound, () => end());
      // Once it has begun, its error is that of the stream.
      ended(around(send)(outbound), unwatch).catch(reject);
    });
  }

  /** A consumer that has dropped the stream without a word learns of no deadline: it would hold its place for ever. */
  #watch({ remainingMs, call: { signal } }: Outbound, end: () => void): () => void {
    const over = (): void => {
      if (this.#asked === 0) end();
    };
    const timer = setTimeout(over, remainingMs).unref();
    signal?.addEventListener('abort', over);
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', over);
    };
  }
}
