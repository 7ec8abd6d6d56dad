import { afterEach, expect, it, jest } from '@jest/globals';
import { Dispatcher, type DispatcherParts } from '../src/consume/dispatcher.js';
import { LoneSlot } from '../src/consume/lone-slot.js';
import { heldWith } from './held-with.js';
import { ofLog, ofRetryLog } from './deliveries-at-hand.js';

afterEach(() => void jest.useRealTimers());

const HOUR_MS = 3_600_000;

it('a suspect that waits for the lone slot beside a batch that fills is looked at now and then, not all the time', () => {
  jest.useFakeTimers();
  const loneSlot = new LoneSlot();
  // Another subscription has the slot.
  loneSlot.take(() => undefined);
  const parts: Partial<DispatcherParts> = {
    held: heldWith(), loneSlot, concurrency: 4, crashLimit: 10, stuckAfterMs: HOUR_MS,
    handling: { rule: { size: 10, waitMs: HOUR_MS }, handler: () => Promise.resolve([]) },
  };
  const dispatcher = new Dispatcher(parts as DispatcherParts);
  const timers = jest.spyOn(globalThis, 'setTimeout');
  dispatcher.add([...ofLog(0, 1).deliveries, ...ofRetryLog(1, { crashes: 1 }).deliveries]);
  jest.advanceTimersByTime(4_500);
  expect(timers.mock.calls.length).toBeLessThan(20);
  dispatcher.pause();
});
