import { setTimeout } from 'node:timers/promises';
import { MillraceError, type Ordering } from '@millrace/core';
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
  /** The first partition of the group. */
  readonly place: GroupPartition;
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
   * live, it waits for so long as it takes to know whether they do.
   *
   * @throws MillraceError ORDERING_MISMATCH when they do
   */
  async enter(): Promise<void> {
    const { redis, presence, place } = this.#parts;
    const refused = await this.#join([]);
    if (!refused) return;
    const members = new Members(redis, presence);
    members.watch();
    try {
      await this.#whenAlone(members, performance.now() + presence.leaseMs * LEASES);
    } finally {
      members.unwatch();
    }
    const others = await this.#join(members.gone(refused.members));
    if (others) throw mismatch(place, this.#order, others);
  }

  /** @throws MillraceError ORDERING_MISMATCH when the group has another order by now */
  async confirm(): Promise<void> {
    const others = await this.#join([]);
    if (others) throw mismatch(this.#parts.place, this.#order, others);
  }

  get #order(): string {
    return this.#parts.ordering?.by ?? '';
  }

  async #whenAlone(members: Members, untilMs: number): Promise<void> {
    const { member, place } = this.#parts;
    while (performance.now() < untilMs) {
      const living = await members.living(place);
      if (living.every((name) => name === member)) return;
      await setTimeout(LOOK_EVERY_MS);
    }
  }

  /** @returns the order of the group and members that may live, when it has another order; else null, and the member is known */
  async #join(gone: readonly string[]): Promise<Refusal | null> {
    const { redis, member, place: { keys, groupKeys, group } } = this.#parts;
    const args = [group, member, this.#order, OWNER, ...gone];
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

function mismatch({ topic, group }: GroupPartition, wanted: string, { order, members }: Refusal): MillraceError {
  return new MillraceError(
    'ORDERING_MISMATCH',
    `Group '${group}' of topic '${topic}' works ${wordsFor(order)}, and this process would work ${wordsFor(wanted)}. A group has one ` +
      `order, else messages would overtake each other. Members that live: ${members.join(', ')}. Stop them first, or use another group.`,
    { retryable: true },
  );
}

function wordsFor(order: string): string {
  return order === '' ? 'in shared mode' : `in order by ${order}`;
}
