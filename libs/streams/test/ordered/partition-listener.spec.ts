import { describe, expect, it } from '@jest/globals';
import { type AssignedPartition, listen, type PartitionListeners, type RevokedPartition, type Subscription } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { groupPartition } from '../../src/consume/group-partition.js';
import { PartitionListener } from '../../src/ordered/partition-listener.js';
import { Bed } from '../bed.js';
import { type Process, signal, silence, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';

const bed = new Bed('listener');
const ALL = [0, 1, 2, 3];

interface Note {
  readonly who: string;
  readonly kind: 'assigned' | 'revoked' | 'lost' | 'handled';
  readonly partition: number;
  readonly epoch: number;
}

type Before = Partial<Record<'assign' | 'revoke' | 'handle', (partition: number) => unknown>>;

/** All that members were told of partitions, and handled there, in order: a note is written when a call ends. */
class Tape {
  readonly notes: Note[] = [];
  #atWork = new Set<string>();

  async member(process: Process, who: string, before: Before = {}): Promise<Subscription> {
    const told = async (kind: Note['kind'], of: AssignedPartition, wait: Before['assign']): Promise<void> => {
      const call = `${who} ${of.partition}`;
      if (this.#atWork.has(call)) throw new Error(`${call} is told of two things at once`);
      this.#atWork.add(call);
      try {
        await wait?.(of.partition);
        this.notes.push({ who, kind, partition: of.partition, epoch: of.epoch });
      } finally {
        this.#atWork.delete(call);
      }
    };
    const listeners: PartitionListeners = {
      onAssigned: (partition) => told('assigned', partition, before.assign),
      onRevoked: (partition: RevokedPartition) => told(partition.lost ? 'lost' : 'revoked', partition, before.revoke),
    };
    return subscribe(process, { topic: Step, group: 'g', ordering: { by: 'key' }, ...listeners }, async (_, { partition }) => {
      await before.handle?.(partition);
      this.notes.push({ who, kind: 'handled', partition, epoch: 0 });
    });
  }

  count(kind: Note['kind'], who?: string): number {
    return this.notes.filter((note) => note.kind === kind && (who === undefined || note.who === who)).length;
  }

  /** Such as `a assigned, a handled, a revoked`, without repetitions. */
  of(partition: number): string {
    const texts = this.notes.filter((note) => note.partition === partition).map(({ who, kind }) => `${who} ${kind}`);
    return texts.filter((text, index) => text !== texts[index - 1]).join(', ');
  }

  epochs(partition: number): number[] {
    return this.notes.filter((note) => note.partition === partition && note.kind === 'assigned').map(({ epoch }) => epoch);
  }

  has(count: number, kind: Note['kind'], who?: string): Promise<unknown> {
    return waitFor(() => this.count(kind, who) >= count, { what: `${count} notes '${kind}' of ${who ?? 'anybody'}` });
  }
}

const ownerOf = (partition: number): Promise<unknown> => bed.command('HGET', bed.place(Step, 'g', partition).groupKeys.control, 'owner');

describe('a member of an ordered group', () => {
  it('is told of a partition before its first message, however long that takes, and of its end before it is released', async () => {
    const [process, tape, ready, done] = [await bed.start(), new Tape(), signal(), signal()];
    const named: unknown[] = [];
    const revoke = async (partition: number): Promise<void> => {
      await done.promise;
      named.push(await ownerOf(partition));
    };
    const subscription = await tape.member(process, 'a', { assign: () => ready.promise, revoke });
    await process.publisher.publishMany(Step, stepsOf(20, 2));
    await waitFor(async () => (await Promise.all(ALL.map(ownerOf))).every((owner) => owner !== null), { what: 'all partitions to have an owner' });
    expect([tape.notes, (await bed.state(process, Step, 'g')).pending]).toEqual([[], 0]);
    ready.fire();
    await tape.has(40, 'handled');
    const stopping = subscription.stop(20_000);
    done.fire();
    await stopping;
    for (const partition of ALL) expect(tape.of(partition)).toBe('a assigned, a handled, a revoked');
    expect(named).toEqual(ALL.map(() => expect.any(String)));
    expect(await Promise.all(ALL.map(ownerOf))).toEqual([null, null, null, null]);
  });

  it('is told of the end of a partition when all that it began there has ended and is settled', async () => {
    const [process, tape, begun, end] = [await bed.start(), new Tape(), signal(), signal()];
    const handle = (): Promise<void> => {
      begun.fire();
      return end.promise;
    };
    const revoke = async (partition: number): Promise<void> => {
      const [pending] = (await bed.command('XPENDING', bed.place(Step, 'g', partition).keys.log, 'g')) as [number];
      if (pending > 0) throw new Error(`${pending} messages of partition ${partition} are not settled`);
    };
    const subscription = await tape.member(process, 'a', { handle, revoke });
    await process.publisher.publish(Step, { thing: 0, step: 0 });
    await begun.promise;
    const stopping = subscription.stop(20_000);
    await tape.has(3, 'revoked');
    end.fire();
    await stopping;
    const [{ partition }] = tape.notes.filter(({ kind }) => kind === 'handled') as [Note];
    expect(tape.of(partition)).toBe('a assigned, a handled, a revoked');
  });

  it('has heard of the end of a partition when another one is told of it', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const one = await tape.member(first, 'a');
    await first.publisher.publishMany(Step, stepsOf(20, 1));
    await tape.has(20, 'handled');
    await tape.member(second, 'b');
    await tape.has(2, 'assigned', 'b');
    await one.stop(20_000);
    await tape.has(4, 'assigned', 'b');
    await first.publisher.publishMany(Step, stepsOf(20, 2).slice(20));
    await tape.has(40, 'handled');
    for (const partition of ALL) {
      expect(tape.of(partition)).toBe('a assigned, a handled, a revoked, b assigned, b handled');
      const [before, after] = tape.epochs(partition) as [number, number];
      expect(after).toBeGreaterThan(before);
    }
  });

  it('is told of the partitions of a killed process', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    await tape.member(first, 'a');
    await tape.has(4, 'assigned', 'a');
    first.vanish();
    await tape.member(second, 'b');
    await tape.has(4, 'assigned', 'b');
    await second.publisher.publishMany(Step, stepsOf(20, 1));
    await tape.has(20, 'handled', 'b');
  });

  it('is told that it has lost its partitions when others took it for dead', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    await tape.member(first, 'a');
    await tape.has(4, 'assigned', 'a');
    const speak = silence(first);
    const other = await tape.member(second, 'b');
    await tape.has(4, 'assigned', 'b');
    speak();
    await tape.has(4, 'lost', 'a');
    await other.stop(20_000);
    await tape.has(8, 'assigned', 'a');
    for (const partition of ALL) {
      const own = tape.notes.filter((note) => note.partition === partition && note.who === 'a').map(({ kind }) => kind);
      expect(own.filter((kind, index) => kind === own[index - 1])).toEqual([]);
      expect(own.slice(0, 3)).toEqual(['assigned', 'lost', 'assigned']);
    }
  });

  it('is told again when it failed to take a partition over, and says so meanwhile', async () => {
    const [process, tape, seen] = [await bed.start(), new Tape(), signal()];
    const failed: unknown[] = [];
    const unlisten = listen('loop-failed', ({ loop, partition, failures, error }) => failed.push([loop, partition, failures, error.message]));
    let isFirst = true;
    const assign = async (partition: number): Promise<void> => {
      if (partition !== 2) return;
      if (!isFirst) return seen.promise;
      isFirst = false;
      throw new Error('no state');
    };
    const subscription = await tape.member(process, 'a', { assign });
    await process.publisher.publishMany(Step, stepsOf(20, 1));
    await waitFor(() => subscription.problem() !== null, { what: 'the problem to be told' });
    expect(subscription.problem()).toBe('partition 2 is not read, since onAssigned fails: no state');
    expect(failed).toEqual([['onAssigned', 2, 1, 'no state']]);
    seen.fire();
    await tape.has(20, 'handled');
    expect(subscription.problem()).toBeNull();
    await subscription.stop(20_000);
    unlisten();
    expect(tape.of(2)).toBe('a assigned, a handled, a revoked');
  });

  it('stops in time though it takes a partition over for ever, which is opened by nobody but its next owner', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const asked = signal();
    const assign = (): Promise<never> => {
      asked.fire();
      return new Promise(() => undefined);
    };
    const subscription = await tape.member(first, 'a', { assign });
    await first.publisher.publishMany(Step, stepsOf(20, 1));
    await asked.promise;
    await subscription.stop(100);
    await tape.member(second, 'b');
    await tape.has(20, 'handled', 'b');
    expect(tape.count('handled', 'a') + tape.count('revoked', 'a') + tape.count('lost', 'a')).toBe(0);
  });

  it('goes on when it fails to give a partition up', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    const failed: string[] = [];
    const unlisten = listen('loop-failed', ({ loop }) => failed.push(loop));
    const revoke = (): never => {
      throw new Error('no');
    };
    const subscription = await tape.member(process, 'a', { revoke });
    await tape.has(4, 'assigned');
    await subscription.stop(20_000);
    unlisten();
    expect(failed).toEqual(ALL.map(() => 'onRevoked'));
    expect(await Promise.all(ALL.map(ownerOf))).toEqual([null, null, null, null]);
  });
});

