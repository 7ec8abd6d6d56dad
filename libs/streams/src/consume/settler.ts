import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord, eventChannel } from '@millrace/core';
import { loadScript, RedisFailure, redisFailure, refusedWhenFull, type Topology } from '@millrace/redis';
import { type OutcomeRoutes, WaitEnded } from '../durable/outcome-routes.js';
import { entryNameOf } from '../forward/forward-entry.js';
import type { Forwarder } from '../forward/forwarder.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { OWNER } from '../own/owner-consumer.js';
import type { Feedback } from './feedback.js';
import type { GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { PendingDelivery } from './pending-delivery.js';
import { addsSomething, batchesOf, epochOf, MOST_TOGETHER, type SettleCall, settleCallOf, settleKeysOf } from './settle-call.js';
import { settleSpanOf } from './settle-spans.js';
import { HANDLED, type Settlement } from './settlement.js';
import type { Item, Settling } from './settling.js';

const SETTLED = eventChannel('settled');
const settle = loadScript('../scripts/settle.lua', import.meta.url);
const settleAndAdd = refusedWhenFull(settle);

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

export interface SettlerParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly member: string;
  readonly held: HeldEntries;
  readonly feedback: Pick<Feedback, 'givenAgain'>;
  /** Absent: nothing can be forwarded. */
  readonly forwarder?: Forwarder | undefined;
  readonly outcomes: OutcomeRoutes;
  /** Called with the partition when messages of it are settled, or some of them. */
  readonly onSettled: (partition: number) => void;
}

/**
 * Writes outcomes to Redis, gathered per stream and tick. A settlement is tried until Redis takes or refuses it, or until
 * the message is known to belong to another member.
 */
export class Settler {
  readonly #parts: SettlerParts;
  readonly #waiting = new Map<GroupStream, Item[]>();
  /** Messages that cannot be settled at the moment, and why. */
  readonly #failing = new Map<readonly Item[], string>();
  /** By stream, how many tries have failed since one went well: many are under way at once. */
  readonly #failures = new Map<GroupStream, number>();
  readonly #abandoned = new AbortController();

  constructor(parts: SettlerParts) {
    this.#parts = parts;
    // Any number of settlements may wait for Redis.
    setMaxListeners(0, this.#abandoned.signal);
  }

  settle(delivery: PendingDelivery, settlement: Settlement, owner: Settling): void {
    const { stream } = delivery.entry;
    if (delivery.forwards.length > 0) delivery.forwarded = this.#parts.forwarder?.written(delivery.forwards) ?? null;
    const items = this.#waiting.get(stream);
    const span = owner === NOBODY ? null : settleSpanOf(delivery, settlement);
    if (items) items.push({ delivery, settlement, owner, span });
    else {
      this.#waiting.set(stream, [{ delivery, settlement, owner, span }]);
      setImmediate(() => this.#flush(stream));
    }
  }

  /** Releases an entry whose messages are all settled already. */
  letGo(delivery: PendingDelivery): void {
    this.settle(delivery, HANDLED, NOBODY);
  }

  /** Why something cannot be settled, or null while all is well. */
  problem(): string | null {
    const [why] = this.#failing.values();
    return why ?? null;
  }

  /** The member has no more time for confirmations: outcomes count when Redis has written them. @returns whether that is new */
  confirmNoLonger(): boolean {
    const { outcomes } = this.#parts;
    outcomes.confirmNoLonger();
    return outcomes.isUnconfirmed;
  }

  /** Stops trying: others put back the messages that are not settled by now. */
  abandon(): void {
    this.#abandoned.abort();
  }

  #flush(stream: GroupStream): void {
    const items = this.#waiting.get(stream) ?? [];
    this.#waiting.delete(stream);
    for (const batch of batchesOf(items)) void this.#store(stream, batch);
  }

  /** Never rejects: it reports a failure and tries again. */
  async #store(stream: GroupStream, items: readonly Item[]): Promise<void> {
    let open = items;
    let repeated = false;
    for (let pauseMs = FIRST_PAUSE_MS; open.length > 0; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const call = settleCallOf(open, this.#parts.held);
        this.#finish(call, await this.#reply(stream, call, repeated));
        this.#failures.delete(stream);
        this.#parts.onSettled(stream.partition.partition);
        break;
      } catch (thrown) {
        const failure = redisFailure(thrown, 'settle');
        // A script may have settled some of them before it failed.
        repeated ||= failure.kind !== 'unsent';
        if (!(failure instanceof WaitEnded)) this.#failed(stream, items, failure);
        if (failure.kind === 'back-pressure') open = this.#keepAdding(stream, open);
        if (!(failure instanceof WaitEnded)) await this.#pause(stream, pauseMs);
        open = this.#stillHeld(stream, open);
      }
    }
    this.#failing.delete(items);
  }

  #failed(stream: GroupStream, items: readonly Item[], failure: RedisFailure): void {
    this.#failing.set(items, failure.message);
    const failures = (this.#failures.get(stream) ?? 0) + 1;
    this.#failures.set(stream, failures);
    emit('loop-failed', { ...placeOf(stream), loop: 'settle', error: errorRecord(failure), failures });
  }

