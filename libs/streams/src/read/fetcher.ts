import { emit, errorRecord, Loop } from '@millrace/core';
import { BLOCK_MS, type RedisConnection, redisFailure } from '@millrace/redis';
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
import { LostPartitions } from './lost-partitions.js';
import type { ReadWay } from './read-way.js';
import type { RingWait } from './ring-wait.js';

const READY_WAIT_MS = 1_000;
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
  readonly #lost: LostPartitions;
  readonly #loop: Loop;
  readonly #blocked: BlockedRead;
  readonly #late: LateReads;
  /** The epoch of the connections at the last read. */
  #readOn = 0;
  /** When messages came last, by the monotonic clock. */
  #cameAtMs = 0;
  #fetching: Promise<void> = Promise.resolve();
  #problem: string | null = null;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
    this.#streams = parts.partitions.flatMap(({ place }) => place.streams);
    this.#plan = new FetchPlan();
    this.#blocked = new BlockedRead(parts.control, (why) => void (this.#problem = why));
    this.#late = new LateReads(() => parts.rings.lookAtAll());
    this.#lost = new LostPartitions(parts.partitions.map(({ place }) => place), parts.feedback);
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
    await this.#blocked.endUntil(this.#loop.stop());
    this.#parts.rings.close();
    this.#parts.way.giveBack();
  }

  abandon(): void {
    this.#late.stop();
    this.#parts.rings.close();
    this.#parts.way.abandon();
  }

  async rest(): Promise<void> {
    await this.#blocked.endUntil(this.#fetching);
  }

  problem(): string | null {
    return this.#problem;
  }

  lostSight(why: string): void {
    this.#problem = why;
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

  /** One round of reading. */
  async #fill(signal: AbortSignal): Promise<number> {
    const { dispatcher, way, feedback } = this.#parts;
    this.#chooseWay();
    if (!(await way.whenReady(READY_WAIT_MS, signal))) {
      if (!signal.aborted) this.lostSight('there is no connection to Redis');
      return 0;
    }
    const { connectionEpoch } = way;
    if (connectionEpoch !== this.#readOn) this.lostSight('the connection to Redis was lost');
    if (this.#problem !== null) await feedback.rejoin().then(() => this.#late.gaveUp());
    else if (this.#late.takeDue()) await feedback.rejoin();
    this.#readOn = connectionEpoch;
    if (dispatcher.freeSlots > 0 && !signal.aborted) await this.#fetch(dispatcher.freeSlots);
    this.#problem = null;
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
  async #fetch(free: number): Promise<void> {
    const [plan, mayBlock] = [this.#plan, this.#parts.way.mayBlock];
    const streams = mayBlock ? this.#streams : this.#parts.rings.due();
    if (streams.length === 0) return;
    // Somebody has rung for each of them, or it is time to look at all.
    if (!mayBlock) plan.mayHave(streams);
    const ofEach = plan.ofEach(streams, free);
    if (ofEach > 0 || plan.areCalm) {
      plan.broughtAll(await this.#readAll(streams, Math.max(1, ofEach), mayBlock), free, performance.now());
      return;
    }
    let left = free;
    for (const { stream, most } of plan.inTurn(streams, performance.now())) {
      const messages = await this.#read([stream], plan.of(stream, Math.min(left, most)), false);
      left -= messages;
      if (left <= 0) return;
    }
    if (left < free) return;
    plan.wereEmpty();
    plan.broughtAll(mayBlock ? await this.#read(streams, 1, true) : 0, free, performance.now());
  }

  /** @returns how many messages came */
  async #readAll(streams: readonly GroupStream[], count: number, wait: boolean): Promise<number> {
    let messages = 0;
    for (const together of this.#parts.way.together(streams)) messages += await this.#read(together, count, wait);
    return messages;
  }

  /** @returns how many messages came */
  async #read(streams: readonly GroupStream[], count: number, wait: boolean): Promise<number> {
    const { way, member, held, rings, dispatcher } = this.#parts;
    const block = wait ? ['BLOCK', Math.min(BLOCK_MS, dispatcher.longestWaitMs)] : [];
    const asked: Asked = { streams, count, readAt: held.moment(), rung: streams.map((stream) => rings.lastFor(stream)) };
    if (wait) this.#blocked.begins(way.connectionTo(streams[0]!));
    try {
      const head = ['GROUP', this.#streams[0]!.partition.group, member, 'COUNT', count, ...block, 'STREAMS'];
      const ids = streams.map(() => '>');
      const reply = await way.connectionTo(streams[0]!).call('XREADGROUP', ...head, ...streams.map(({ key }) => key), ...ids);
      return await this.#take(reply as ReadReply, asked);
    } catch (error) {
      if (redisFailure(error, 'fetch').kind === 'state-lost') await this.#lost.find();
      throw error;
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

  #failed(error: Error, failures: number): void {
    const { topic, group } = this.#streams[0]!.partition;
    emit('loop-failed', { topic, group, loop: 'fetch', error: errorRecord(error), failures });
    if (this.#lost.isEmpty) return this.lostSight(error.message);
    // A reason why it cannot be made again says more than that it is gone.
    this.#problem ??= error.message;
    void this.#lost.recover().then((why) => void (this.#problem = why ?? this.#problem));
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

interface Asked {
  readonly streams: readonly GroupStream[];
  readonly count: number;
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
