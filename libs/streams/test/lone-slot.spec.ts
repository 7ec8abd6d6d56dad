import { beforeEach, describe, expect, it } from '@jest/globals';
import { LoneSlot } from '../src/consume/lone-slot.js';

/** Asks for the slot, and again at each notice that it is free; keeps it until it lets go of it. */
class Asker {
  given = 0;
  notified = 0;
  wants = true;

  constructor(private readonly slot: LoneSlot) {}

  readonly ask = (): void => {
    if (this.wants && this.slot.take(this.#onFree)) this.given += 1;
  };

  readonly #onFree = (): void => {
    this.notified += 1;
    this.ask();
  };
}

describe('the lone slot of a process', () => {
  let slot: LoneSlot;
  let askers: [Asker, Asker, Asker];
  beforeEach(() => {
    slot = new LoneSlot();
    askers = [new Asker(slot), new Asker(slot), new Asker(slot)];
  });

  it('is one for all subscriptions', () => {
    for (const { ask } of askers) ask();
    expect(askers.map(({ given }) => given)).toEqual([1, 0, 0]);
  });

  it('goes to the waiting subscriptions in turn, one at a time', () => {
    for (const { ask } of askers) ask();
    const order = [1, 2].map(() => {
      slot.release();
      return askers.map(({ given }) => given);
    });
    expect(order).toEqual([[1, 1, 0], [1, 1, 1]]);
  });

  it('goes last to the subscription that had it', () => {
    for (const { ask } of askers) ask();
    askers[0].ask();
    for (let round = 0; round < 3; round += 1) slot.release();
    expect(askers.map(({ given }) => given)).toEqual([2, 1, 1]);
  });

  it('passes on when the notified subscription does not want it any more', () => {
    for (const { ask } of askers) ask();
    askers[1].wants = false;
    slot.release();
    expect(askers.map(({ given, notified }) => [given, notified])).toEqual([[1, 0], [0, 1], [1, 1]]);
  });

  it('is free again when no subscription waits, or wants it', () => {
    const [first, second, third] = askers;
    first.ask();
    second.ask();
    second.wants = false;
    slot.release();
    third.ask();
    expect([second.given, third.given]).toEqual([0, 1]);
  });

  it('notifies each waiting subscription once, however often that asked', () => {
    const [first, second] = askers;
    first.ask();
    for (let times = 0; times < 3; times += 1) second.ask();
    second.wants = false;
    slot.release();
    slot.release();
    expect(second.notified).toBe(1);
  });

  it('does not notify a subscription that has taken it meanwhile', () => {
    const [first, second] = askers;
    first.ask();
    second.ask();
    second.wants = false;
    slot.release();
    second.wants = true;
    second.ask();
    slot.release();
    expect([second.given, second.notified]).toEqual([1, 1]);
  });
});
