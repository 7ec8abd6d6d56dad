import { describe, expect, it } from '@jest/globals';
import type { BatchRule } from '@millrace/core';
import type { PendingDelivery } from '../../src/consume/pending-delivery.js';
import { LaneQueue, type LaneRule } from '../../src/ordered/lane-queue.js';
import { here, keyed, there } from './keyed-deliveries.js';

const LONG_MS = 3_600_000;
const ONE: BatchRule = { size: 1, waitMs: 0 };

function queueOf(deliveries: readonly PendingDelivery[], { batch = ONE, by = 'key' }: { batch?: BatchRule; by?: LaneRule } = {}): LaneQueue {
  const queue = new LaneQueue(batch, by);
  for (const delivery of deliveries) queue.add(delivery, 0);
  return queue;
}

const offsets = (deliveries: readonly PendingDelivery[]): number[] => deliveries.map(({ offset }) => offset);

/** Takes until nothing may begin. */
function takeAll(queue: LaneQueue): PendingDelivery[] {
  const taken: PendingDelivery[] = [];
  for (let batch = queue.take(0); batch.length > 0; batch = queue.take(0)) taken.push(...batch);
  return taken;
}

describe('messages in lanes', () => {
  it('begin one of each key, and the next when the one before it is settled, not sooner', () => {
    const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('b', 2), keyed('a', 3)]);
    const [first, other] = takeAll(queue) as [PendingDelivery, PendingDelivery];
    expect([offsets([first, other]), queue.length, queue.waitingIn(here)]).toEqual([[0, 2], 0, 2]);
    queue.ended([first]);
    queue.settled(other);
    expect(takeAll(queue)).toEqual([]);
    queue.settled(first);
    const [second] = takeAll(queue) as [PendingDelivery];
    queue.settled(second);
    expect([second.offset, offsets(takeAll(queue))]).toEqual([1, [3]]);
  });

  it('tell once that few of a partition wait, however they went', () => {
    const queue = queueOf([keyed('a', 0), keyed('b', 1), keyed('c', 2), keyed('c', 5, { at: there })]);
    const told: string[] = [];
    queue.whenFewWait(here, 1, () => told.push('few'));
    queue.whenFewWait(there, 0, () => told.push('none'));
    const [first] = queue.take(0) as [PendingDelivery];
    expect([first.offset, told]).toEqual([0, []]);
    queue.take(0);
    expect(told).toEqual(['few']);
    queue.drop(there);
    queue.drop(here);
    expect(told).toEqual(['few', 'none']);
  });

  it('begin one after the other in a partition that is one lane, whatever their keys; other partitions go beside it', () => {
    const queue = queueOf([keyed('a', 0), keyed('b', 1), keyed(null, 2), keyed('a', 5, { at: there })], { by: 'partition' });
    const [first, other] = takeAll(queue) as [PendingDelivery, PendingDelivery];
    expect(offsets([first, other])).toEqual([0, 5]);
    queue.settled(first);
    expect(offsets(takeAll(queue))).toEqual([1]);
  });

  it('wait for no other when they have no key', () => {
    expect(offsets(takeAll(queueOf([keyed(null, 0), keyed(null, 1), keyed('', 2), keyed('', 3)])))).toEqual([0, 1, 2]);
  });

  it('wait for none of their key in another partition', () => {
    expect(offsets(takeAll(queueOf([keyed('a', 0), keyed('a', 0, { at: there })])))).toEqual([0, 0]);
  });

  it('that come while one of their key is at work wait for it', () => {
    const queue = queueOf([keyed('a', 0)]);
    const [first] = queue.take(0);
    queue.add(keyed('a', 1), 0);
    expect(offsets(queue.take(0))).toEqual([]);
    queue.settled(first!);
    expect(offsets(queue.take(0))).toEqual([1]);
  });

  it('settle each once: one that the queue does not have frees nothing', () => {
    const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('a', 2)]);
    const [first] = queue.take(0);
    queue.settled(keyed('a', 0));
    expect(offsets(queue.take(0))).toEqual([]);
    queue.settled(first!);
    queue.take(0);
    queue.settled(first!);
    expect(offsets(queue.take(0))).toEqual([]);
  });
});

