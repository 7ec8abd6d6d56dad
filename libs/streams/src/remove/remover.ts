import { setTimeout as wait } from 'node:timers/promises';
import { MillraceError } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { Members } from '../group/members.js';
import type { Presence } from '../group/presence.js';
import { OWNER } from '../own/owner-consumer.js';
import { type Removal, type RemovalTarget, Tombstones } from './tombstones.js';

const LOOK_EVERY_MS = 100;

/** Whether and how long to wait for the members. */
export interface RemovalTerms {
  readonly force: boolean;
  readonly withinMs: number;
}

/** Begins removals of groups and topics, once their members are gone. */
export class Remover {
  readonly #tombstones: Tombstones;
  readonly #redis: Topology;
  readonly #presence: Presence;

  constructor({ redis, prefix, presence }: { redis: Topology; prefix: string; presence: Presence }) {
    this.#tombstones = new Tombstones(redis, prefix);
    this.#redis = redis;
    this.#presence = presence;
  }

  /** The removal in force, and the members that may live: a vanished one counts until its lease is over. */
  look(target: RemovalTarget): Promise<Removal> {
    return this.#tombstones.begin(target, 'look');
  }

  /**
   * Marks the group or topic as removed, or goes on with the removal in force.
   *
   * @returns the number of the removal
   * @throws MillraceError GROUP_BUSY when members still lived at the end of the wait: nothing was done
   */
  async begin(target: RemovalTarget, terms: RemovalTerms): Promise<string> {
    const members = new Members(this.#redis, this.#presence);
    members.watch();
    try {
      return await this.#whenIdle(target, members, terms);
    } finally {
      members.unwatch();
    }
  }

  async #whenIdle(target: RemovalTarget, members: Members, { force, withinMs }: RemovalTerms): Promise<string> {
    const until = performance.now() + withinMs;
    for (let gone = [OWNER]; ; ) {
      const removal = await this.#tombstones.begin(target, force ? 'force' : 'idle', gone);
      if (removal.number !== null) return removal.number;
      gone = [...gone, ...members.gone(removal.members)];
      if (removal.members.every((member) => gone.includes(member))) continue;
      if (performance.now() >= until) throw busy(target, removal.members);
      await wait(LOOK_EVERY_MS);
    }
  }
}

function busy({ topic, group }: RemovalTarget, members: readonly string[]): MillraceError {
  const what = group === undefined ? `Topic '${topic}'` : `Group '${group}' of topic '${topic}'`;
  return new MillraceError(
    'GROUP_BUSY',
    `${what} was not removed: ${members.length} members live (${members.slice(0, 3).join(', ')}${members.length > 3 ? ', …' : ''}). ` +
      'Stop them first, or remove it with force: true.',
    { retryable: true },
  );
}
