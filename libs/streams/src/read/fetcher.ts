import { emit, errorRecord, Loop } from '@millrace/core';
import { BLOCK_MS, type RedisConnection } from '@millrace/redis';
import type { Dispatcher } from '../consume/dispatcher.js';
import type { Feedback } from '../consume/feedback.js';
import type { Fetching } from '../consume/fetching.js';
import type { GroupStream } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { Moment } from '../consume/held-entry.js';
import type { Partition } from '../consume/partition.js';
import type { Membership } from '../group/membership.js';
import { takenText } from '../ring/ring-text.js';
import { BlockedRead } from './blocked-read.js';
import { FetchPlan } from './fetch-plan.js';
import { LateReads } from './late-reads.js';
import { ConnectionReaders, type Division } from './connection-readers.js';
import type { ReadWay } from './read-way.js';
import type { RingWait } from './ring-wait.js';

/** A subscription that has received nothing for so long waits for rings again. */
const QUIET_MS = 5_000;

export interface FetcherParts {
  readonly way: ReadWay;
  readonly rings: RingWait;
  readonly membership: Membership;
  readonly control: RedisConnection;
  readonly member: string;
  readonly partitions: readonly Partition[];
  readonly feedback: Pick<Feedback, 'isLost' | 'recover' | 'rejoin'>;
  readonly dispatcher: Dispatcher;
  readonly held: HeldEntries;
}

/** `[[stream, [[id, [field, value, ...]], ...]], ...]`, or null when nothing came. */
type ReadReply = [string, [string, string[]][]][] | null;

/**
 * Reads as many messages as there are free slots. While the subscription is busy, the read waits inside Redis, on a connection
 * of its own; while it is idle, it reads when somebody rings. After a failed read Redis may have given entries to this member, so
 * the next round looks for them first.
 */
