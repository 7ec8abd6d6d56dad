import { describe, expect, it } from '@jest/globals';
import { HeldEntries } from '../src/consume/held-entries.js';
import type { HeldEntry } from '../src/consume/held-entry.js';
import { settleCallOf } from '../src/consume/settle-call.js';
import { HANDLED, releaseOf, type Settlement } from '../src/consume/settlement.js';
import type { Item } from '../src/consume/settling.js';
import type { PendingDelivery } from '../src/consume/pending-delivery.js';
import { SETTLED_PAGE_OFFSETS } from '../src/keys.js';
import { foreign, ofLog, ofRetryLog } from './deliveries-at-hand.js';

/** One call for the messages that were handled in one tick. */
const NOBODY = { settled: () => undefined };
const EXPIRED: Settlement = ['ack', 'expired', ''];
const RETRY: Settlement = ['retry', '5', 'body'];

function heldAfter(connectionEpoch: number): HeldEntries {
  const holdings = { of: () => Promise.resolve(new Set<string>()), has: () => Promise.resolve(true) };
  const feedback = { becameStale: () => undefined, givenAgain: () => undefined };
  return new HeldEntries({ holdings, presence: { isSure: true }, way: { epochOf: () => connectionEpoch }, feedback });
}

const itemOf = (delivery: PendingDelivery, settlement = HANDLED): Item => ({ delivery, settlement, owner: NOBODY });
const handled = (deliveries: readonly PendingDelivery[]): Item[] => deliveries.map((each) => itemOf(each));
const callOf = (items: readonly Item[], connectionEpoch = 0) => settleCallOf(items, heldAfter(connectionEpoch));
const USUAL = [...HANDLED, ''];
const runOf = ({ id, base, size }: HeldEntry, first: number, n: number, rest = USUAL) => [id, base, size, first, n, ...rest];
const offsetsOf = (parts: readonly (readonly Item[])[]): number[][] =>
  parts.map((items) => items.map(({ delivery }) => delivery.offset));

describe('entries all of whose messages are handled', () => {
  it('go by their ids alone, in the order of the log, however their messages ended', () => {
    const [first, second, third] = [ofLog(0, 3), ofLog(3, 1), ofLog(4, 2)];
    const all = [...first.deliveries, ...second.deliveries, ...third.deliveries];
    const call = callOf(handled([5, 2, 3, 0, 4, 1].map((offset) => all[offset]!)));
    expect(call.args).toEqual([3, first.entry.id, second.entry.id, third.entry.id]);
    expect(offsetsOf(call.parts)).toEqual([[2, 0, 1], [3], [5, 4]]);
  });

  it('name every page that they need once', () => {
    const page = SETTLED_PAGE_OFFSETS;
    const taken = [ofLog(0, 1), ofLog(page - 16, 16), ofLog(page, 16), ofLog(3 * page, 2)];
    expect(callOf(handled(taken.flatMap(({ deliveries }) => deliveries))).pages).toEqual([0, 1, 3]);
  });
});

describe('messages of an entry that is not handled completely', () => {
  it('go as runs of offsets that follow each other, however they ended', () => {
    const { entry, deliveries } = ofLog(16, 16);
    const call = callOf(handled([9, 2, 1, 0, 8, 15].map((index) => deliveries[index]!)));
    expect(call.args).toEqual([0, ...runOf(entry, 16, 3), ...runOf(entry, 24, 2), ...runOf(entry, 31, 1)]);
    expect(offsetsOf(call.parts)).toEqual([[16, 17, 18], [24, 25], [31]]);
  });

  it('are never one run with those of another entry', () => {
    const [first, second] = [ofLog(0, 2), ofLog(2, 2)];
    const call = callOf(handled([first.deliveries[1]!, second.deliveries[0]!]));
    expect(call.args).toEqual([0, ...runOf(first.entry, 1, 1), ...runOf(second.entry, 2, 1)]);
  });

  it('come behind the entries that are settled whole, and the letters of the reply with them', () => {
    const [partly, whole] = [ofLog(0, 4), ofLog(4, 2)];
    const call = callOf(handled([partly.deliveries[0]!, ...whole.deliveries]));
    expect(call.args).toEqual([1, whole.entry.id, ...runOf(partly.entry, 0, 1)]);
    expect(offsetsOf(call.parts)).toEqual([[4, 5], [0]]);
  });
});

describe('messages that do not end as usual', () => {
  it.each([['a retry', RETRY], ['an outcome without a handler', EXPIRED]])('%s is a run of its own, and so are the messages on each side', (_, settlement) => {
    const { entry, deliveries } = ofLog(0, 4);
    const call = callOf(deliveries.map((each) => itemOf(each, each.offset === 1 ? settlement : HANDLED)));
    expect(call.args).toEqual([0, ...runOf(entry, 0, 1), ...runOf(entry, 2, 2), ...runOf(entry, 1, 1, [...settlement, ''])]);
    expect(offsetsOf(call.parts)).toEqual([[0], [2, 3], [1]]);
  });

  it('a released message is never taken for handled', () => {
    const { entry, deliveries } = ofLog(0, 1);
    const release = releaseOf(deliveries[0]!);
    expect(callOf([itemOf(deliveries[0]!, release)]).args).toEqual([0, ...runOf(entry, 0, 1, [...release, ''])]);
  });

  it('entries of `again` have one message each', () => {
    const [one, other] = [ofRetryLog(4), ofRetryLog(5)];
    const call = callOf(handled([...one.deliveries, ...other.deliveries]));
    expect(call.args).toEqual([0, ...runOf(one.entry, 4, 1), ...runOf(other.entry, 5, 1)]);
  });

  it('a foreign entry has the offset -1 and needs no page but the first', () => {
    const { entry, deliveries } = foreign();
    const call = callOf(handled(deliveries));
    expect([call.args, call.pages]).toEqual([[0, ...runOf(entry, -1, 1)], [0]]);
  });
});

describe('an entry that came over a connection that was lost', () => {
  it('goes message by message, each with its expected id', () => {
    const { entry, deliveries } = ofLog(0, 2);
    const call = callOf(handled(deliveries), 1);
    const runs = deliveries.flatMap(({ offset, message }) => runOf(entry, offset, 1, [...HANDLED, message.id]));
    expect(call.args).toEqual([0, ...runs]);
    expect(offsetsOf(call.parts)).toEqual([[0], [1]]);
  });

  it('goes with its text when it cannot be read', () => {
    const { entry, deliveries } = foreign();
    const call = callOf([itemOf(deliveries[0]!, RETRY)], 1);
    expect(call.args).toEqual([0, ...runOf(entry, -1, 1, [...RETRY, deliveries[0]!.envelope])]);
  });
});
