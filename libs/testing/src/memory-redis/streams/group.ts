import type { EntryId } from './entry-id.js';
import { IdList } from './id-list.js';

/** An entry that a consumer has and did not acknowledge. */
export interface Pending {
  readonly id: EntryId;
  consumer: Consumer;
  deliveredAt: number;
  deliveries: number;
}

export class Consumer {
  readonly name: string;
  readonly pending = new IdList<Pending>();
  seenAt: number;

  constructor(name: string, now: number) {
    this.name = name;
    this.seenAt = now;
  }
}

export class Group {
  readonly name: string;
  readonly pending = new IdList<Pending>();
  readonly #consumers = new Map<string, Consumer>();
  lastId: EntryId;
  /** Null when it is not known. */
  entriesRead: number | null;

  constructor(name: string, lastId: EntryId, entriesRead: number | null) {
    this.name = name;
    this.lastId = lastId;
    this.entriesRead = entriesRead;
  }

  /** In the order of their names, as Redis keeps them. */
  consumers(): Consumer[] {
    return [...this.#consumers.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  consumer(name: string): Consumer | undefined {
    return this.#consumers.get(name);
  }

  /** Makes it when it is not there, and remembers that it was seen. */
  seen(name: string, now: number): Consumer {
    const consumer = this.#consumers.get(name) ?? new Consumer(name, now);
    consumer.seenAt = now;
    this.#consumers.set(name, consumer);
    return consumer;
  }

  forget(consumer: Consumer): void {
    for (const pending of consumer.pending.items) this.pending.remove(pending);
    this.#consumers.delete(consumer.name);
  }

  /** Gives an entry to a consumer, also one that another has. */
  give(id: EntryId, consumer: Consumer, now: number): void {
    const known = this.pending.find(id);
    if (known) {
      this.move(known, consumer);
      known.deliveredAt = now;
      known.deliveries = 1;
      return;
    }
    const pending = { id, consumer, deliveredAt: now, deliveries: 1 };
    this.pending.add(pending);
    consumer.pending.add(pending);
  }

  move(pending: Pending, consumer: Consumer): void {
    if (pending.consumer === consumer) return;
    pending.consumer.pending.remove(pending);
    pending.consumer = consumer;
    consumer.pending.add(pending);
  }

  release(pending: Pending): void {
    this.pending.remove(pending);
    pending.consumer.pending.remove(pending);
  }
}
