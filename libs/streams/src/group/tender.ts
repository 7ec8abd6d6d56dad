import { asError, emit, errorRecord, Loop, spread, type Watcher } from '@millrace/core';
import { loadScript, type RedisConnection, redisFailure, type Topology } from '@millrace/redis';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { Forwarder } from '../forward/forwarder.js';
import { type Page, pagesOf, shareOf } from '../log/pages.js';
import { allTurns, turnOf } from '../log/turns.js';
import { putBack } from '../redeliver/put-back.js';
import { OWNER } from '../own/owner-consumer.js';
import type { Membership } from './membership.js';
import type { Presence } from './presence.js';

const tend = loadScript('../scripts/tend.lua', import.meta.url);

/** Most retries that one call moves, and most partitions that it looks after. */
const MOST_MOVED = 64;
const MOST_PARTITIONS = 64;
/** So late a busy member, which hears no rings, may move a retry when the member that scheduled it was killed. */
const LOOK_EVERY_MS = 1_000;
const LOOKS_A_LEASE = 3;

export interface TenderParts {
  /** After a failure the other connection is used: nobody else looks after the partitions while this process lives. */
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: Presence;
  /** The member of this process. */
  readonly member: string;
  /** Whether the partitions have owners: then nobody puts back what their consumer holds. */
  readonly isOrdered: boolean;
  readonly membership: Membership;
  readonly places: readonly GroupPartition[];
  /** How many entries this member holds of each stream, by what it knows itself. */
  readonly held: Pick<HeldEntries, 'counts'>;
  readonly idlePauseMs: number;
  readonly feedback: Pick<Feedback, 'recover' | 'returned' | 'verify' | 'isIdle'>;
  /** Sends what members that are gone forwarded. */
  readonly forwarder: Pick<Forwarder, 'lookAfter' | 'isEmpty'>;
}

type Reply = 'UNDECLARED' | [moved: number, nextMs: number, forwards: number, ...held: (string | number)[]];

/** While there is something to forward, a partition is looked at no later than that. */
const FORWARDS_AGAIN_MS = 200;

/**
 * Looks after partitions of a group: it moves retries that are due, and puts back messages of members that are gone. One living
 * member does this for a partition, and each member works out which one that is. When two take themselves for that one for a
 * moment, the second finds nothing to do.
 */
export class Tender implements Watcher {
  readonly #parts: TenderParts;
  readonly #loop: Loop;
  /** By partition, members that Redis knows of beside the own one; an entry only where there are any. */
  readonly #others = new Map<GroupPartition, readonly string[]>();
  /** Partitions in which this member has scheduled retries, with the number of the last one: it looks when they are due. */
  readonly #scheduled = new Map<GroupPartition, number>();
  #retries = 0;
  #isStale = false;
  #turn = 0;
  /** Time of the next look, by the monotonic clock, in milliseconds; infinite while it looks. */
  #nextLookAt = Number.POSITIVE_INFINITY;

  constructor(parts: TenderParts) {
    this.#parts = parts;
    this.#loop = new Loop({ name: 'tend', round: () => this.#round(), onError: (error, failures) => this.#failed(error, failures) });
  }