describe('a partition that goes before its user is ready for it', () => {
  const heard: string[] = [];
  const open = (): void => void heard.push('open');

  /** A listener whose `onAssigned` takes until the signal of its turn. */
  function listener(ready: readonly { readonly promise: Promise<unknown> }[]): PartitionListener {
    heard.length = 0;
    let turn = 0;
    return new PartitionListener(groupPartition('p', { topic: 't', partition: 0 }, 'g'), {
      onAssigned: async ({ epoch }) => {
        heard.push(`assigning ${epoch}`);
        await ready[turn++]!.promise;
        heard.push(`assigned ${epoch}`);
      },
      onRevoked: ({ epoch, lost }) => void heard.push(`${lost ? 'lost' : 'revoked'} ${epoch}`),
    });
  }

  it('is not opened, and the user hears of its end, when it is to be given up', async () => {
    const ready = signal();
    const one = listener([ready]);
    one.assigned(1, open);
    await Promise.resolve();
    const revoked = one.revoked(Promise.resolve());
    ready.fire();
    await revoked;
    expect(heard).toEqual(['assigning 1', 'assigned 1', 'revoked 1']);
  });

  it('is not opened when it was lost, and is told of anew when it comes back meanwhile', async () => {
    const [first, second] = [signal(), signal()];
    const one = listener([first, second]);
    one.assigned(1, open);
    await Promise.resolve();
    one.lost();
    one.assigned(2, open);
    first.fire();
    second.fire();
    await waitFor(() => heard.includes('open'), { what: 'the partition to be opened' });
    expect(heard).toEqual(['assigning 1', 'assigned 1', 'lost 1', 'assigning 2', 'assigned 2', 'open']);
  });

  it('is passed over when it came and went while the user heard of the one before', async () => {
    const ready = signal();
    const one = listener([ready]);
    one.assigned(1, open);
    await Promise.resolve();
    one.lost();
    one.assigned(2, open);
    const revoked = one.revoked(Promise.resolve());
    ready.fire();
    await revoked;
    expect(heard).toEqual(['assigning 1', 'assigned 1', 'lost 1']);
  });

  it('is lost once, and only that one, when its handlers end after it came back', async () => {
    const [ready, drained] = [signal(), signal()];
    ready.fire();
    const one = listener([ready, ready]);
    one.assigned(1, open);
    await waitFor(() => heard.includes('open'), { what: 'the partition to be opened' });
    const revoked = one.revoked(drained.promise);
    one.lost();
    one.assigned(2, open);
    drained.fire();
    await revoked;
    await waitFor(() => heard.includes('assigned 2'), { what: 'the second assignment' });
    expect(heard).toEqual(['assigning 1', 'assigned 1', 'open', 'lost 1', 'assigning 2', 'assigned 2', 'open']);
  });
});
