import { asError } from '@millrace/core';
import type { RedisArgument, RedisConnection, RunnableScript } from '@millrace/redis';
import type { EntryPlace, LedgerShard } from './ledger-shard.js';

const MOST_ITEMS = 64;
/** A call with larger arguments would keep others waiting for long, the sign of life of the process among them. */
const MOST_CHARACTERS = 262_144;

/** One entry in a call of a script, with its arguments, and what becomes of it. */
export interface TickItem {
  readonly place: EntryPlace;
  /** As many for each item. */
  readonly args: readonly string[];
  /** The reply of the script for this entry. */
  readonly answered: (reply: string) => void;
  readonly failed: (error: Error) => void;
}

interface Batch {
  readonly items: TickItem[];
  characters: number;
}

/**
 * Runs a script for many entries at once: those of one tick, for one connection, go in one call, up to 64 or 256 KiB. On a
 * Cluster a connection leads to a slot, and so each shard has a call of its own. The script answers with one text an entry.
 */
export class TickBatches {
  readonly #script: RunnableScript;
  readonly #head: readonly RedisArgument[];
  readonly #open = new Map<RedisConnection, Batch>();
  #isScheduled = false;

  /** @param head the arguments before those of the items */
  constructor(script: RunnableScript, head: readonly RedisArgument[]) {
    this.#script = script;
    this.#head = head;
  }

  add(item: TickItem): void {
    const { connection } = item.place.shard;
    const batch = this.#open.get(connection) ?? this.#begun(connection);
    batch.items.push(item);
    for (const arg of item.args) batch.characters += arg.length;
    if (batch.items.length === MOST_ITEMS || batch.characters >= MOST_CHARACTERS) {
      this.#open.delete(connection);
      void this.#send(connection, batch.items);
    }
  }

  #begun(connection: RedisConnection): Batch {
    const batch = { items: [], characters: 0 };
    this.#open.set(connection, batch);
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      process.nextTick(this.#flush);
    }
    return batch;
  }

  readonly #flush = (): void => {
    this.#isScheduled = false;
    for (const [connection, { items }] of this.#open) void this.#send(connection, items);
    this.#open.clear();
  };

  async #send(connection: RedisConnection, items: readonly TickItem[]): Promise<void> {
    const numbers = new Map<LedgerShard, number>();
    const keys: string[] = [];
    const args = [...this.#head];
    for (const { place, args: own } of items) {
      if (!numbers.has(place.shard)) {
        keys.push(...place.shard.keys);
        numbers.set(place.shard, numbers.size + 1);
      }
      args.push(numbers.get(place.shard)!, place.id, ...own);
    }
    try {
      const replies = (await connection.run(this.#script, keys, args)) as string[];
      items.forEach((item, index) => item.answered(replies[index] ?? '!there is no reply'));
    } catch (error) {
      for (const item of items) item.failed(asError(error));
    }
  }
}