  /** Every other member that Redis knows of. */
  get watched(): readonly string[] {
    return [...this.#parts.membership.names, ...[...this.#others.values()].flat()];
  }

  readonly onGone = (): void => this.#loop.wake();

  readonly onReturn = (): void => {
    this.#parts.feedback.returned();
  };

  /** Resolves after the first round, also when that has failed: a damaged key must not keep a member from joining. */
  async start(): Promise<void> {
    this.#parts.presence.watch(this);
    await this.#round().catch((error: unknown) => this.#failed(error, 1));
    this.#loop.start();
  }

  async stop(): Promise<void> {
    this.#parts.presence.unwatch(this);
    await this.#loop.stop();
  }

  /** Another member may own by now what this member holds. */
  wakeToVerify(): void {
    this.#isStale = true;
    this.#loop.wake();
  }

  /** Others may look after the partitions from now on. */
  wake(): void {
    this.#loop.wake();
  }

  /** This member has scheduled a retry in a partition: look when it is due. */
  scheduled(partition: GroupPartition): void {
    this.#retries += 1;
    this.#scheduled.set(partition, this.#retries);
    this.#loop.wake();
  }

  /** A message of a partition waits, whoever scheduled it, and is due in so many milliseconds: look no later than that. */
  due(partition: GroupPartition, inMs: number): void {
    if (performance.now() + inMs < this.#nextLookAt && this.#parts.membership.tends(partition)) this.#loop.wake();
  }

  async #round(): Promise<number> {
    this.#nextLookAt = Number.POSITIVE_INFINITY;
    const unsure = this.#isStale ? await this.#verify() : null;
    const pages = pagesOf(this.#tended(), MOST_PARTITIONS, (partition) => this.#redisOf(partition));
    const waits = await allTurns(pages.map((page) => this.#tend(page)));
    if (unsure) throw unsure;
    const waitMs = Math.max(1, Math.min(spread(this.#longestMs), ...waits));
    this.#nextLookAt = performance.now() + waitMs;
    return waitMs;
  }

  get #longestMs(): number {
    const { presence, feedback, idlePauseMs } = this.#parts;
    return feedback.isIdle ? idlePauseMs : Math.min(LOOK_EVERY_MS, presence.leaseMs / LOOKS_A_LEASE, idlePauseMs);
  }

  /** Partitions of this member, and those in which it has a retry or an entry. It forgets the holders of all others. */
  #tended(): GroupPartition[] {
    const { places, membership, held } = this.#parts;
    const atStake = new Set([...this.#scheduled.keys(), ...[...held.counts().keys()].map(({ partition }) => partition)]);
    const tended = places.filter((partition) => membership.tends(partition) || atStake.has(partition));
    for (const partition of this.#others.keys()) if (!tended.includes(partition)) this.#others.delete(partition);
    return tended;
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    const { redis } = this.#parts;
    return this.#turn % 2 === 0 ? redis.controlFor(keys.log) : redis.publishFor(keys.log);
  }

  #failed(error: unknown, failures: number): void {
    this.#turn += 1;
    const { topic, group } = this.#parts.places[0]!;
    emit('loop-failed', { topic, group, loop: 'tend', error: errorRecord(error), failures });
  }

  /**
   * Holdings that become stale meanwhile are verified in the next round.
   *
   * @returns why that failed, for the end of the round: partitions on other nodes are looked after all the same; null also when
   *   the round makes a group again that is gone
   */
  async #verify(): Promise<Error | null> {
    this.#isStale = false;
    try {
      await this.#parts.feedback.verify();
      return null;
    } catch (error) {
      this.#isStale = true;
      return redisFailure(error, 'verify').kind === 'state-lost' ? null : asError(error);
    }
  }

  /** @returns milliseconds until there is something to do */
  async #tend({ redis, partitions }: Page<GroupPartition>): Promise<number> {
    const keys = partitions.flatMap(tendKeysOf);
    const most = shareOf(MOST_MOVED, partitions);
    const asked = { most, counts: this.#parts.held.counts(), retries: this.#retries };
    const groups = partitions.map(({ group }) => group);
    const replies = (await redis.run(tend, keys, [most, ...groups])) as Reply[];
    const done = partitions.map((partition, index) => this.#done(partition, replies[index]!, asked));
    return Math.min(...(await allTurns(done)));
  }

  async #done(partition: GroupPartition, given: Reply, asked: Asked): Promise<number> {
    const reply = turnOf(given, 'tend');
    if (reply === 'UNDECLARED') {
      await this.#parts.feedback.recover(partition);
      return 0;
    }
    const [moved, nextMs, forwards, ...held] = reply;
    const forwardMs = this.#lookAfterForwards(partition, forwards);
    // Entries that were settled meanwhile are missing, too: only a verification in Redis makes sure.
    if (isMissing(partition, ownIn(held, this.#parts.member), asked.counts)) this.#isStale = true;
    await this.#lookAfter(partition, othersIn(held, this.#parts.member));
    if (nextMs < 0 && (this.#scheduled.get(partition) ?? 0) <= asked.retries) this.#scheduled.delete(partition);
    return moved === asked.most ? 0 : Math.min(forwardMs, nextMs < 0 ? Number.POSITIVE_INFINITY : nextMs);
  }

  /** @returns milliseconds until they are to be looked at again */
  #lookAfterForwards(partition: GroupPartition, forwards: number): number {
    if (forwards === 0) {
      this.#parts.forwarder.isEmpty(partition);
      return Number.POSITIVE_INFINITY;
    }
    if (!this.#parts.membership.tends(partition)) return Number.POSITIVE_INFINITY;
    this.#parts.forwarder.lookAfter(partition);
    return FORWARDS_AGAIN_MS;
  }

  async #lookAfter(partition: GroupPartition, others: readonly string[]): Promise<void> {
    if (others.length > 0) this.#others.set(partition, others);
    else this.#others.delete(partition);
    for (const owner of others) if (owner !== OWNER || !this.#parts.isOrdered) await this.#putBack(partition, owner);
  }

  async #putBack(partition: GroupPartition, owner: string): Promise<void> {
    const fate = owner === OWNER ? 'left' : this.#parts.presence.fateOf(owner);
    if (fate === 'living') return;
    const tools = { redis: this.#redisOf(partition), prefix: this.#parts.prefix };
    let count = 0;
    try {
      for (const stream of partition.streams) count += await putBack(tools, stream, { owner, fate });
    } finally {
      // The messages that were put back are told of, also when Redis goes away before the rest of them is.
      if (count > 0 && fate === 'dead') this.#reclaimed(partition, count);
    }
  }

  #reclaimed({ topic, group, partition }: GroupPartition, count: number): void {
    emit('reclaimed', { topic, partition, group, count });
  }
}

interface Asked {
  readonly most: number;
  readonly counts: ReadonlyMap<GroupStream, number>;
  /** The number of the last retry by then: the answer does not cover later ones. */
  readonly retries: number;
}

/** The keys that `tend.lua` needs of a partition. */
export function tendKeysOf({ keys: { log }, groupKeys: { again, due, stats, open, body, control, forward } }: GroupPartition): string[] {
  return [log, again, due, stats, open, body, control, forward];
}

/** Whether Redis knows fewer entries of the member than the member itself. */
function isMissing({ streams }: GroupPartition, own: readonly number[], counts: ReadonlyMap<GroupStream, number>): boolean {
  return streams.some((stream, index) => own[index]! < (counts.get(stream) ?? 0));
}

/** Numbers of the member's entries in the log and in `again`. */
function ownIn(held: readonly (string | number)[], own: string): [number, number] {
  const at = held.indexOf(own);
  return at < 0 ? [0, 0] : [Number(held[at + 1]), Number(held[at + 2])];
}

/** The names in the reply: two numbers follow each. */
function othersIn(held: readonly (string | number)[], own: string): string[] {
  return held.filter((item, index): item is string => index % 3 === 0 && item !== own);
}
