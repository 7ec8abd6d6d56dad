import type { SettledStream } from './settlement.js';

/** How pending entries are to be read again: `taken` when an instance that is gone may have begun some. */
export type Again = 'read' | 'taken';

/** A stream of requests that an instance reads, and the requests of it that are in the hands of the instance. */
export class RequestStream<Held extends { readonly entryId: string }> implements SettledStream {
  readonly key: string;
  /** Whether its requests are for this instance alone. */
  readonly isOwn: boolean;
  readonly #held = new Map<string, Held>();
  /** Requests that were let go of since the pending entries began to be read: these may still list them. */
  #letGoOf: Set<string> | null = null;
  #again: Again | null = null;

  constructor(key: string, isOwn: boolean) {
    this.key = key;
    this.isOwn = isOwn;
  }

  get size(): number {
    return this.#held.size;
  }

  get held(): Iterable<Held> {
    return this.#held.values();
  }

  /** Whether the request is held, or was held when the pending entries began to be read. */
  knows(id: string): boolean {
    return this.#held.has(id) || (this.#letGoOf?.has(id) ?? false);
  }

  hold(request: Held): void {
    this.#held.set(request.entryId, request);
  }

  letGo(id: string): void {
    this.#held.delete(id);
    this.#letGoOf?.add(id);
  }

  /** Lets go of a request that is to be read again. */
  forget(id: string, how: Again): void {
    this.#held.delete(id);
    this.readAgain(how);
  }

  readAgain(how: Again): void {
    if (this.#again !== 'taken') this.#again = how;
  }

  /** How pending entries are to be read that nobody holds; null when there are none. */
  takeAgain(): Again | null {
    const again = this.#again;
    this.#again = null;
    return again;
  }

  /** Runs `read`, which reads pending entries. */
  async whileReading(read: () => Promise<void>): Promise<void> {
    this.#letGoOf = new Set();
    try {
      await read();
    } finally {
      this.#letGoOf = null;
    }
  }
}
