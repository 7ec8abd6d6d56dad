import type { Context } from '../command.js';
import type { Value } from '../keyspace.js';
import { RedisError } from '../reply.js';
import { type EntryId, HIGHEST, LOWEST } from './entry-id.js';
import { Group } from './group.js';
import { IdList } from './id-list.js';

export interface Entry {
  readonly id: EntryId;
  readonly fields: readonly string[];
}

/** The entries of a stream and its groups. The counters follow Redis, so that the lag that it tells is the same. */
export class Stream implements Value {
  readonly type = 'stream';
  readonly entries = new IdList<Entry>();
  readonly groups = new Map<string, Group>();
  lastId: EntryId = LOWEST;
  firstId: EntryId = LOWEST;
  maxDeletedId: EntryId = LOWEST;
  added = 0;

  get isExhausted(): boolean {
    return this.lastId === HIGHEST;
  }

  add(id: EntryId, fields: readonly string[]): void {
    this.entries.add({ id, fields });
    this.lastId = id;
    this.added += 1;
    this.#findFirst();
  }

  delete(id: EntryId): boolean {
    const entry = this.entries.find(id);
    if (!entry) return false;
    this.entries.remove(entry);
    if (id > this.maxDeletedId) this.maxDeletedId = id;
    this.#findFirst();
    return true;
  }

  /** Removes the oldest entries. */
  trim(count: number): number {
    this.entries.shift(count);
    if (count > 0) this.#findFirst();
    return count;
  }

  groupsByName(): Group[] {
    return [...this.groups.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** Remembers that a group has got an entry. */
  delivered(group: Group, id: EntryId): void {
    if (id <= group.lastId) return;
    if (group.entriesRead !== null && !this.#hasDeletedFrom(id)) group.entriesRead += 1;
    else if (this.added > 0) group.entriesRead = this.#distance(id);
    group.lastId = id;
  }

  /** How many entries the group has not got; null when that is not known. */
  lag(group: Group): number | null {
    if (this.added === 0) return 0;
    const isKnown = group.entriesRead !== null && !this.#hasDeletedFrom(group.lastId);
    const read = isKnown ? group.entriesRead : this.#distance(group.lastId);
    return read === null ? null : this.added - read;
  }

  #findFirst(): void {
    this.firstId = this.entries.first?.id ?? LOWEST;
  }

  #hasDeletedFrom(id: EntryId): boolean {
    return this.entries.size > 0 && this.maxDeletedId >= this.firstId && id <= this.maxDeletedId;
  }

  /** How many entries were ever added up to an id; null where Redis cannot tell. */
  #distance(id: EntryId): number | null {
    if (this.added === 0) return 0;
    if (this.entries.size === 0 && id <= this.lastId) return this.added;
    if (id >= this.lastId) return id === this.lastId ? this.added : null;
    const isWhole = this.maxDeletedId === LOWEST || this.maxDeletedId < this.firstId;
    if (!isWhole || id > this.firstId) return null;
    return this.added - this.entries.size + (id === this.firstId ? 1 : 0);
  }
}

export function streamAt(context: Context, key: string): Stream | undefined {
  return context.keys.get(key, Stream);
}

export function noGroup(key: string, group: string): RedisError {
  return new RedisError(`NOGROUP No such consumer group '${group}' for key name '${key}'`);
}

export function noKeyOrGroup(key: string, group: string): RedisError {
  return new RedisError(`NOGROUP No such key '${key}' or consumer group '${group}'`);
}
