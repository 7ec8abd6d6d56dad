import { beforeEach, describe, expect, it } from '@jest/globals';
import { groupPartition } from '../src/consume/group-partition.js';
import { HeldEntry } from '../src/consume/held-entry.js';
import { LoneSlot } from '../src/consume/lone-slot.js';
import { Work } from '../src/consume/work.js';
import { WorkQueue } from '../src/consume/work-queue.js';

/** Asks for the slot, and again each time it is told that it is free; keeps what it is given until it says so. */
class Asker {
  given = 0;
  told = 0;
  wants = true;

  constructor(private readonly slot: LoneSlot) {}

  readonly ask = (): void => {
    if (this.wants && this.slot.take(this.#onFree)) this.given += 1;
  };

  readonly #onFree = (): void => {
    this.told += 1;
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

  it('is one for all who ask', () => {
    for (const { ask } of askers) ask();
    expect(askers.map(({ given }) => given)).toEqual([1, 0, 0]);
  });

  it('goes to those who wait in turn, one at a time', () => {
    for (const { ask } of askers) ask();
    const order = [1, 2].map(() => {
      slot.release();
      return askers.map(({ given }) => given);
    });
    expect(order).toEqual([[1, 1, 0], [1, 1, 1]]);
  });

  it('is asked for behind the others by the one who had it', () => {
    for (const { ask } of askers) ask();
    askers[0].ask();
    for (let round = 0; round < 3; round += 1) slot.release();
    expect(askers.map(({ given }) => given)).toEqual([2, 1, 1]);
  });

  it('passes on when the one who is told does not want it any more', () => {
    for (const { ask } of askers) ask();
    askers[1].wants = false;
    slot.release();
    expect(askers.map(({ given, told }) => [given, told])).toEqual([[1, 0], [0, 1], [1, 1]]);
  });

  it('is free again when nobody waits, or wants it', () => {
    const [first, second, third] = askers;
    first.ask();
    second.ask();
    second.wants = false;
    slot.release();
    third.ask();
    expect([second.given, third.given]).toEqual([0, 1]);
  });

  it('tells each who waits once, however often he asked', () => {
    const [first, second] = askers;
    first.ask();
    for (let times = 0; times < 3; times += 1) second.ask();
    second.wants = false;
    slot.release();
    slot.release();
    expect(second.told).toBe(1);
  });

  it('is not told of to one who has taken it meanwhile', () => {
    const [first, second] = askers;
    first.ask();
    second.ask();
    second.wants = false;
    slot.release();
    second.wants = true;
    second.ask();
    slot.release();
    expect([second.given, second.told]).toEqual([1, 1]);
  });
});

function suspect(): Work {
  const [, again] = groupPartition('test', { topic: 'orders', partition: 0 }, 'g').streams;
  const entry = new HeldEntry(again, { id: '1-0', losses: 0 }, { base: 0, size: 1 });
  const history = { attempt: 1, crashes: 1, firstFailedAt: null };
  return new Work(entry, { offset: 0, envelope: '[]' }, { history, notice: null });
}

describe('the lone slot', () => {
  it('is one for the queues of all subscriptions: a suspect of the second waits until that of the first has ended', () => {
    const loneSlot = new LoneSlot();
    let ready = 0;
    const parts = { rule: { size: 1, waitMs: 0 }, loneSlot, onReady: () => (ready += 1) };
    const [first, second] = [new WorkQueue(parts), new WorkQueue(parts)];
    for (const queue of [first, second]) queue.add(suspect(), 0);
    const taken = first.take();
    expect([taken.length, second.take().length, second.heldUp.count, ready]).toEqual([1, 0, 1, 0]);
    first.ended(taken);
    expect([ready, second.take().length]).toEqual([1, 1]);
  });
});
