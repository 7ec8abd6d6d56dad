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

/** Takes the items as they come, in the place of an iteration. */
export interface ItemSink {
  /** Takes a JSON text at once; it must not throw. */
  readonly item: (text: string) => void;
  /** Is called once, behind the items; not when the sink itself has enough. @param error null when the answer is complete */
  readonly end: (error: Error | null) => void;
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
  #sink: ItemSink | null = null;
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
    return this.#isWaiting && this.#earlier[0] === this.#received;
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

  /**
   * Makes the call, and gives each item to the sink when it comes. In the place of an iteration.
   *
   * @returns a function that says that the sink has enough
   */
  pour(sink: ItemSink): () => void {
    this.#sink = sink;
    if (this.#state === 'idle') this.#begin();
    return () => this.#leave();
  }

  /** The consumer has enough: what it has not taken is dropped, and the source is told. */
  return(): Promise<IteratorResult<string, undefined>> {
    this.#leave();
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
    if (this.#isWaiting) this.#take();
    this.#hand(text);
    return 'taken';
  }

  /** The answer is this item alone. */
  only(text: string): void {
    if (this.#state === 'ended') return;
    // An end that the consumer makes of it while it takes the item concerns nobody.
    this.#state = 'ended';
    this.#hand(text);
    this.#end(null);
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

  get #isWaiting(): boolean {
    return this.#sink !== null || this.#waiting.length > 0;
  }

  #hand(text: string): void {
    if (this.#sink !== null) return this.#sink.item(text);
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#buffer.push(text);
    else waiter.resolve({ done: false, value: text });
  }

  #leave(): void {
    const wasOpen = this.#state === 'open';
    this.#buffer = [];
    this.#sink = null;
    this.#end(null);
    this.#error = null;
    if (wasOpen) this.#source.close();
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
    const sink = this.#sink;
    if (sink !== null) {
      this.#sink = null;
      sink.end(error);
      return;
    }
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