describe('a message that is tried again', () => {
  it('begins at its time, before all others of its key, which wait for it', () => {
    const queue = queueOf([keyed('a', 0), keyed('a', 1)]);
    const [taken] = queue.take(0);
    const next = taken!.with({ attempt: 2 });
    next.notBeforeMs = performance.now() + LONG_MS;
    queue.retry(taken!, next);
    expect([queue.length, queue.waitingIn(here)]).toEqual([0, 2]);
    expect([queue.take(performance.now()), queue.take(next.notBeforeMs - 1)]).toEqual([[], []]);
    expect(queue.readyInMs(next.notBeforeMs - 7.5)).toBe(8);
    expect(queue.take(next.notBeforeMs)).toEqual([next]);
    queue.settled(taken!);
    expect(queue.take(next.notBeforeMs)).toEqual([]);
    queue.settled(next);
    expect(offsets(queue.take(next.notBeforeMs))).toEqual([1]);
  });

  it('does not hold up those that are due before it', () => {
    const queue = queueOf([keyed('a', 0), keyed('b', 1)]);
    const [a, b] = takeAll(queue) as [PendingDelivery, PendingDelivery];
    const [late, soon] = [a.with({ attempt: 2 }), b.with({ attempt: 2 })];
    late.notBeforeMs = performance.now() + LONG_MS;
    soon.notBeforeMs = performance.now() + LONG_MS / 2;
    queue.retry(a, late);
    queue.retry(b, soon);
    expect([queue.take(soon.notBeforeMs - 1), queue.take(soon.notBeforeMs)]).toEqual([[], [soon]]);
    expect(queue.take(late.notBeforeMs)).toEqual([late]);
  });

  it('waits for its time also when it was read anew', () => {
    const again = keyed('a', 0, { attempt: 3 });
    again.notBeforeMs = LONG_MS;
    const queue = queueOf([again, keyed('a', 1)]);
    expect([queue.take(LONG_MS - 1), queue.take(LONG_MS)]).toEqual([[], [again]]);
  });
});

describe('a batch', () => {
  const batch: BatchRule = { size: 3, waitMs: LONG_MS };

  it('has one message of each lane at the most', () => {
    const all = ['a', 'a', 'b', 'b', 'c', 'd'].map((key, offset) => keyed(key, offset));
    const queue = queueOf(all, { batch });
    expect([offsets(queue.take(0)), offsets(queue.take(LONG_MS))]).toEqual([[0, 2, 4], [5]]);
  });

  it('begins when it is full, or when its first message has waited for long enough', () => {
    const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('b', 2)], { batch });
    expect([queue.take(LONG_MS - 1), queue.readyInMs(1)]).toEqual([[], LONG_MS - 1]);
    expect(offsets(queue.take(LONG_MS))).toEqual([0, 2]);
    expect(queue.readyInMs(LONG_MS)).toBeNull();
  });

  it('frees each lane by itself', () => {
    const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('b', 2), keyed('b', 3)], { batch: { size: 2, waitMs: 0 } });
    const [, b] = queue.take(0);
    queue.settled(b!);
    expect(offsets(queue.take(performance.now()))).toEqual([3]);
  });
});

describe('messages whose process vanished', () => {
  it('begin one at a time, others beside them, and those of their key behind them', () => {
    const others = [keyed('a', 1), keyed('b', 2, { crashes: 1 }), keyed('c', 3)];
    const queue = queueOf([keyed('a', 0, { crashes: 1 }), ...others]);
    expect([queue.hasSuspects, queue.wantsLoneSlot, queue.length]).toEqual([true, true, 3]);
    const first = queue.takeSuspect(5);
    expect([offsets(first), queue.wantsLoneSlot, offsets(takeAll(queue))]).toEqual([[0], false, [3]]);
    expect(queue.blocked(9)).toEqual({ count: 1, ms: 4 });
    expect([queue.ended([keyed('a', 0)]), queue.ended(first), queue.wantsLoneSlot]).toEqual([false, true, true]);
    expect(offsets(queue.takeSuspect(10))).toEqual([2]);
    queue.settled(first[0]!);
    expect(offsets(takeAll(queue))).toEqual([1]);
  });

  it('are suspects also at their next attempt', () => {
    const queue = queueOf([keyed('a', 0, { crashes: 1 })]);
    const [taken] = queue.takeSuspect(0);
    queue.retry(taken!, taken!.with({ attempt: 2 }));
    queue.ended([taken!]);
    expect([queue.take(performance.now()), queue.takeSuspect(performance.now())[0]!.attempt]).toEqual([[], 2]);
  });

  it('hold up nobody any more when they are dropped', () => {
    const queue = queueOf([keyed('a', 0, { crashes: 1 })]);
    queue.take(5);
    expect(queue.blocked(9)).toEqual({ count: 1, ms: 4 });
    queue.drop(here);
    expect([queue.blocked(LONG_MS), queue.hasSuspects, queue.takeSuspect(9)]).toEqual([{ count: 0, ms: 0 }, false, []]);
  });
});

