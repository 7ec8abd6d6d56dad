import { describe, expect, it } from '@jest/globals';
import type { BatchRule } from '@millrace/core';
import { DeliveryQueue } from '../src/consume/delivery-queue.js';
import type { PendingDelivery } from '../src/consume/pending-delivery.js';
import { ofLog, ofRetryLog } from './deliveries-at-hand.js';

const LONG_MS = 3_600_000;
const ONE: BatchRule = { size: 1, waitMs: 0 };

function queueOf(rule = ONE): DeliveryQueue {
  return new DeliveryQueue(rule);
}

function add(queue: DeliveryQueue, work: readonly PendingDelivery[], atMs = 0): void {
  for (const each of work) queue.add(each, atMs);
}

function messages(base: number, count: number): PendingDelivery[] {
  return Array.from({ length: count }, (_, index) => ofLog(base + index, 1).deliveries[0]!);
}

const suspect = (offset: number): PendingDelivery => ofRetryLog(offset, { crashes: 1 }).deliveries[0]!;
const offsets = (work: readonly PendingDelivery[]): number[] => work.map(({ offset }) => offset);

describe('messages that wait for a handler', () => {
  it('are taken in the order in which they came, however many were taken before', () => {
    const queue = queueOf();
    const taken: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      add(queue, messages(round * 7, 7));
      for (let count = 0; count < (round % 2 === 0 ? 3 : 11); count += 1) taken.push(...offsets(queue.take(0)));
      expect(queue.length).toBe((round + 1) * 7 - taken.length);
    }
    expect(taken).toEqual(Array.from({ length: 140 }, (_, index) => index));
    expect(queue.take(0)).toEqual([]);
  });

  it('are a batch when there are enough of them, or the first has waited long enough', () => {
    const queue = queueOf({ size: 3, waitMs: LONG_MS });
    add(queue, messages(0, 2));
    expect([queue.take(0), queue.readyInMs(0)]).toEqual([[], LONG_MS]);
    add(queue, messages(2, 2));
    expect([queue.readyInMs(0), offsets(queue.take(0)), offsets(queue.take(0))]).toEqual([0, [0, 1, 2], []]);
    const patient = queueOf({ size: 3, waitMs: LONG_MS });
    add(patient, messages(0, 2));
    expect([patient.readyInMs(LONG_MS), offsets(patient.take(LONG_MS)), patient.readyInMs(LONG_MS)]).toEqual([0, [0, 1], null]);
  });

  it('are put back from the newest on, and never those that were taken', () => {
    const queue = queueOf();
    add(queue, messages(0, 5));
    queue.take(0);
    queue.take(0);
    expect(offsets(queue.takeNewest(2))).toEqual([3, 4]);
    expect(offsets(queue.takeNewest(100))).toEqual([2]);
    expect([queue.length, queue.waitsSinceMs, queue.takeNewest(1)]).toEqual([0, null, []]);
    add(queue, messages(5, 2));
    expect([offsets(queue.take(0)), offsets(queue.take(0))]).toEqual([[5], [6]]);
  });

  it('are not put back when none are asked for', () => {
    const queue = queueOf();
    add(queue, messages(0, 3));
    expect([queue.takeNewest(0), queue.length]).toEqual([[], 3]);
  });

  it('are all put back, each once, suspects, too', () => {
    const queue = queueOf({ size: 4, waitMs: LONG_MS });
    add(queue, [...messages(0, 2), suspect(10), suspect(11)]);
    expect(offsets(queue.takeAll())).toEqual([10, 11, 0, 1]);
    expect([queue.length, queue.takeAll()]).toEqual([0, []]);
  });
});

describe('messages whose process vanished', () => {
  it('are taken one at a time: the next when the one before has ended', () => {
    const queue = queueOf();
    add(queue, [suspect(10), suspect(11), ...messages(0, 2)]);
    const first = queue.takeSuspect(5);
    const others = [queue.take(6), queue.take(7), queue.take(8)];
    expect([first, ...others].map(offsets)).toEqual([[10], [0], [1], []]);
    expect(queue.blocked(9)).toEqual({ count: 1, ms: 4 });
    expect([queue.ended(messages(0, 1)), queue.wantsLoneSlot]).toEqual([false, false]);
    expect([queue.ended(first), queue.wantsLoneSlot]).toEqual([true, true]);
    expect([offsets(queue.takeSuspect(10)), queue.blocked(11)]).toEqual([[11], { count: 0, ms: 0 }]);
  });

  it('wait for a suspect of another subscription, until it has ended', () => {
    const queue = queueOf();
    add(queue, [suspect(10)]);
    expect([queue.take(5), queue.blocked(9)]).toEqual([[], { count: 1, ms: 4 }]);
    queue.suspectEnded();
    expect([queue.blocked(9).ms, offsets(queue.takeSuspect(9)), queue.blocked(10).ms]).toEqual([0, [10], 0]);
  });

  it('are put back when they have waited since then', () => {
    const queue = queueOf();
    add(queue, [suspect(10)], 1);
    add(queue, [suspect(11)], 2);
    expect([offsets(queue.takeSuspectsSince(1)), queue.length, offsets(queue.takeSuspect(3))]).toEqual([[10], 1, [11]]);
  });
});
