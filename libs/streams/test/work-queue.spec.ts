import { describe, expect, it } from '@jest/globals';
import type { BatchRule } from '@millrace/core';
import { LoneSlot } from '../src/consume/lone-slot.js';
import { WorkQueue } from '../src/consume/work-queue.js';
import type { Work } from '../src/consume/work.js';
import { ofLog, ofRetryLog } from './work-at-hand.js';

const LONG_MS = 3_600_000;
const ONE: BatchRule = { size: 1, waitMs: 0 };

interface Queue {
  readonly queue: WorkQueue;
  /** How often it said that something may be taken. */
  readonly calls: { ready: number };
}

function queueOf(rule = ONE, loneSlot = new LoneSlot()): Queue {
  const calls = { ready: 0 };
  return { calls, queue: new WorkQueue({ rule, loneSlot, onReady: () => void (calls.ready += 1) }) };
}

function add(queue: WorkQueue, work: readonly Work[], agoMs = 0): void {
  for (const each of work) queue.add(each, performance.now() - agoMs);
}

function messages(base: number, count: number): Work[] {
  return Array.from({ length: count }, (_, index) => ofLog(base + index, 1).work[0]!);
}

const suspect = (offset: number): Work => ofRetryLog(offset, { crashes: 1 }).work[0]!;
const offsets = (work: readonly Work[]): number[] => work.map(({ offset }) => offset);

describe('what waits for a handler', () => {
  it('is taken in the order in which it came, however much was taken before', () => {
    const { queue } = queueOf();
    const taken: number[] = [];
    for (let round = 0; round < 20; round += 1) {
      add(queue, messages(round * 7, 7));
      for (let count = 0; count < (round % 2 === 0 ? 3 : 11); count += 1) taken.push(...offsets(queue.take()));
      expect(queue.length).toBe((round + 1) * 7 - taken.length);
    }
    expect(taken).toEqual(Array.from({ length: 140 }, (_, index) => index));
    expect(queue.take()).toEqual([]);
  });

  it('is a batch when it has the size of one, or has waited long enough', () => {
    const { queue } = queueOf({ size: 3, waitMs: LONG_MS });
    add(queue, messages(0, 2));
    expect([queue.take(), queue.readyInMs()! > LONG_MS / 2]).toEqual([[], true]);
    add(queue, messages(2, 2));
    expect([queue.readyInMs(), offsets(queue.take()), offsets(queue.take())]).toEqual([0, [0, 1, 2], []]);
    const patient = queueOf({ size: 3, waitMs: LONG_MS }).queue;
    add(patient, messages(0, 2), LONG_MS);
    expect([patient.readyInMs(), offsets(patient.take()), patient.readyInMs()]).toEqual([0, [0, 1], null]);
  });

  it('gives back the newest of it, and never what was taken', () => {
    const { queue } = queueOf();
    add(queue, messages(0, 5));
    queue.take();
    queue.take();
    expect(offsets(queue.takeNewest(2))).toEqual([3, 4]);
    expect(offsets(queue.takeNewest(100))).toEqual([2]);
    expect([queue.length, queue.waitsSinceMs, queue.takeNewest(1)]).toEqual([0, null, []]);
    add(queue, messages(5, 2));
    expect([offsets(queue.take()), offsets(queue.take())]).toEqual([[5], [6]]);
  });

  it('gives back nothing when nothing is asked for', () => {
    const { queue } = queueOf();
    add(queue, messages(0, 3));
    expect([queue.takeNewest(0), queue.length]).toEqual([[], 3]);
  });

  it('goes back whole: suspects too, each once', () => {
    const { queue } = queueOf({ size: 4, waitMs: LONG_MS });
    add(queue, [...messages(0, 2), suspect(10), suspect(11)]);
    expect(offsets(queue.takeAll())).toEqual([10, 11, 0, 1]);
    expect([queue.length, queue.takeAll()]).toEqual([0, []]);
  });
});

describe('messages whose process vanished', () => {
  it('are taken one at a time: the next when the one before has ended', () => {
    const { queue } = queueOf();
    add(queue, [suspect(10), suspect(11), ...messages(0, 2)]);
    const first = queue.take();
    expect([first, queue.take(), queue.take(), queue.take()].map(offsets)).toEqual([[10], [0], [1], []]);
    expect(queue.heldUp.count).toBe(1);
    queue.ended(messages(0, 1));
    expect(queue.take()).toEqual([]);
    queue.ended(first);
    expect([offsets(queue.take()), queue.heldUp.count]).toEqual([[11], 0]);
  });

  it('of two queues of a process too, which hear in turn that the other has ended', () => {
    const slot = new LoneSlot();
    const [one, other, third] = [queueOf(ONE, slot), queueOf(ONE, slot), queueOf(ONE, slot)];
    for (const { queue } of [one, other, third]) add(queue, [suspect(10)]);
    const first = one.queue.take();
    expect([other.queue.take(), third.queue.take(), other.queue.heldUp.count]).toEqual([[], [], 1]);
    other.queue.takeAll();
    one.queue.ended(first);
    // Who is told and takes nothing does not keep it from the others.
    expect([one.calls.ready, other.calls.ready, third.calls.ready]).toEqual([0, 1, 1]);
    expect([offsets(other.queue.take()), offsets(third.queue.take())]).toEqual([[], [10]]);
  });
});
