import { beforeEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, listen, type Subscription } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('lone-suspects');
const LEASE_MS = 300;
type Group = 'a' | 'b';

/** A message whose process vanished, at work in a handler. */
interface AtWork {
  readonly group: Group;
  readonly value: number;
  /** Whether it was marked as begun in Redis when its handler began. */
  readonly isMarked: boolean;
  end(): void;
  fail(): void;
}

/** One process with two groups that have suspects, messages of a process that vanished. */
class Suspects {
  readonly begun: AtWork[] = [];
  readonly usual: string[] = [];
  most = 0;
  #atWork = 0;
  process!: Process;
  a!: Subscription;
  b!: Subscription;

  async join(): Promise<void> {
    // A subscription with one message that waits for another at work reports that at once.
    this.process = await bed.start({ leaseMs: LEASE_MS, stuckAfterMs: 1 });
    [this.a, this.b] = await Promise.all([this.#subscribe('a'), this.#subscribe('b')]);
  }

  of(group: Group): AtWork[] {
    return this.begun.filter((each) => each.group === group);
  }

  /** Resolves with the suspect at work, once so many have begun. */
  nth(count: number): Promise<AtWork> {
    return waitFor(() => this.begun[count - 1], { what: `${count} of the messages whose process vanished to have begun` });
  }

  /** Resolves when so many suspects of this group wait for the one at work. */
  held(group: Group, count: number): Promise<unknown> {
    return waitFor(() => this[group].problem()?.includes(`holds up ${count} more`), { what: `${count} of ${group} to wait` });
  }

  /** Resolves when the group has handled a message that is no suspect. */
  async proved(group: Group, value: number): Promise<void> {
    await this.process.publisher.publish(Single, { value });
    await waitFor(() => this.usual.includes(`${group} ${value}`), { what: 'a usual message to be handled meanwhile' });
  }

  #subscribe(group: Group): Promise<Subscription> {
    const retry = { ...noRetry, attempts: 2, backoff: fixed('1ms') };
    return subscribe(this.process, { topic: Single, group, retry }, (payload, context) => this.#handle(group, payload, context));
  }

  async #handle(group: Group, { value }: Single, { crashes, attempt }: DeliveryContext): Promise<void> {
    if (crashes === 0 || attempt > 1) return void this.usual.push(`${group} ${value}`);
    this.#atWork += 1;
    this.most = Math.max(this.most, this.#atWork);
    const isMarked = (await marks(group)) === 1;
    const ending = signal<Error | null>();
    this.begun.push({ group, value, isMarked, end: () => ending.fire(null), fail: () => ending.fire(new Error('not yet')) });
    const failure = await ending.promise;
    this.#atWork -= 1;
    if (failure) throw failure;
  }
}

const marks = async (group: Group): Promise<number> => Number(await bed.command('HLEN', bed.place(Single, group).groupKeys.begun));

let suspects: Suspects;

/** A process takes so many messages for both groups, and vanishes. */
async function vanishWith(count: number): Promise<void> {
  const victim = await bed.start({ leaseMs: LEASE_MS });
  let begun = 0;
  const never = async (): Promise<void> => {
    begun += 1;
    await new Promise(() => undefined);
  };
  for (const group of ['a', 'b']) await subscribe(victim, { topic: Single, group, concurrency: count }, never);
  await victim.publisher.publishMany(Single, numbers(count));
  await waitFor(() => begun === 2 * count, { what: 'all to be in handlers' });
  victim.vanish();
}

beforeEach(() => void (suspects = new Suspects()));

describe('messages whose process vanished', () => {
  it('are handled one at a time, whatever group of the process they belong to, and marked before they begin', async () => {
    await vanishWith(3);
    await suspects.join();
    for (let count = 1; count <= 6; count += 1) {
      const one = await suspects.nth(count);
      expect(one.isMarked).toBe(true);
      one.end();
    }
    await bed.drained(suspects.process, Single, 'a');
    await bed.drained(suspects.process, Single, 'b');
    expect([suspects.most, suspects.of('a').length, suspects.of('b').length]).toEqual([1, 3, 3]);
    expect([await marks('a'), await marks('b')]).toEqual([0, 0]);
  });

  it('wait for a suspect of another group, which does not keep other messages from being handled', async () => {
    await vanishWith(1);
    await suspects.join();
    const first = await suspects.nth(1);
    const other = first.group === 'a' ? 'b' : 'a';
    await suspects.held(other, 1);
    await suspects.proved('a', 100);
    await suspects.proved('b', 101);
    expect([suspects.begun.length, await marks(other)]).toEqual([1, 0]);
    first.end();
    expect((await suspects.nth(2)).group).toBe(other);
    suspects.begun[1]!.end();
  });

  it('wait until Redis has taken the outcome of the suspect before', async () => {
    await vanishWith(1);
    await suspects.join();
    const first = await suspects.nth(1);
    const other = first.group === 'a' ? 'b' : 'a';
    await suspects.held(other, 1);
    const { due } = bed.place(Single, first.group).groupKeys;
    await bed.command('SET', due, 'in the way');
    let refusals = 0;
    const stopListening = listen('loop-failed', ({ loop }) => void (refusals += loop === 'settle' ? 1 : 0));
    first.fail();
    await waitFor(() => refusals >= 2, { what: 'Redis to have refused its outcome' });
    await suspects.proved(other, 100);
    expect([suspects.begun.length, await marks(first.group)]).toEqual([1, 1]);
    stopListening();
    await bed.command('DEL', due);
    (await suspects.nth(2)).end();
    await waitFor(() => suspects.usual.includes(`${first.group} ${first.value}`), { what: 'its second attempt' });
    expect(suspects.most).toBe(1);
  });
});

describe('messages whose process vanished, of a subscription that is paused', () => {
  it('do not keep suspects of another subscription waiting once the suspect at work has ended', async () => {
    await vanishWith(2);
    await suspects.join();
    const first = await suspects.nth(1);
    const other = first.group === 'a' ? 'b' : 'a';
    await suspects.held(other, 2);
    await suspects.held(first.group, 1);
    const paused = suspects[first.group].pause();
    first.end();
    await paused;
    for (const count of [2, 3]) {
      const next = await suspects.nth(count);
      expect(next.group).toBe(other);
      next.end();
    }
    await bed.drained(suspects.process, Single, other);
    expect(suspects.begun).toHaveLength(3);
    suspects[first.group].resume();
    expect((await suspects.nth(4)).group).toBe(first.group);
    suspects.begun[3]!.end();
    expect(suspects.most).toBe(1);
  });

  it('do not begin when a suspect of another subscription has ended, and begin when theirs is resumed', async () => {
    await vanishWith(2);
    await suspects.join();
    const first = await suspects.nth(1);
    const other = first.group === 'a' ? 'b' : 'a';
    await suspects.held(other, 2);
    await suspects[other].pause();
    first.end();
    (await suspects.nth(2)).end();
    await bed.drained(suspects.process, Single, first.group);
    expect(suspects.of(other)).toEqual([]);
    suspects[other].resume();
    for (const count of [3, 4]) (await suspects.nth(count)).end();
    await bed.drained(suspects.process, Single, other);
    expect(suspects.most).toBe(1);
  });
});
