import { describe, expect, it } from '@jest/globals';
import { HandlerSlots, type Now, type SlotRules } from '../src/consume/handler-slots.js';
import type { PendingDelivery } from '../src/consume/pending-delivery.js';
import { ofLog, ofRetryLog } from './deliveries-at-hand.js';

const HOUR_MS = 3_600_000;
const PATIENCE_MS = 1_000;
const LONE_PATIENCE_MS = 5_000;
const MOST_UNSETTLED = 512;

const at = (ms: number, isSure = true): Now => ({ ms, isSure });
const offsets = (work: readonly PendingDelivery[]): number[] => work.map(({ offset }) => offset);
const suspect = (offset: number): PendingDelivery => ofRetryLog(offset, { crashes: 1 }).deliveries[0]!;

function slotsOf(rules: Partial<SlotRules> = {}): HandlerSlots {
  return new HandlerSlots({ concurrency: 2, rule: { size: 1, waitMs: 0 }, stuckAfterMs: HOUR_MS, ...rules });
}

function add(slots: HandlerSlots, count: number, ms = 0): void {
  for (let offset = 0; offset < count; offset += 1) slots.add(ofLog(offset, 1).deliveries[0]!, ms);
}

/** Lets a handler begin the next batch. */
function begin(slots: HandlerSlots, ms = 0): readonly PendingDelivery[] {
  const batch = slots.take(ms);
  slots.begin(batch, batch);
  return batch;
}

/** So many messages whose outcome Redis has stored. */
function settledItems(count: number): { readonly delivery: PendingDelivery }[] {
  return Array.from({ length: count }, () => ({ delivery: ofLog(0, 1).deliveries[0]! }));
}

/** Lets its handler succeed. */
function end(slots: HandlerSlots, batch: readonly PendingDelivery[]): void {
  slots.handled(batch).forEach(() => slots.succeeded());
  slots.end(batch);
}

describe('messages are fetched', () => {
  it('as there are slots, and none while paused or while held messages may be another member\'s', () => {
    const slots = slotsOf();
    expect([slots.room(at(0)), slots.room(at(0, false))]).toEqual([2, 0]);
    add(slots, 1);
    expect(slots.room(at(0))).toBe(1);
    slots.pause();
    expect(slots.room(at(0))).toBe(0);
    slots.resume();
    expect(slots.room(at(0))).toBe(1);
  });

  it('when half of the places are free, while a batch waits', () => {
    const slots = slotsOf({ concurrency: 4 });
    add(slots, 3);
    expect(slots.room(at(0))).toBe(0);
    begin(slots);
    begin(slots);
    expect(slots.room(at(0))).toBe(0);
    begin(slots);
    expect(slots.room(at(0))).toBe(1);
  });

  it('ahead, as many as were handled lately, and 512 at the most', () => {
    const slots = slotsOf();
    const room = slots.room(at(1_000));
    for (let count = 0; count < 100; count += 1) slots.succeeded();
    expect([room, slots.room(at(1_010))]).toEqual([2, 102]);
    for (let count = 0; count < 10_000; count += 1) slots.succeeded();
    expect(slots.room(at(1_020))).toBe(514);
  });

  it('not while too many outcomes wait for Redis', () => {
    const slots = slotsOf();
    for (let count = 0; count < MOST_UNSETTLED; count += 1) slots.settling();
    expect([slots.room(at(0)), slots.isIdle]).toEqual([0, false]);
    slots.settled(settledItems(1));
    expect(slots.room(at(0))).toBe(2);
    slots.settled(settledItems(MOST_UNSETTLED - 1));
    expect(slots.isIdle).toBe(true);
  });
});