export class Fetcher implements Fetching {
  readonly #parts: FetcherParts;
  readonly #streams: readonly GroupStream[];
  /** By the key of a stream. */
  readonly #sources: ReadonlyMap<string, Source>;
  readonly #plan: FetchPlan;
  readonly #readers: ConnectionReaders;
  readonly #loop: Loop;
  readonly #blocked: BlockedRead;
  readonly #late: LateReads;
  /** When messages came last, by the monotonic clock. */
  #cameAtMs = 0;
  #fetching: Promise<void> = Promise.resolve();
  polledAtMs = 0;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
    this.#streams = parts.partitions.flatMap(({ place }) => place.streams);
    this.#plan = new FetchPlan();
    this.#blocked = new BlockedRead(parts.control, (why) => this.#readers.doubt(why));
    this.#late = new LateReads(() => parts.rings.lookAtAll());
    const places = parts.partitions.map(({ place }) => place);
    this.#readers = new ConnectionReaders({ ...parts, places, onRejoined: () => this.#late.gaveUp() });
    this.#sources = new Map(parts.partitions.flatMap(sourcesOf));
    this.#loop = new Loop({ name: 'fetch', round: (signal) => this.#round(signal), onError: (error, failures) => this.#failed(error, failures) });
  }

  start(): void {
    this.#parts.rings.listen();
    this.#loop.start();
  }

  /** This member has put messages back into a stream, for which it had no slot. */
  overFetched(stream: GroupStream): void {
    this.#plan.overFetched(stream);
  }

  async stop(): Promise<void> {
    this.#late.stop();
    await this.#blocked.endUntil(this.#loop.stop().then(() => this.#readers.rest()));
    this.#parts.rings.close();
    this.#parts.way.giveBack();
  }

  abandon(): void {
    this.#late.stop();
    this.#parts.rings.close();
    this.#parts.way.abandon();
  }

  async rest(): Promise<void> {
    await this.#blocked.endUntil(this.#fetching.then(() => this.#readers.rest()));
  }

  problem(): string | null {
    return this.#readers.problem();
  }

  lostSight(why: string): void {
    this.#readers.doubt(why, 'read');
    this.#parts.rings.lookAtAll();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { way, rings } = this.#parts;
    if (!way.mayBlock) await rings.whenDue(signal);
    await this.#whenFree(signal);
    if (signal.aborted) return 0;
    const filling = this.#fill(signal);
    this.#fetching = filling.then(nothing, nothing);
    return filling;
  }

  /** Lends its connection to others while this member is full or paused for long. */
  async #whenFree(signal: AbortSignal): Promise<void> {
    const { dispatcher } = this.#parts;
    if (dispatcher.freeSlots > 0) return dispatcher.whenFree(signal);
    const giveBack = setTimeout(() => this.#leaveReader(), QUIET_MS);
    await dispatcher.whenFree(signal).finally(() => clearTimeout(giveBack));
  }

  readonly #onReader = (): void => this.#parts.rings.lookAtAll();

  /** Gives the blocking connection back; no read may be under way. */
  #leaveReader(): void {
    const { way, rings } = this.#parts;
    if (!way.mayBlock) return;
    way.giveBack();
    rings.listen();
    rings.lookAtAll();
  }

  /** One round of reading. @returns how long to wait before the next, in milliseconds */
  async #fill(signal: AbortSignal): Promise<number> {
    const { dispatcher, way, rings } = this.#parts;
    this.#chooseWay();
    if (this.#late.takeDue()) this.#readers.doubt(null);
    const open = await this.#readers.open(way.mayBlock ? this.#streams : rings.due(), signal);
    if (open.length === 0) return way.mayBlock ? this.#readers.restsMs : 0;
    // Reads of slow nodes may bring as many as they ask for; where they ask for all, one more may come.
    const free = Math.min(dispatcher.freeSlots, Math.max(1, dispatcher.freeSlots - this.#readers.asked));
    if (free > 0 && !signal.aborted) await this.#fetch(open, free, signal);
    if (this.#readers.areWell) this.polledAtMs = Date.now();
    return 0;
  }

  /** Changes between the blocking read and rings. Both find the same messages, so both are open during a change. */
  #chooseWay(): void {
    const { way, rings } = this.#parts;
    if (way.isBroken) this.#leaveReader();
    if (!way.mayBlock) {
      if (!rings.isBusy || !way.take(this.#onReader)) return;
      this.#cameAtMs = performance.now();
      rings.mute();
    } else if (performance.now() - this.#cameAtMs < QUIET_MS) {
      if (!rings.isMuted) rings.mute();
    } else if (rings.isListening) way.giveBack();
    else rings.listen();
  }

  /**
   * COUNT is per stream. When there is no room for an entry of each stream, and much comes, the streams are read in turn, and a
   * read that waits for all of them comes last.
   */
  async #fetch(streams: readonly GroupStream[], free: number, signal: AbortSignal): Promise<void> {
    const [plan, mayBlock] = [this.#plan, this.#parts.way.mayBlock];
    // Somebody has rung for each of them, or it is time to look at all.
    if (!mayBlock) plan.mayHave(streams);
    const ofEach = plan.ofEach(streams, free);
    if (ofEach > 0 || plan.areCalm) {
      const messages = await this.#readAll({ streams, count: Math.max(1, ofEach), wait: mayBlock }, signal);
      plan.broughtAll(messages, free, performance.now());
      return;
    }
    let left = free;
    for (const { stream, most } of plan.inTurn(streams, performance.now())) {
      left -= await this.#readAll({ streams: [stream], count: plan.of(stream, Math.min(left, most)), wait: false }, signal);
      if (left <= 0) return;
    }
    if (left < free) return;
    plan.wereEmpty();
    plan.broughtAll(mayBlock ? await this.#readAll({ streams, count: 1, wait: true }, signal) : 0, free, performance.now());
  }

  /** @returns how many messages came by now */
  async #readAll({ streams, ...how }: Ask, signal: AbortSignal): Promise<number> {
    let messages = 0;
    const read = async ([reader, own]: Division<GroupStream>): Promise<void> => {
      messages += await reader.read(how.count * own.length, () => this.#read({ streams: own, ...how }), signal);
    };
    // A read before this one, in the same round, may have failed, or may be under way.
    const divided = this.#readers.divide(streams, ({ partition }) => partition).filter(([{ isOpen }]) => isOpen);
    await this.#readers.together(divided.map(read));
    return messages;
  }

  /** @returns how many messages came */
  async #read({ streams, count, wait }: Ask): Promise<number> {
    const { way, member, held, rings, dispatcher } = this.#parts;
    const block = wait ? ['BLOCK', Math.min(BLOCK_MS, dispatcher.longestWaitMs)] : [];
    const rung = streams.map((stream) => rings.lastFor(stream));
    const asked: Asked = { streams, count, readAt: held.moment(streams[0]!), rung };
    if (wait) this.#blocked.begins(way.connectionTo(streams[0]!));
    try {
      const head = ['GROUP', this.#streams[0]!.partition.group, member, 'COUNT', count, ...block, 'STREAMS'];
      const ids = streams.map(() => '>');
      const reply = await way.connectionTo(streams[0]!).call('XREADGROUP', ...head, ...streams.map(({ key }) => key), ...ids);
      return await this.#take(reply as ReadReply, asked);
    } finally {
      this.#blocked.ended();
    }
  }

  async #take(reply: ReadReply, asked: Asked): Promise<number> {
    const brought = new Map<GroupStream, Brought>();
    for (const [key, entries] of reply ?? []) {
      const { stream, partition } = this.#sources.get(key)!;
      const messages = await partition.take(stream, entries.map(([id, fields]) => ({ id, fields })), asked.readAt);
      this.#plan.brought(stream, entries.length, messages);
      brought.set(stream, { entries: entries.length, messages });
    }
    if (brought.size > 0) this.#cameAtMs = performance.now();
    asked.streams.forEach((stream, index) => {
      this.#came(stream, asked, { ...(brought.get(stream) ?? NOTHING), rung: asked.rung[index]! });
    });
    return [...brought.values()].reduce((sum, { messages }) => sum + messages, 0);
  }

  /** Lets the other members know that they need not look for this ring any more. */
  #came(stream: GroupStream, { count }: Asked, { entries, messages, rung }: Brought & { rung: string }): void {
    const { rings, way, membership } = this.#parts;
    const isAll = entries < count;
    if (entries === 0) this.#plan.wasEmpty(stream);
    rings.read(stream, rung, { messages, isAll });
    if (way.mayBlock || !isAll || messages === 0 || rung === '' || membership.others === 0) return;
    way.connectionTo(stream).call('SPUBLISH', stream.partition.keys.ring, takenText(stream, rung)).catch(nothing);
  }

  /** Reads that fail are seen to by their readers. */
  #failed(error: Error, failures: number): void {
    const { topic, group } = this.#streams[0]!.partition;
    emit('loop-failed', { topic, group, loop: 'fetch', error: errorRecord(error), failures });
    this.#readers.doubt(error.message);
    this.#parts.rings.lookAtAll();
  }
}

/** A stream, and the partition that takes what is read there. */
interface Source {
  readonly stream: GroupStream;
  readonly partition: Partition;
}

function sourcesOf(partition: Partition): [key: string, source: Source][] {
  return partition.place.streams.map((stream) => [stream.key, { stream, partition }]);
}

/** Streams of which to read, how many entries of each, and whether to wait for some. */
interface Ask {
  readonly streams: readonly GroupStream[];
  readonly count: number;
  readonly wait: boolean;
}

interface Asked extends Omit<Ask, 'wait'> {
  readonly readAt: Moment;
  /** The last ring for each stream. */
  readonly rung: readonly string[];
}

interface Brought {
  readonly entries: number;
  readonly messages: number;
}

const NOTHING: Brought = { entries: 0, messages: 0 };

function nothing(): void {
  // The loop sees how a round ended, and a member that misses the ring looks for itself.
}
