import { setTimeout } from 'node:timers/promises';
import { emit, MillraceError, type Ordering } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { OWNER } from '../own/owner-consumer.js';
import { Members } from './members.js';
import type { Presence } from './presence.js';

const join = loadScript('../scripts/join.lua', import.meta.url);

const LOOK_EVERY_MS = 100;
/** A member that died is known to be gone by then. */
const LEASES = 1.5;

export interface EntranceParts {
  readonly redis: Topology;
  readonly presence: Presence;
  readonly member: string;
  /** All partitions of the group. */
  readonly places: readonly GroupPartition[];
  /** Absent in shared mode. */
  readonly ordering: Ordering | undefined;
}

type Reply = number | readonly [order: string, ...members: string[]];

/** How a member becomes one of its group: all members that live at a time have one order. */
export class Entrance {
  readonly #parts: EntranceParts;

  constructor(parts: EntranceParts) {
    this.#parts = parts;
  }

  /**
   * Makes the member known to Redis, so that an operator who pauses the group waits for it. When members of another order may
   * live, it says so, and waits for so long as it takes to know whether they do.
   *
   * @param signal ends the wait
   * @throws MillraceError ORDERING_MISMATCH when they do, or when the group had an order, and messages wait in it for an
   *   operator; CLOSED when the signal has ended the wait
   */
  async enter(signal?: AbortSignal): Promise<void> {
    const { redis, presence } = this.#parts;
    const refused = await this.#join([]);
    if (!refused) return;
    const members = new Members(redis, presence);
    members.watch();
    try {
      await this.#whenAlone(members, refused.order, signal);
    } finally {
      members.unwatch();
    }
    await this.#change(members.gone(refused.members));
  }

  /** @throws MillraceError ORDERING_MISMATCH when the group has another order by now */
  confirm(): Promise<void> {
    return this.#change([]);
  }

  get #place(): GroupPartition {
    return this.#parts.places[0]!;
  }

  get #order(): string {
    return this.#parts.ordering?.by ?? '';
  }

  /** Resolves when no other member lives, or when all that still say so have had the time to be known for dead. */
  async #whenAlone(members: Members, order: string, signal: AbortSignal | undefined): Promise<void> {
    const forMs = this.#parts.presence.leaseMs * LEASES;
    const untilMs = performance.now() + forMs;
    let others = await this.#others(members);
    if (others.length > 0) this.#report(others, order, forMs);
    while (others.length > 0 && performance.now() < untilMs) {
      // It rejects when the signal has aborted.
      await setTimeout(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      if (signal?.aborted) throw stopped(this.#place);
      others = await this.#others(members);
    }
  }

  async #others(members: Members): Promise<string[]> {
    const { member } = this.#parts;
    return (await members.living(this.#place)).filter((name) => name !== member);
  }

  #report(members: readonly string[], order: string, forMs: number): void {
    const { topic, group } = this.#place;
    const why = `The group works ${wordsFor(order)}, and this process would work ${wordsFor(this.#order)}.`;
    emit('start-waits', { topic, group, members, forMs, why });
  }

  /** The member joins, and the group has its order from then on, unless members of another one may live. */
  async #change(gone: readonly string[]): Promise<void> {
    let refused = await this.#join(gone);
    if (refused?.members.length === 0) {
      await this.#assertNothingWaits(refused.order);
      refused = await this.#join(gone, true);
    }
    if (refused) throw mismatch(this.#place, this.#order, refused);
  }

  /** Without an order nobody handles what waits for an operator. */
  async #assertNothingWaits(order: string): Promise<void> {
    const waits = await Promise.all(this.#parts.places.map((place) => this.#waitsIn(place)));
    const keys = waits.reduce((sum, each) => sum + each.keys, 0);
    const stopped = waits.reduce((sum, each) => sum + each.stopped, 0);
    if (keys + stopped > 0) throw leftBehind(this.#place, order, { keys, stopped });
  }

  async #waitsIn({ keys: { log }, groupKeys: { parkedKeys, control } }: GroupPartition): Promise<Waiting> {
    const redis = this.#parts.redis.publishFor(log);
    const [keys, stopped] = await Promise.all([redis.call('HLEN', parkedKeys), redis.call('HEXISTS', control, 'stopped')]);
    return { keys: Number(keys), stopped: Number(stopped) };
  }

  /**
   * @param mayGo whether the order of the group may go: nothing waits in it
   * @returns the order of the group and members that may live, when it has another order; else null, and the member is known
   */
  async #join(gone: readonly string[], mayGo = false): Promise<Refusal | null> {
    const { redis, member } = this.#parts;
    const { keys, groupKeys, group } = this.#place;
    const args = [group, member, this.#order, mayGo ? '1' : '', OWNER, ...gone];
    const reply = (await redis.publishFor(keys.log).run(join, [keys.log, groupKeys.control], args)) as Reply;
    if (typeof reply === 'number') return null;
    const [order, ...members] = reply;
    return { order, members };
  }
}

interface Refusal {
  readonly order: string;
  readonly members: readonly string[];
}

/** Keys whose messages wait for an operator, and partitions that have stopped. */
interface Waiting {
  readonly keys: number;
  readonly stopped: number;
}

function leftBehind({ topic, group }: GroupPartition, order: string, { keys, stopped }: Waiting): MillraceError {
  return new MillraceError(
    'ORDERING_MISMATCH',
    `Group '${group}' of topic '${topic}' worked ${wordsFor(order)}, and ${keys} of its keys and ${stopped} of its partitions wait for an ` +
      `operator. Without an order nobody would handle them. Start it ${wordsFor(order)} again, release the keys and let the partitions go on ` +
      "(Orders), with onExhausted 'dead-letter' where what fails again may become a dead letter; or use another group. Nothing was changed.",
  );
}

function mismatch({ topic, group }: GroupPartition, wanted: string, { order, members }: Refusal): MillraceError {
  return new MillraceError(
    'ORDERING_MISMATCH',
    `Group '${group}' of topic '${topic}' works ${wordsFor(order)}, and this process would work ${wordsFor(wanted)}. A group has one ` +
      `order, else messages would overtake each other. Members that live: ${members.join(', ')}. Stop them first, or use another group.`,
    { retryable: true },
  );
}

function stopped({ topic, group }: GroupPartition): MillraceError {
  return new MillraceError(
    'CLOSED',
    `Group '${group}' of topic '${topic}' was not started here: this process was stopped while it waited for members of another order. ` +
      'Nothing was changed.',
  );
}

function wordsFor(order: string): string {
  return order === '' ? 'without an order' : `in order by ${order}`;
}