describe('a partition that is dropped', () => {
  it('loses all that wait, and not those that were taken: they are settled, and then others of their key come', () => {
    const elsewhere = keyed('c', 9, { at: there });
    const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('b', 2, { crashes: 1 }), elsewhere]);
    const [taken] = queue.take(0);
    expect(offsets(queue.drop(here))).toEqual([1, 2]);
    expect([queue.hasTakenIn(here), queue.waitingIn(here), queue.waitingIn(there)]).toEqual([true, 0, 1]);
    queue.add(keyed('a', 1), 0);
    expect(offsets(takeAll(queue))).toEqual([9]);
    queue.settled(taken!);
    expect([offsets(takeAll(queue)), queue.hasTakenIn(here)]).toEqual([[1], true]);
  });

  it('forgets those that wait for their time', () => {
    const queue = queueOf([keyed('a', 0)]);
    const [taken] = queue.take(0);
    const next = taken!.with({ attempt: 2 });
    next.notBeforeMs = performance.now() + LONG_MS;
    queue.retry(taken!, next);
    expect([queue.drop(here), queue.hasTakenIn(here), queue.waitingIn(here)]).toEqual([[next], false, 0]);
    expect(queue.take(next.notBeforeMs)).toEqual([]);
    expect(queue.readyInMs(next.notBeforeMs)).toBeNull();
  });

  it('has nothing in hand when its last message is settled', () => {
    const queue = queueOf([keyed('a', 0)]);
    const [taken] = queue.take(0);
    expect([queue.hasTakenIn(here), queue.drop(here)]).toEqual([true, []]);
    queue.settled(taken!);
    expect([queue.hasTakenIn(here), queue.allIn(here).size]).toEqual([false, 0]);
  });
});

it('all messages of a partition are those that were taken and those that wait, by name', () => {
  const queue = queueOf([keyed('a', 0), keyed('a', 1), keyed('b', 2), keyed('c', 3, { at: there })]);
  const [taken] = queue.take(0);
  expect([...queue.allIn(here).keys()].sort()).toEqual(['0', '1', '2']);
  queue.settled(taken!);
  expect([...queue.allIn(here).keys()].sort()).toEqual(['1', '2']);
  expect(offsets(queue.takeAll()).sort()).toEqual([1, 2, 3]);
  expect([queue.allIn(here).size, queue.length, queue.waitingIn(there)]).toEqual([0, 0, 0]);
});

it('messages of a key begin in their order, one at a time, whatever happens', () => {
  const random = (limit: number): number => Math.floor(Math.random() * limit);
  const queue = queueOf([]);
  const working = new Map<string, PendingDelivery>();
  const begun = new Map<string, number[]>();
  for (let [step, offset] = [0, 0]; step < 3_000; step += 1) {
    if (random(2) === 0) queue.add(keyed(`k${random(5)}`, offset++), 0);
    for (const taken of queue.take(performance.now())) {
      const key = taken.message.key!;
      expect(working.has(key)).toBe(false);
      working.set(key, taken);
      begun.set(key, [...(begun.get(key) ?? []), taken.offset]);
    }
    const [ended] = [...working.values()].slice(random(working.size));
    if (!ended || random(2) === 0) continue;
    working.delete(ended.message.key!);
    if (random(3) > 0) queue.settled(ended);
    else queue.retry(ended, ended.with({ attempt: ended.attempt + 1 }));
  }
  for (const taken of begun.values()) expect(taken).toEqual(taken.toSorted((a, b) => a - b));
});
