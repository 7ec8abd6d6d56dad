import { crc32 } from 'node:zlib';
import type { EntryFields } from '../log/entry.js';

/** How many entries are remembered: as many as a failover may lose, and still be made good. */
const MOST = 1_000;

/** What was read last of one log, to find where another log goes the same way. Entry ids alone do not tell: they repeat. */
export class Trail {
  /** Entry id -> checksum of what it held, in the order of the log. */
  readonly #marks = new Map<string, number>();

  add(id: string, fields: EntryFields): void {
    this.#marks.set(id, checksum(fields));
    if (this.#marks.size > MOST) this.#marks.delete(this.#oldest()!);
  }

  /** Whether this entry was read: it is remembered, or older than anything that is. */
  covers(id: string, fields: EntryFields): boolean {
    const oldest = this.#oldest();
    if (oldest === undefined) return false;
    return this.#marks.get(id) === checksum(fields) || isBefore(id, oldest);
  }

  clear(): void {
    this.#marks.clear();
  }

  #oldest(): string | undefined {
    return this.#marks.keys().next().value;
  }
}

function checksum(fields: EntryFields): number {
  return crc32((fields ?? []).join('\n'));
}

function isBefore(id: string, other: string): boolean {
  const [[ms, number], [otherMs, otherNumber]] = [partsOf(id), partsOf(other)];
  return ms < otherMs || (ms === otherMs && number < otherNumber);
}

function partsOf(id: string): [ms: bigint, number: bigint] {
  const [ms = '0', number = '0'] = id.split('-');
  return [BigInt(ms), BigInt(number)];
}
