import type { OutgoingCall, RpcRequest, Serving, StreamingMethod } from '@millrace/rpc';
import { SERVICE } from './rpc-ground.js';
import type { RpcProcess } from './rpc-process.js';

export type Stream = (request: RpcRequest) => AsyncIterable<string>;

/** Serves methods of these names, which answer with streams. */
export function serveStreams({ rpc }: RpcProcess, methods: Record<string, StreamingMethod['stream']>, concurrency = 16): Promise<Serving> {
  const served = new Map(Object.entries(methods).map(([name, stream]) => [name, { idempotent: false, stream }]));
  return rpc.serve({ ...SERVICE, concurrency, methods: served });
}

export function streamOf({ rpc }: RpcProcess, method: string, options: Partial<OutgoingCall> = {}): Items {
  const call = { ...SERVICE, method, payloadJson: '1', timeoutMs: 60_000, idempotent: false, ...options };
  return rpc.stream(call)[Symbol.asyncIterator]() as Items;
}

export type Items = AsyncIterableIterator<string, undefined, undefined>;

/** All items. */
export async function gathered(items: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export interface End {
  readonly items: string[];
  readonly error: { readonly code?: string } | null;
}

/** The items that came, and the error behind them. */
export async function endOf(items: AsyncIterable<string>): Promise<End> {
  const found: string[] = [];
  try {
    for await (const item of items) found.push(item);
  } catch (error) {
    return { items: found, error: error as { code?: string } };
  }
  return { items: found, error: null };
}

/** The numbers from 0 on, as JSON texts. */
export function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, value) => `${value}`);
}

/** A method that counts from 0 on, for ever or to an end, and tells how far it is. */
export class Counting {
  made = 0;
  closed = 0;
  readonly #end: number;

  constructor(end = Number.POSITIVE_INFINITY) {
    this.#end = end;
  }

  readonly stream: Stream = () => this.#count();

  async *#count(): AsyncGenerator<string> {
    try {
      while (this.made < this.#end) {
        this.made += 1;
        yield `${this.made - 1}`;
      }
    } finally {
      this.closed += 1;
    }
  }
}
