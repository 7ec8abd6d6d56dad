import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import type { Outcome } from '@millrace/core';
import { Dispatcher, ONE_BY_ONE, type DispatcherParts } from '../../src/consume/dispatcher.js';
import { LoneSlot } from '../../src/consume/lone-slot.js';
import type { Settling } from '../../src/consume/settling.js';
import { LaneQueue } from '../../src/ordered/lane-queue.js';
import { OwnedPartition, type OwnedPartitionParts } from '../../src/ordered/owned-partition.js';
import { heldWith } from '../held-with.js';
import { here, keyed } from './keyed-deliveries.js';

const ACK: Outcome = { kind: 'ack' };

beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] }));
afterEach(() => void jest.useRealTimers());

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A rate limit that is never reached. */
class Permits {
  inHand = 0;

  ask(wanted: number): Promise<number> {
    this.inHand += wanted;
    return Promise.resolve(0);
  }

  use(): void {
    this.inHand -= 1;
  }

  giveBack(): Promise<void> {
    this.inHand = 0;
    return Promise.resolve();
  }
}

/** One handler, over lanes; Redis takes each outcome at once, and has a permit for each message where there is a limit. */
function member({ rateLimiter }: { rateLimiter?: Permits } = {}) {
  const [queue, loneSlot, begun] = [new LaneQueue(ONE_BY_ONE, 'key'), new LoneSlot(), [] as number[]];
  const ends: ((outcome: Outcome) => void)[] = [];
  const parts = {
    held: heldWith(), loneSlot, concurrency: 1, crashLimit: 10, stuckAfterMs: 3_600_000,
    handling: {
      rule: null,
      handler: ({ offset }: { offset: number }) => {
        begun.push(offset);
        return new Promise<Outcome>((resolve) => ends.push(resolve));
      },
    },
    settler: {
      settle: (delivery: never, settlement: never, owner: Settling) => owner.settled([{ delivery, settlement, owner }]),
    },
    holdings: { begin: () => Promise.resolve(true) },
    inPlace: { queue, aside: () => undefined, keep: () => undefined, waits: () => null, release: () => undefined },
    feedback: { replayOf: () => null }, rateLimiter,
  };
  return { queue, loneSlot, begun, ends, held: parts.held, dispatcher: new Dispatcher(parts as unknown as DispatcherParts) };
}

it('a suspect whose time came while another one was at work begins as soon as that one is settled', async () => {
  const { dispatcher, begun, ends } = member();
  const later = keyed('b', 1, { crashes: 1 });
  later.notBeforeMs = performance.now() + 10;
  dispatcher.add([keyed('a', 0, { crashes: 1 }), later]);
  await settled();
  jest.advanceTimersByTime(20);
  ends[0]!(ACK);
  await settled();
  expect(begun).toEqual([0, 1]);
});

it('a suspect asks for a permit as soon as its time comes', async () => {
  const { dispatcher, begun } = member({ rateLimiter: new Permits() });
  const later = keyed('a', 0, { crashes: 1 });
  later.notBeforeMs = performance.now() + 10;
  dispatcher.add([later]);
  await settled();
  jest.advanceTimersByTime(20);
  await settled();
  expect(begun).toEqual([0]);
});

it('more is read when messages that waited for the lone slot are dropped with their partition', async () => {
  const { dispatcher, loneSlot, ...parts } = member();
  loneSlot.take(() => undefined);
  dispatcher.add([keyed('a', 0, { crashes: 1 })]);
  let isFree = false;
  void dispatcher.whenFree(new AbortController().signal).then(() => void (isFree = true));
  await settled();
  expect(isFree).toBe(false);
  new OwnedPartition({ ...parts, dispatcher } as unknown as OwnedPartitionParts, here).lost();
  await settled();
  expect(isFree).toBe(true);
});
