import type { GroupPartition } from '../consume/group-partition.js';
import type { Presence } from './presence.js';
import { rankOf } from './rendezvous.js';

/** The living members of a group, as one of them knows them. Views of members may differ for a moment. */
export class Membership {
  readonly #own: string;
  readonly #presence: Presence;
  #names: readonly string[] = [];

  constructor(own: string, presence: Presence) {
    this.#own = own;
    this.#presence = presence;
  }

  /** Every member that Redis knows of; the own one may be missing. */
  get names(): readonly string[] {
    return this.#names;
  }

  /** @returns whether a member has come or gone */
  learn(names: readonly string[]): boolean {
    const isNew = names.length !== this.#names.length || names.some((name) => !this.#names.includes(name));
    this.#names = names;
    return isNew;
  }

  /** How many other members live. */
  get others(): number {
    return this.#living().filter((name) => name !== this.#own).length;
  }

  /** The members to which partitions may be assigned, in order: those that live and have not said that they stop. */
  get assignable(): string[] {
    const known = new Set([...this.#living(), this.#own]);
    return [...known].filter((name) => !this.#presence.isStopping(name)).sort();
  }

  /** Whether this member is the one that looks after a partition. */
  tends({ topic, group, partition }: GroupPartition): boolean {
    return this.rankFor(`${topic}/${group}/${partition}`) === 0;
  }

  /** The rank of this member among the living ones for a key: 0 is the first. */
  rankFor(key: string): number {
    return rankOf(this.#own, this.#living(), key);
  }

  #living(): string[] {
    return this.#names.filter((name) => name === this.#own || this.#presence.fateOf(name) === 'living');
  }
}
