import { type AssignedPartition, type PayloadClass, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import type { Ground } from '../ground.js';
import { type Process, subscribe } from '../fixture.js';
import type { Step } from './keyed.js';

const PATIENCE_MS = 60_000;

interface Subscriber {
  readonly process: Process;
  readonly owned: Set<number>;
}

export interface SubscribersOptions {
  readonly topic: PayloadClass<Step>;
  readonly group: string;
  readonly leaseMs: number;
}

/** Members of an ordered group whose number changes while its messages are handled. */
export class Subscribers {
  /** How often a partition was assigned while another member had it. */
  overlaps = 0;
  /** Partitions that were given to a member. */
  moves = 0;
  handled = 0;
  /** How long each change took until the members owned all partitions evenly, in milliseconds; without changes to 0 members. */
  readonly changes: number[] = [];
  /** Handled steps of each thing, in the order in which they began. */
  readonly steps = new Map<number, number[]>();
  readonly #ground: Ground;
  readonly #options: SubscribersOptions;
  readonly #users = new Map<number, number>();
  #members: Subscriber[] = [];

  constructor(ground: Ground, options: SubscribersOptions) {
    this.#ground = ground;
    this.#options = options;
  }

  /** One member vanishes. @returns milliseconds until the others own all partitions evenly */
  async vanish(): Promise<number> {
    const [{ process, owned }] = this.#members.splice(0, 1) as [Subscriber];
    const sinceMs = performance.now();
    process.vanish();
    // It hears of nothing any more.
    for (const partition of owned) this.#users.set(partition, this.#users.get(partition)! - 1);
    await waitFor(() => this.#isEven(), { what: 'the others to own all partitions evenly', timeoutMs: PATIENCE_MS });
    return performance.now() - sinceMs;
  }

  async to(count: number): Promise<void> {
    const sinceMs = performance.now();
    const leaving = this.#members.splice(count);
    const joining = Array.from({ length: count - this.#members.length }, () => this.#join());
    await Promise.all(leaving.map(({ process }) => process.stop(10_000)));
    this.#members.push(...(await Promise.all(joining)));
    if (count === 0) return;
    await waitFor(() => this.#isEven(), { what: `${count} members to own all partitions evenly`, timeoutMs: PATIENCE_MS });
    this.changes.push(performance.now() - sinceMs);
  }

  async #join(): Promise<Subscriber> {
    const { topic, group, leaseMs } = this.#options;
    const member: Subscriber = { process: await this.#ground.start({ leaseMs }), owned: new Set() };
    const onAssigned = (given: AssignedPartition): void => this.#assigned(member, given);
    const listeners = { onAssigned, onRevoked: this.#revokedOf(member) };
    await subscribe(member.process, { topic, group, ordering: { by: 'key' }, ...listeners }, async (step: Step) => this.#handle(step));
    return member;
  }

  #handle({ thing, step }: Step): void {
    this.handled += 1;
    const steps = this.steps.get(thing) ?? [];
    steps.push(step);
    this.steps.set(thing, steps);
  }

  #assigned({ owned }: Subscriber, { partition }: AssignedPartition): void {
    const users = this.#users.get(partition) ?? 0;
    if (users > 0) this.overlaps += 1;
    this.#users.set(partition, users + 1);
    this.moves += 1;
    owned.add(partition);
  }

  #revokedOf({ owned }: Subscriber): (given: AssignedPartition) => void {
    return ({ partition }) => {
      this.#users.set(partition, this.#users.get(partition)! - 1);
      owned.delete(partition);
    };
  }

  #isEven(): boolean {
    const counts = this.#members.map(({ owned }) => owned.size);
    const isAll = counts.reduce((sum, count) => sum + count, 0) === topicOf(this.#options.topic).partitions;
    if (!isAll || Math.max(...counts) - Math.min(...counts) > 1) throw new Error(`they own ${counts.join(', ')}`);
    return true;
  }
}
