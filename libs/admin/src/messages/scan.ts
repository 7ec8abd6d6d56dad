import type { Position, TopicDefinition } from '@millrace/core';
import type { LogItem, LogReader, PartitionFacts } from '@millrace/streams';
import { invalidCursor, isCount, isEntryId, partsOf } from '../page/cursor.js';
import { isWanted, mayBeWanted, type MessageFilter } from './message-filter.js';
import type { Mask } from '../view/mask.js';
import { type MessageView, viewOf } from './message-view.js';

/** A page ends early when its messages are larger than this together. */
export const MOST_BYTES = 4_000_000;

/** Most entries that one call reads. */
export const ENTRIES_A_CALL = 100;

/** How far a scan has come: where the next page begins. */
export interface ScanPosition {
  readonly partition: number;
  /** The last entry that is done with. */
  readonly after: string;
  /** The entry of which a part is done; '' for none. */
  readonly inside: string;
  /** The offset that comes next; null while none is known. */
  readonly next: number | null;
  readonly generation: string | null;
}

export function isScanPosition(value: unknown): value is ScanPosition {
  const parts = partsOf(value);
  if (parts === null) return false;
  const { partition, after, inside, next, generation } = parts;
  const isPlace = isCount(partition) && isEntryId(after) && (inside === '' || isEntryId(inside));
  const isGeneration = generation === null || (typeof generation === 'string' && generation.length <= 64);
  return isPlace && isGeneration && (next === null || isCount(next));
}

export interface ScanQuestion {
  readonly topic: TopicDefinition;
  /** One partition; undefined: all, one after the other. */
  readonly partition: number | undefined;
  readonly from: Position;
  readonly until: Date | null;
  readonly filter: MessageFilter;
  readonly mask: Mask;
  /** Most messages that are found, and entries that are read. */
  readonly limit: number;
  readonly mostEntries: number;
}

export interface Scanned {
  readonly items: readonly MessageView[];
  /** Messages that were looked at; an entry that is none counts as one. */
  readonly scanned: number;
  /** Messages that were removed between two pages, or whose entries are missing: no page has them. */
  readonly gone: number;
  /** Null at the end. */
  readonly position: object | null;
}

/** One page of a scan over the partitions of a topic, each from its oldest wanted message on. */
export class Scan {
  readonly #reader: LogReader;
  readonly #question: ScanQuestion;
  readonly #items: MessageView[] = [];
  #scanned = 0;
  #bytes = 0;
  #gone = 0;
  #entriesLeft: number;
  /** The end of the partition before it was read. */
  #nextOffset = 0;

  constructor(reader: LogReader, question: ScanQuestion) {
    this.#reader = reader;
    this.#question = question;
    this.#entriesLeft = question.mostEntries;
  }

  /** @throws MillraceError INVALID_CURSOR when the position is one in an earlier topic of that name, or in no such partition */
  async page(start: ScanPosition | null): Promise<Scanned> {
    const { topic, partition } = this.#question;
    const last = partition ?? topic.partitions - 1;
    let position = start ?? (await this.#begin(partition ?? 0));
    if (position.partition > last || (partition !== undefined && position.partition !== partition)) throw invalidCursor('it is none');
    if (start !== null) await this.#assertSame(start);
    while (!this.#isFull) {
      const stopped = await this.#partition(position);
      if (stopped !== null) return this.#end(stopped);
      if (position.partition === last) return this.#end(null);
      position = await this.#begin(position.partition + 1);
    }
    return this.#end(position);
  }

  get #isFull(): boolean {
    return this.#hasEnough || this.#entriesLeft <= 0;
  }

  get #hasEnough(): boolean {
    return this.#items.length >= this.#question.limit || this.#bytes >= MOST_BYTES;
  }

  #end(position: ScanPosition | null): Scanned {
    return { items: this.#items, scanned: this.#scanned, gone: this.#gone, position };
  }

  async #begin(partition: number): Promise<ScanPosition> {
    const { topic, from } = this.#question;
    const { generation, nextOffset } = await this.#reader.facts({ topic, partition });
    this.#nextOffset = nextOffset;
    const isStart = from === 'earliest' || generation === null;
    const { after, offset } = isStart ? { after: '0-0', offset: null } : await this.#reader.locate({ topic, partition }, from);
    // Wanted is the first entry that is there: what is missing before it is older than that.
    return { partition, after, inside: '', next: isStart ? null : offset, generation };
  }

  /** A log that was made anew counts its offsets from 0 on. */
  async #assertSame({ partition, generation }: ScanPosition): Promise<void> {
    const facts: PartitionFacts = await this.#reader.facts({ topic: this.#question.topic, partition });
    this.#nextOffset = facts.nextOffset;
    if (facts.generation !== generation) throw invalidCursor('the topic was made anew since');
  }

  /** @returns where the page ends inside the partition; null when it is done with it */
  async #partition(start: ScanPosition): Promise<ScanPosition | null> {
    const { topic, until } = this.#question;
    let position = start;
    while (!this.#isFull) {
      const range = { after: position.after, until, most: Math.min(ENTRIES_A_CALL, this.#entriesLeft) };
      const { items, entries, last, isEnd } = await this.#reader.read({ topic, partition: position.partition }, range);
      this.#entriesLeft -= entries;
      const stopped = this.#take(items, position);
      if (stopped !== null) return stopped;
      position = { ...position, after: last, inside: '', next: nextAfter(items, position.next) };
      if (isEnd) return this.#done(position.next);
    }
    return position;
  }

  /** Messages that are missing up to the end are gone, too. */
  #done(next: number | null): null {
    if (this.#question.until === null && next !== null) this.#gone += Math.max(0, this.#nextOffset - next);
    return null;
  }

  /** @returns where the page ends, when it is full before the last of the items */
  #take(items: readonly LogItem[], position: ScanPosition): ScanPosition | null {
    let { next, after } = position;
    for (const [index, item] of items.entries()) {
      if (!this.#isDone(item, position)) this.#look(item, next);
      next = item.offset === null ? next : item.offset + 1;
      const isLastOfEntry = items[index + 1]?.entry !== item.entry;
      if (isLastOfEntry) after = item.entry;
      const isEnd = this.#hasEnough && index < items.length - 1;
      if (isEnd) return { ...position, after, inside: isLastOfEntry ? '' : item.entry, next };
    }
    return null;
  }

  /** An entry has several messages: those before the first wanted one, and those that an earlier page has. */
  #isDone({ offset, entry }: LogItem, { inside, next }: ScanPosition): boolean {
    const { from } = this.#question;
    if (offset === null) return false;
    const isBefore = typeof from === 'object' && 'offset' in from && offset < from.offset;
    return isBefore || (entry === inside && next !== null && offset < next);
  }

  #look(item: LogItem, next: number | null): void {
    this.#scanned += 1;
    if (item.offset !== null && next !== null && item.offset > next) this.#gone += item.offset - next;
    const view = wantedView(this.#question, item);
    if (view === null) return;
    this.#items.push(view);
    this.#bytes += view.bytes;
  }
}

/** The message as its asker sees it; null when it does not fit the filter, which looks at nothing else. */
export function wantedView({ filter, mask }: ScanQuestion, item: LogItem): MessageView | null {
  if (!mayBeWanted(filter, item.envelope)) return null;
  const view = mask.message(viewOf(item));
  return isWanted(filter, view) ? view : null;
}

function nextAfter(items: readonly LogItem[], before: number | null): number | null {
  const last = items.findLast(({ offset }) => offset !== null)?.offset;
  return last === undefined || last === null ? before : last + 1;
}
