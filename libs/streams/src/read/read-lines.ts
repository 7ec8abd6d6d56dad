import { settlesWithin } from '@millrace/redis';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import { pagesOf } from '../log/pages.js';
import { ReadLine, type ReadLineParts } from './read-line.js';
import type { ReadWay } from './read-way.js';

/** A node that does not answer within this time holds up no others. */
const SLOW_MS = 100;

export interface ReadLinesParts extends ReadLineParts {
  readonly way: ReadWay;
  readonly places: readonly GroupPartition[];
}

/** A line, and what is to be read there. */
export type Division<T> = readonly [line: ReadLine, items: readonly T[]];

/** All lines of a subscription: one on a single server; in a Cluster one for each slot with a partition. */
export class ReadLines {
  readonly #lines: readonly ReadLine[];
  readonly #lineOf: ReadonlyMap<GroupPartition, ReadLine>;

  constructor({ places, ...parts }: ReadLinesParts) {
    const together = pagesOf(places, places.length, ({ streams: [log] }) => parts.way.sharedTo(log));
    this.#lines = together.map(({ partitions }) => new ReadLine(parts, partitions));
    this.#lineOf = new Map(this.#lines.flatMap((line) => line.places.map((place) => [place, line] as const)));
  }

  problem(): string | null {
    return this.#lines.find(({ problem }) => problem !== null)?.problem ?? null;
  }

  /** Everything is looked after before the next read. */
  doubt(why: string | null): void {
    for (const line of this.#lines) line.doubt(why);
  }

  /** How many entries reads ask for that are under way. */
  get asked(): number {
    return this.#lines.length === 1 ? 0 : this.#lines.reduce((sum, { asked }) => sum + asked, 0);
  }

  /** Divides what is to be read. @param placeOf the partition of an item */
  divide<T>(items: readonly T[], placeOf: (item: T) => GroupPartition): Division<T>[] {
    if (this.#lines.length === 1) return [[this.#lines[0]!, items]];
    const divided = new Map<ReadLine, T[]>();
    for (const item of items) {
      const line = this.#lineOf.get(placeOf(item))!;
      const own = divided.get(line);
      if (own) own.push(item);
      else divided.set(line, [item]);
    }
    return [...divided];
  }

  /** Those of the streams that can be read now; the others are put off. */
  async open(streams: readonly GroupStream[], signal: AbortSignal): Promise<readonly GroupStream[]> {
    const divided = this.divide(streams, ({ partition }) => partition);
    const closed = divided.filter(([{ isOpen }]) => !isOpen);
    if (closed.length === 0) return streams;
    await this.together(closed.map(([line]) => line.open(signal)));
    return divided.flatMap(([line, own]) => {
      if (line.isOpen) return own;
      for (const stream of own) line.putOff(stream);
      return [];
    });
  }

  /** Resolves when all are done; but where there are several lines, the slow ones are not waited for. */
  async together(work: readonly Promise<unknown>[]): Promise<void> {
    const all = Promise.all(work);
    if (this.#lines.length === 1) await all;
    else await settlesWithin(all, SLOW_MS);
  }

  /** Resolves when no read is under way. */
  async rest(): Promise<void> {
    await Promise.all(this.#lines.map((line) => line.rest()));
  }

  /** How long until one of them can be tried again, in milliseconds. */
  get restsMs(): number {
    return Math.min(...this.#lines.map(({ restsMs }) => restsMs));
  }
}
