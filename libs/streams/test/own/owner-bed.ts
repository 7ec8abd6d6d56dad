import { afterEach, beforeEach } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Note, type OwnerHooks, OwnerMember, type OwnerPlan } from './owner-member.js';
import { faultsIn, type OwnerFaults, OwnerTape } from './owner-tape.js';

/** A busy machine is given much time: tests wait for what they expect, not for this. */
const PATIENCE_MS = 30_000;

/** A member, in this process or in one of its own. */
export interface Owner {
  /** Partition -> the epoch under which the member says that it owns it. */
  readonly owned: ReadonlyMap<number, number>;
}

/** Members of one ordered group in this process, each with connections of its own, and a tape of all records. */
export class OwnerBed extends Bed {
  readonly notes: Note[] = [];
  readonly members: OwnerMember[] = [];
  readonly partitions: number;
  readonly leaseMs: number;
  tape!: OwnerTape;

  constructor(name: string, { partitions, leaseMs }: { partitions: number; leaseMs: number }) {
    super(name);
    this.partitions = partitions;
    this.leaseMs = leaseMs;
    beforeEach(async () => void (this.tape = await OwnerTape.start(this.url, this)));
    afterEach(() => this.#leave());
  }

  get plan(): OwnerPlan {
    return { url: this.url, prefix: this.prefix, leaseMs: this.leaseMs, partitions: this.partitions };
  }

  async join(plan: Partial<OwnerPlan> = {}, hooks: OwnerHooks = {}): Promise<OwnerMember> {
    const note = (each: Note): void => {
      this.notes.push(each);
      hooks.note?.(each);
    };
    const member = await OwnerMember.join({ ...this.plan, ...plan }, { ...hooks, note });
    this.members.push(member);
    return member;
  }

  joinMany(count: number): Promise<OwnerMember[]> {
    return Promise.all(Array.from({ length: count }, () => this.join()));
  }

  /** Resolves when these members own all partitions, evenly. @returns how many milliseconds it took */
  async settled(members: readonly Owner[]): Promise<number> {
    const sinceMs = performance.now();
    await waitFor(() => this.#isSettled(members), { what: `${members.length} members to own all partitions evenly`, timeoutMs: PATIENCE_MS });
    return performance.now() - sinceMs;
  }

  async faults(): Promise<OwnerFaults> {
    return faultsIn(await this.tape.catchUp());
  }

  /** How often a member was assigned a partition that another one had not finished with yet. */
  get overlaps(): number {
    const users = new Map<number, Set<string>>();
    let overlaps = 0;
    for (const { kind, member, partition } of this.notes) {
      const present = users.get(partition) ?? new Set();
      if (kind === 'assigned' && present.size > 0) overlaps += 1;
      if (kind === 'assigned') present.add(member);
      if (kind === 'revoked' || kind === 'lost') present.delete(member);
      users.set(partition, present);
    }
    return overlaps;
  }

  #isSettled(members: readonly Owner[]): boolean {
    const counts = members.map(({ owned }) => owned.size);
    if (counts.reduce((sum, count) => sum + count, 0) !== this.partitions) throw new Error(`they own ${counts.join(', ')}`);
    if (Math.max(...counts) - Math.min(...counts) > 1) throw new Error(`they own ${counts.join(', ')}`);
    return true;
  }

  async #leave(): Promise<void> {
    this.tape.stop();
    await Promise.all(this.members.splice(0).map((member) => member.stop(0)));
    this.notes.length = 0;
  }
}
