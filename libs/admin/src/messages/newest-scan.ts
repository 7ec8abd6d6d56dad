import type { LogItem, LogReader, PartitionFacts } from '@millrace/streams';
import { invalidCursor, isCount, isEntryId, partsOf, questionOf } from '../page/cursor.js';
import type { MessageView } from './message-view.js';
import { ENTRIES_A_CALL, MOST_BYTES, type Scanned, type ScanQuestion, wantedView } from './scan.js';

/**
 * The last message that was looked at. All partitions have one order: the later millisecond first, in it the lower partition, in
 * that the higher entry, and in that the higher offset. So one place tells of each partition how far it was read.
 */
export interface NewestPosition {
  readonly partition: number;
  readonly entry: string;
  /** Null for an entry that Millrace did not write. */
  readonly offset: number | null;
  /** Tells the logs from those that had their names before. */
  readonly generations: string;
}

export function isNewestPosition(value: unknown): value is NewestPosition {
  const { partition, entry, offset, generations } = partsOf(value) ?? {};
  const isPlace = isCount(partition) && isEntryId(entry) && (offset === null || isCount(offset));
  return isPlace && typeof generations === 'string' && generations.length <= 64;
}

/** One partition, of which some entries are read ahead. */
interface Source {
  readonly partition: number;
  /** Where it ends. */
  readonly after: string;
  items: LogItem[];
  /** From where on it is read next, as XREVRANGE takes it; null when all of it was read. */
  from: string | null;
}

/** One page of a scan over the partitions of a topic at once, the newest message first. */
export class NewestScan {
  readonly #reader: LogReader;
  readonly #question: ScanQuestion;
  readonly #items: MessageView[] = [];
  /** By partition, the offset of the last message that was looked at. */
  readonly #offsets = new Map<number, number>();
  #scanned = 0;
  #bytes = 0;
  #gone = 0;
  #entriesLeft: number;

  constructor(reader: LogReader, question: ScanQuestion) {
    this.#reader = reader;
    this.#question = question;
    this.#entriesLeft = question.mostEntries;
  }

  /** @throws MillraceError INVALID_CURSOR when the position is one in an earlier topic of that name, or in no such partition */
  async page(start: NewestPosition | null): Promise<Scanned> {
    const { topic, partition, limit } = this.#question;
    const partitions = partition === undefined ? Array.from({ length: topic.partitions }, (_, index) => index) : [partition];
    const facts = await Promise.all(partitions.map((one) => this.#reader.facts({ topic, partition: one })));
    const generations = questionOf(...facts.map(({ generation }) => generation));
    if (start !== null && !partitions.includes(start.partition)) throw invalidCursor('it is none');
    if (start !== null && start.generations !== generations) throw invalidCursor('the topic was made anew since');
    const sources = await Promise.all(facts.map((one) => this.#source(one, start)));
    await Promise.all(sources.map((source) => this.#read(source, Math.ceil(limit / sources.length))));
    const last = await this.#take(sources, start);
    const position = last === null ? null : { partition: last.partition, entry: last.entry, offset: last.offset, generations };
    return { items: this.#items, scanned: this.#scanned, gone: this.#gone, position };
  }

  async #source({ partition, generation }: PartitionFacts, start: NewestPosition | null): Promise<Source> {
    const { topic, from } = this.#question;
    if (generation === null) return { partition, after: '0-0', items: [], from: null };
    const after = from === 'earliest' ? '0-0' : (await this.#reader.locate({ topic, partition }, from)).after;
    return { partition, after, items: [], from: this.#beginOf(partition, start) };
  }

  /** From which entry on a partition is read. */
  #beginOf(partition: number, start: NewestPosition | null): string | null {
    const { until } = this.#question;
    if (start === null) return until === null ? '+' : `${until.getTime()}`;
    // The entry itself may have messages that are left.
    if (partition === start.partition) return start.entry;
    const ms = BigInt(start.entry.split('-')[0]!);
    if (partition > start.partition) return `${ms}`;
    return ms === 0n ? null : `${ms - 1n}`;
  }

  /**
   * Takes the newest message of all partitions again and again.
   *
   * @returns the last that was looked at; null at the end
   */
  async #take(sources: readonly Source[], start: NewestPosition | null): Promise<LogItem | null> {
    for (;;) {
      const source = newestOf(sources);
      if (!source) return null;
      const item = source.items.shift()!;
      if (!this.#isDone(item, start)) this.#look(item);
      if (this.#items.length >= this.#question.limit || this.#bytes >= MOST_BYTES) return hasMore(sources) ? item : null;
      const isDry = source.items.length === 0 && source.from !== null;
      if (isDry && this.#isOutOfEntries) return item;
      if (isDry) await this.#read(source, this.#question.limit - this.#items.length);
    }
  }

  /** A page looks at one message at least, so that each next one begins further on. */
  get #isOutOfEntries(): boolean {
    return this.#entriesLeft <= 0 && this.#scanned > 0;
  }

  /** Reads ahead, one entry at least: without one of each partition nobody knows which message is the newest. */
  async #read(source: Source, wanted: number): Promise<void> {
    const { topic } = this.#question;
    while (source.from !== null && source.items.length === 0) {
      const most = Math.max(1, Math.min(ENTRIES_A_CALL, wanted, this.#entriesLeft));
      const range = { from: source.from, after: source.after, most };
      const { items, entries, last, isEnd } = await this.#reader.readBack({ topic, partition: source.partition }, range);
      this.#entriesLeft -= entries;
      source.items = [...items];
      source.from = isEnd ? null : `(${last}`;
    }
  }

  /** An entry has several messages: those before the first wanted one, and those that an earlier page has. */
  #isDone({ partition, entry, offset }: LogItem, start: NewestPosition | null): boolean {
    const { from } = this.#question;
    const isSameEntry = start !== null && partition === start.partition && entry === start.entry;
    if (offset === null || (isSameEntry && start.offset === null)) return isSameEntry;
    if (typeof from === 'object' && 'offset' in from && offset < from.offset) return true;
    return isSameEntry && offset >= start.offset!;
  }

  #look(item: LogItem): void {
    this.#scanned += 1;
    const { partition, offset } = item;
    if (offset !== null) {
      const later = this.#offsets.get(partition);
      if (later !== undefined) this.#gone += Math.max(0, later - 1 - offset);
      this.#offsets.set(partition, offset);
    }
    const view = wantedView(this.#question, item);
    if (view === null) return;
    this.#items.push(view);
    this.#bytes += view.bytes;
  }
}

/** The partition whose next message is the newest: each has one read ahead, or is at its end. */
function newestOf(sources: readonly Source[]): Source | undefined {
  const msOf = ({ items }: Source): number => Number(items[0]!.entry.split('-')[0]);
  const [first, ...others] = sources.filter(({ items }) => items.length > 0);
  return first && others.reduce((best, source) => (msOf(source) > msOf(best) ? source : best), first);
}

function hasMore(sources: readonly Source[]): boolean {
  return sources.some(({ items, from }) => items.length > 0 || from !== null);
}
