import type { OwnerBed } from './owner-bed.js';
import type { OwnerMember } from './owner-member.js';

/** A change of the number of members, and how long it took until they owned all partitions evenly. */
export interface Change {
  readonly from: number;
  readonly to: number;
  readonly ms: number;
  /** Partitions that were given to a member. */
  readonly moves: number;
}

/** Changes the number of members of a group, step by step, and waits each time until partitions are owned as they should be. */
export class Rebalance {
  readonly changes: Change[] = [];
  readonly #bed: OwnerBed;
  #members: OwnerMember[] = [];

  constructor(bed: OwnerBed) {
    this.#bed = bed;
  }

  /** 1 -> 8 -> 3 -> 0 -> 4 -> 0 members. */
  async cycle(): Promise<void> {
    for (const members of [1, 8, 3, 0, 4, 0]) await this.to(members);
  }

  async to(members: number): Promise<Change> {
    const from = this.#members.length;
    const [sinceMs, assigned] = [performance.now(), this.#assigned];
    const leaving = this.#members.splice(members);
    const joining = this.#bed.joinMany(Math.max(0, members - from));
    await Promise.all(leaving.map((member) => member.stop()));
    this.#members.push(...(await joining));
    if (members > 0) await this.#bed.settled(this.#members);
    const change = { from, to: members, ms: performance.now() - sinceMs, moves: this.#assigned - assigned };
    this.changes.push(change);
    return change;
  }

  /** The longest time that a change took which left members. */
  get longestMs(): number {
    return Math.max(...this.changes.filter(({ to }) => to > 0).map(({ ms }) => ms));
  }

  get #assigned(): number {
    return this.#bed.notes.filter(({ kind }) => kind === 'assigned').length;
  }
}