describe('messages are begun', () => {
  it('while a slot is free, which is so when a handler has ended', () => {
    const slots = slotsOf();
    add(slots, 3);
    const first = begin(slots);
    expect(slots.canBegin(at(0))).toBe(true);
    begin(slots);
    expect([slots.canBegin(at(0)), slots.handled(first), slots.end(first), slots.end(first)]).toEqual([false, first, 'slot', 'nothing']);
    expect([slots.canBegin(at(0)), slots.canBegin(at(0, false)), offsets(begin(slots))]).toEqual([true, false, [2]]);
  });

  it('in batches that are full, or have waited for long enough', () => {
    const slots = slotsOf({ rule: { size: 2, waitMs: 100 } });
    add(slots, 3);
    expect([offsets(begin(slots)), slots.take(0), slots.nextLookInMs(at(40))]).toEqual([[0, 1], [], 60]);
    expect([offsets(slots.take(100)), slots.nextLookInMs(at(100))]).toEqual([[2], null]);
  });

  it('alone where their process vanished, and have their slot until they are settled', () => {
    const slots = slotsOf();
    for (const work of [suspect(10), suspect(11)]) slots.add(work, 0);
    expect([slots.wantsLoneSlot, slots.take(0)]).toEqual([true, []]);
    const batch = slots.takeSuspect(0);
    slots.beginLone(batch);
    slots.begin(batch, batch);
    expect([offsets(batch), slots.wantsLoneSlot]).toEqual([[10], false]);
    expect([slots.keepsSlot(batch), slots.keptFor([{ delivery: batch[0]! }])]).toEqual([true, batch]);
    slots.handled(batch);
    expect([slots.end(batch), slots.wantsLoneSlot, slots.keptFor([{ delivery: batch[0]! }])]).toEqual(['lone slot', true, null]);
  });

  it('not any more when they were given up: the result of their handler is ignored', () => {
    const slots = slotsOf();
    add(slots, 3);
    const batch = begin(slots);
    slots.pause();
    expect([slots.atWork(), offsets(slots.takeWaiting())]).toEqual([[[batch, batch]], [1, 2]]);
    slots.end(batch);
    expect([slots.handled(batch), slots.isIdle, slots.canBegin(at(0))]).toEqual([[], true, false]);
  });
});

describe('messages are put back', () => {
  it('when they were read ahead for handlers that are slower now, and no more is read ahead then', () => {
    const slots = slotsOf();
    for (let count = 0; count < 5; count += 1) slots.succeeded();
    expect(slots.room(at(0))).toBe(7);
    add(slots, 7);
    const batches = [begin(slots), begin(slots)];
    expect(slots.nextLookInMs(at(10))).toBe(PATIENCE_MS - 10);
    expect([slots.takeOverdue(PATIENCE_MS - 1), offsets(slots.takeOverdue(PATIENCE_MS))]).toEqual([[], [2, 3, 4, 5, 6]]);
    for (const batch of batches) slots.end(batch);
    expect(slots.room(at(PATIENCE_MS))).toBe(2);
  });

  it('after five times as long where they wait for a suspect', () => {
    const slots = slotsOf();
    slots.add(suspect(10), 0);
    const looks: number[][] = [];
    for (let ms = 0; ms <= LONE_PATIENCE_MS; ms += slots.nextLookInMs(at(ms)) ?? HOUR_MS) {
      looks.push(offsets(slots.takeOverdue(ms)));
    }
    expect(looks).toEqual([[], [], [], [], [], [10]]);
  });

  it('not while no member could begin them: at a pause all waiting messages are put back', () => {
    const slots = slotsOf();
    add(slots, 3);
    slots.nextLookInMs(at(0));
    slots.pause();
    expect([slots.nextLookInMs(at(0)), slots.takeOverdue(HOUR_MS)]).toEqual([null, []]);
  });
});

describe('a problem is', () => {
  it('that all handlers are at work, and none ends', () => {
    const slots = slotsOf({ stuckAfterMs: 1_000 });
    add(slots, 3);
    const first = begin(slots, 0);
    begin(slots, 100);
    expect([slots.problem(1_100), slots.problem(1_101)]).toEqual([null, expect.stringContaining('all 2 handlers have been at work for 1 s')]);
    end(slots, first);
    expect(slots.problem(9_000)).toBeNull();
  });

  it('that a suspect blocks others', () => {
    const slots = slotsOf({ stuckAfterMs: 1_000 });
    for (const work of [suspect(10), suspect(11)]) slots.add(work, 0);
    slots.takeSuspect(0);
    expect([slots.problem(1_000), slots.problem(1_001)]).toEqual([null, expect.stringContaining('holds up 1 more like it')]);
    slots.loneSlotFreed();
    expect(slots.problem(9_000)).toBeNull();
  });
});

it('without permits nothing begins, and no time is waited for; with some, no more than those', () => {
  const permits = { inHand: 0 };
  const slots = slotsOf({ concurrency: 4, permits });
  add(slots, 3);
  expect([slots.canBegin(at(0)), slots.nextLookInMs(at(0)), slots.wanted(at(0), () => false)]).toEqual([false, null, 3]);
  permits.inHand = 1;
  expect([slots.canBegin(at(0)), slots.nextLookInMs(at(0)), offsets(begin(slots))]).toEqual([true, 0, [0]]);
  const batches = slotsOf({ concurrency: 1, rule: { size: 10, waitMs: 50 }, permits });
  add(batches, 3);
  expect([batches.nextLookInMs(at(0)), batches.wanted(at(0), () => false)]).toEqual([50, 0]);
  expect(batches.wanted(at(50), () => true)).toBe(4);
  expect([offsets(begin(batches, 50)), batches.wanted(at(50), () => false)]).toEqual([[0], 0]);
});
