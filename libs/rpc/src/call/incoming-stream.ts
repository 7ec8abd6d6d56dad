import { RpcIndefiniteError } from '../errors.js';

/** The side that the items come from. */
export interface StreamSource {
  /** The first item is wanted: nothing has been sent before. */
  readonly begin: (stream: IncomingStream) => void;
  /** Items up to this number may be sent. */
  readonly grant: (upTo: number) => void;
  /** No more items are wanted, though there may be some. */
  readonly close: () => void;
}

interface Waiter {
  readonly resolve: (result: IteratorResult<string, undefined>) => void;
  readonly reject: (error: Error) => void;
}

const END = Object.freeze({ done: true, value: undefined } as const);

/**
 * A streamed answer as its consumer takes it: JSON texts, in order, without a gap. States: idle -> open -> ended. It holds at
 * most a window of items that the consumer has not taken, and grants more when half of that has been taken.
 */
export class IncomingStream implements AsyncIterableIterator<string, undefined, undefined> {
  readonly window: number;
  readonly #source: StreamSource;
  #buffer: string[] = [];
  #waiting: Waiter[] = [];
  #state: 'idle' | 'open' | 'ended' = 'idle';
  #error: Error | null = null;
  #received = 0;
  #taken = 0;
  #granted: number;
  /** Grants before that, which the items have not passed: the source may have heard of no later one. */
  #earlier: number[] = [];

  constructor(window: number, source: StreamSource) {
    this.window = window;
    this.#granted = window;
    this.#source = source;
  }

  /** The number of the last item that may be sent. */
  get granted(): number {
    return this.#granted;
  }

  /** Whether the consumer waits, and the source may stand still since it has not heard of the last grant. */
  get isStarving(): boolean {
    return this.#waiting.length > 0 && this.#earlier[0] === this.#received;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<string, undefined>> {
    const item = this.#buffer.shift();
    if (item !== undefined) {
      this.#take();
      return Promise.resolve({ done: false, value: item });
    }
    if (this.#state === 'ended') return this.#ending();
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#state === 'idle') this.#begin();
    });
  }

  /** The consumer has enough: what it has not taken is dropped, and the source is told. */
  return(): Promise<IteratorResult<string, undefined>> {
    const wasOpen = this.#state === 'open';
    this.#buffer = [];
    this.#end(null);
    this.#error = null;
    if (wasOpen) this.#source.close();
    return Promise.resolve(END);
  }

  /**
   * @param number that of the item: 1 for the first
   * @returns `'dropped'` for one that came before; `'gap'` when the one before it has not come, or it was not granted
   */
  item(number: number, text: string): 'taken' | 'dropped' | 'gap' {
    if (this.#state === 'ended' || number <= this.#received) return 'dropped';
    if (number !== this.#received + 1 || number > this.#granted) return 'gap';
    this.#received = number;
    if (this.#earlier[0] !== undefined && this.#earlier[0] < number) this.#earlier.shift();
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#buffer.push(text);
    else {
      this.#take();
      waiter.resolve({ done: false, value: text });
    }
    return 'taken';
  }

  /** @param count how many items were sent by now; an earlier word that comes again says nothing */
  hasAll(count: number): boolean {
    return count <= this.#received;
  }

  /** Ends it behind the items that have come. */
  end(error: Error | null): void {
    if (this.#state !== 'ended') this.#end(error);
  }

  /** Ends it in front of them: the consumer, its deadline, or its process has given up. */
  giveUp(error: Error): void {
    if (this.#state === 'ended') return;
    this.#buffer = [];
    this.#end(error);
  }

  #begin(): void {
    this.#state = 'open';
    this.#source.begin(this);
  }

  #take(): void {
    this.#taken += 1;
    if (this.#state === 'ended') return;
    const upTo = this.#taken + this.window;
    if (upTo - this.#granted < this.window / 2) return;
    this.#earlier.push(this.#granted);
    this.#granted = upTo;
    this.#source.grant(upTo);
  }

  #end(error: Error | null): void {
    this.#state = 'ended';
    this.#error = error;
    for (const { resolve, reject } of this.#waiting.splice(0)) this.#ending().then(resolve, reject);
  }

  /** An error is thrown once. */
  #ending(): Promise<IteratorResult<string, undefined>> {
    const error = this.#error;
    this.#error = null;
    return error === null ? Promise.resolve(END) : Promise.reject(error);
  }
}

export function incomplete(): RpcIndefiniteError {
  return new RpcIndefiniteError('Items of a streamed answer are lost, so its end is not known. Its method may have been executed.');
}