  /** Redis is full: messages whose settlement stores nothing are settled anyway. @returns those that wait until there is room */
  #keepAdding(stream: GroupStream, items: readonly Item[]): readonly Item[] {
    const adding = items.filter(addsSomething);
    if (adding.length === 0 || adding.length === items.length) return items;
    void this.#store(stream, items.filter((item) => !adding.includes(item)));
    return adding;
  }

  /** @returns a letter for each part */
  async #reply(stream: GroupStream, call: SettleCall, repeated: boolean): Promise<string> {
    const { forwarder, outcomes } = this.#parts;
    if (call.forwards.length === 0 || !forwarder) return this.#send(stream, call, repeated ? '1' : '0');
    const lane = forwarder.laneOf(stream.partition);
    await lane.room();
    const head = `${repeated ? '1' : '0'} ${await lane.name()} ${this.#parts.member} ${call.forwards.length}`;
    const reply = await this.#send(stream, call, head);
    if (reply === 'LANE') {
      lane.taken();
      throw new RedisFailure('unsent', 'another member has the lane of this one by now: it takes another one.', undefined);
    }
    const [letters = '', ...names] = reply.split(' ');
    // Messages that an outcome forwards are sent when that is confirmed: the lane asks for it when it is read.
    if (!outcomes.isUnconfirmed) this.#forwarded(stream, call, names);
    if (repeated || outcomes.isUnconfirmed) lane.doubt();
    return letters;
  }

  /** The log is added to by one entry, and `again` by one for each message. Where some were not added, the lane is read. */
  #forwarded({ kind, partition }: GroupStream, { forwards }: SettleCall, names: readonly string[]): void {
    const lane = this.#parts.forwarder!.laneOf(partition);
    const all = forwards.map(({ forwarded }) => forwarded.sendables);
    const added = kind === 'log' ? [all.flat()] : all;
    const isAll = names.length === added.length && names.every((name, index) => entryNameOf(name).count === added[index]!.length);
    if (isAll) names.forEach((name, index) => lane.added(name, added[index]!));
    else if (names.length > 0) lane.doubt();
  }

  async #send(stream: GroupStream, call: SettleCall, repetition: string): Promise<string> {
    const { args, pages, forwards, adds: isAdding } = call;
    const { prefix, held, outcomes } = this.#parts;
    const bitmaps = pages.map((page) => settledKey(prefix, stream.partition, page * SETTLED_PAGE_OFFSETS));
    const keys = [...settleKeysOf(stream), ...bitmaps, ...(forwards.length > 0 ? [stream.partition.groupKeys.forward] : [])];
    const by = this.#settledBy(call);
    const head = [stream.partition.group, by, stream.kind, SETTLED_PAGE_OFFSETS, repetition, pages.join(','), mostHeld(held)];
    return String(await outcomes.run(stream.key, isAdding ? settleAndAdd : settle, { keys, args: [...head, ...args] }));
  }

  /** Who settles: the member; in ordered mode the owner of the partition, for the consumer that holds its entries. */
  #settledBy({ parts: [items], noted }: SettleCall): string {
    const { member } = this.#parts;
    const epoch = epochOf(items?.[0]);
    return epoch === null ? member : `${OWNER} ${member} ${epoch} ${noted.join(',')}`;
  }

  #finish({ parts }: SettleCall, reply: string): void {
    parts.forEach((items, index) => {
      const letter = reply[index];
      for (const item of items) {
        if (letter === 'F') this.#refused(item.delivery);
        else this.#parts.held.settled(item.delivery.entry);
        item.span?.end(letter === 'F' ? FENCED : undefined);
      }
      // Messages that are settled together have one owner.
      const { owner, delivery } = items[0]!;
      if (SETTLED.hasSubscribers && owner !== NOBODY) tellSettled(items, letter === 'F');
      owner.settled(items);
      // An entry is let go of when its messages are known to be settled: that they were given again is no news.
      if (letter === 'D' && owner !== NOBODY) this.#parts.feedback.givenAgain(delivery.entry.stream.partition);
    });
  }

  #refused(delivery: PendingDelivery): void {
    this.#parts.held.lost(delivery.entry);
    emit('fenced', { ...placeOf(delivery.entry.stream), messageId: delivery.message.id });
  }

  async #pause({ key }: GroupStream, ms: number): Promise<void> {
    const signal = this.#parts.outcomes.pauseSignal(this.#abandoned.signal);
    await this.#parts.redis.publishFor(key).whenReady(ms, signal);
    await setTimeout(ms, undefined, { signal }).catch(() => undefined);
  }

  /** Drops messages that others have by now: their settlement counts, and this one would be refused. */
  #stillHeld({ partition }: GroupStream, items: readonly Item[]): readonly Item[] {
    const isOpen = (item: Item): boolean => !this.#abandoned.signal.aborted && this.#parts.held.has(item.delivery.entry);
    const gone = items.filter((item) => !isOpen(item));
    for (const item of gone) {
      item.span?.end(FENCED);
      item.owner.settled([item]);
    }
    // A call whose answer was lost, or is not confirmed, may have added what they forward.
    if (gone.some(({ delivery }) => delivery.forwarded)) this.#parts.forwarder?.laneOf(partition).doubt();
    return items.filter(isOpen);
  }
}

/** How the span of a settlement ends that does not count. */
const FENCED = { name: 'fenced' };

const NOBODY: Settling = {
  settled() {
    // Nobody waits for this settlement.
  },
};

/** Allows for entries that a read brings at this moment: they are held as well. */
function mostHeld(held: HeldEntries): number {
  return held.size + MOST_TOGETHER;
}

function tellSettled(items: readonly Item[], isFenced: boolean): void {
  const [{ delivery, settlement: [kind] }] = items as [Item];
  const outcome = isFenced ? 'fenced' : kind === 'dead' ? 'dead-letter' : kind;
  SETTLED.publish({ ...placeOf(delivery.entry.stream), outcome, count: items.length });
}

function placeOf({ partition }: GroupStream): { topic: string; partition: number; group: string } {
  return { topic: partition.topic, partition: partition.partition, group: partition.group };
}
