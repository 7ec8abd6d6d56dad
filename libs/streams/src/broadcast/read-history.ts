import { crc32 } from 'node:zlib';
import { type EntryFields, spanOf } from '../log/entry.js';

/** Most entries that are remembered: a failover that loses more cannot be followed. */
const MOST = 1_000;

interface Mark {
  readonly checksum: number;
  /** Offset of its first message; NaN for a foreign entry. */
  readonly base: number;
}

/** The last entries read of one log, to find them in another log. Entry ids alone do not identify them: they repeat. */
export class ReadHistory {
  /** By entry id, in the order in which they were read. */
  readonly #marks = new Map<string, Mark>();

  add(id: string, fields: EntryFields): void {
    this.#marks.set(id, { checksum: checksum(fields), base: baseOf(id, fields) });
    if (this.#marks.size > MOST) this.#marks.delete(this.#oldest()![0]);
  }

  /**
   * Whether this entry was read: it is remembered, or older than all remembered ones, by its id and by its offset. When all
   * remembered entries were lost, new ones may have lower ids, but not lower offsets.
   */
  covers(id: string, fields: EntryFields): boolean {
    const oldest = this.#oldest();
    if (oldest === undefined) return false;
    if (this.has(id, fields)) return true;
    const [oldestId, { base }] = oldest;
    return isBefore(id, oldestId) && !(baseOf(id, fields) >= base);
  }

  /** Whether this very entry is remembered. */
  has(id: string, fields: EntryFields): boolean {
    return this.#marks.get(id)?.checksum === checksum(fields);
  }

  #oldest(): [id: string, mark: Mark] | undefined {
    return this.#marks.entries().next().value;
  }
}

/** Offset of its first message; NaN for a foreign entry. */
export function baseOf(id: string, fields: EntryFields): number {
  return spanOf(id, fields)?.base ?? Number.NaN;
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
