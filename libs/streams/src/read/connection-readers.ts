import { settlesWithin } from '@millrace/redis';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import { pagesOf } from '../log/pages.js';
import { ConnectionReader, type ConnectionReaderParts, type ProblemEnd } from './connection-reader.js';
import type { ReadWay } from './read-way.js';

/** A node that does not answer within this time holds up no others. */
const SLOW_MS = 100;

export interface ConnectionReadersParts extends ConnectionReaderParts {
  readonly way: ReadWay;
  readonly places: readonly GroupPartition[];
}

/** A reader, and what it is to read. */
export type Division<T> = readonly [reader: ConnectionReader, items: readonly T[]];

/** The readers of a subscription: one on a single server; in a Cluster one for each slot with a partition. */
export class ConnectionReaders {
  readonly #readers: readonly ConnectionReader[];
  readonly #readerOf: ReadonlyMap<GroupPartition, ConnectionReader>;

  constructor({ places, ...parts }: ConnectionReadersParts) {
    const together = pagesOf(places, places.length, ({ streams: [log] }) => parts.way.sharedTo(log));
    this.#readers = together.map(({ partitions }) => new ConnectionReader(parts, partitions));
    this.#readerOf = new Map(this.#readers.flatMap((reader) => reader.places.map((place) => [place, reader] as const)));
  }

  problem(): string | null {
    return this.#readers.find(({ problem }) => problem !== null)?.problem ?? null;
  }

  get areWell(): boolean {
    return this.#readers.every(({ problem }) => problem === null);
  }

  /** Everything is looked after before the next read. */
  doubt(why: string | null, until?: ProblemEnd): void {
    for (const reader of this.#readers) reader.doubt(why, until);
  }

  /** How many entries reads ask for that are under way. */
  get asked(): number {
    return this.#readers.length === 1 ? 0 : this.#readers.reduce((sum, { asked }) => sum + asked, 0);
  }

  /** Divides what is to be read. @param placeOf the partition of an item */
  divide<T>(items: readonly T[], placeOf: (item: T) => GroupPartition): Division<T>[] {
    if (this.#readers.length === 1) return [[this.#readers[0]!, items]];
    const divided = new Map<ConnectionReader, T[]>();
    for (const item of items) {
      const reader = this.#readerOf.get(placeOf(item))!;
      const own = divided.get(reader);
      if (own) own.push(item);
      else divided.set(reader, [item]);
    }
    return [...divided];
  }

  /** Those of the streams that can be read now; the others are put off. */
  async open(streams: readonly GroupStream[], signal: AbortSignal): Promise<readonly GroupStream[]> {
    const divided = this.divide(streams, ({ partition }) => partition);
    const closed = divided.filter(([{ isOpen }]) => !isOpen);
    if (closed.length === 0) return streams;
    await this.together(closed.map(([reader]) => reader.open(signal)));
    return divided.flatMap(([reader, own]) => {
      if (reader.isOpen) return own;
      for (const stream of own) reader.putOff(stream);
      return [];
    });
  }

  /** Resolves when all are done; but where there are several readers, the slow ones are not waited for. */
  async together(work: readonly Promise<unknown>[]): Promise<void> {
    const all = Promise.all(work);
    if (this.#readers.length === 1) await all;
    else await settlesWithin(all, SLOW_MS);
  }

  /** Resolves when no read is under way. */
  async rest(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.rest()));
  }

  /** How long until one of them can be tried again, in milliseconds. */
  get restsMs(): number {
    return Math.min(...this.#readers.map(({ restsMs }) => restsMs));
  }
}
