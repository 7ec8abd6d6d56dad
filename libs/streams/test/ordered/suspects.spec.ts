import { beforeEach, describe, expect, it } from '@jest/globals';
import type { AttemptRecord } from '../../src/ordered/attempt-record.js';
import { Suspects } from '../../src/ordered/suspects.js';
import { keyed } from './keyed-deliveries.js';

/** The epochs of owners whose deaths are counted. */
let counted: number[];
beforeEach(() => void (counted = []));

/** The suspects of an owner under epoch 9, which does not know yet whether there is a death to count. */
function newOwner(): Suspects {
  const suspects = new Suspects((death) => counted.push(death));
  suspects.owned(9);
  return suspects;
}

function owner(death: number | null): Suspects {
  const suspects = newOwner();
  suspects.inherit(death);
  return suspects;
}

/** The crashes of the message at an offset, which is the first one that is read of its lane. */
function crashes(suspects: Suspects, offset: number, record?: Partial<AttemptRecord>): number {
  const noted = record && { attempt: 1, crashes: 1, firstFailedAt: null, begunIn: 0, dueAtMs: 0, delayMs: 0, ...record };
  return suspects.crashesOf({ delivery: keyed('k', offset), lane: `lane ${offset}`, mayBeFirst: suspects.isFinding }, noted);
}

describe('a message that has crashed before', () => {
  it.each([
    ['was begun alone by the owner that died', 4, 2],
    ['was begun alone by one before it', 3, 2],
    ['was begun alone by an owner after it, which has not died', 5, 1],
    ['has ended since it was begun', 0, 1],
  ])('and %s', (_, begunIn, expected) => {
    expect(crashes(owner(4), 0, { begunIn })).toBe(expected);
  });
});

describe('the death of an owner before', () => {
  it('may have to be counted until it is known whether there is one', () => {
    const suspects = newOwner();
    expect(suspects.areCounted).toBe(false);
    suspects.inherit(null);
    expect([suspects.areCounted, counted]).toEqual([true, []]);
  });

  it('is learnt once in a tenure', () => {
    const suspects = owner(null);
    suspects.inherit(4);
    expect([suspects.areCounted, suspects.isFinding]).toEqual([true, false]);
  });

  it('is counted when each suspect is marked in this tenure, ends without, or is to begin anew', () => {
    const suspects = owner(8);
    for (const offset of [0, 1, 2]) crashes(suspects, offset);
    suspects.allRead([]);
    suspects.marked('0', 7);
    suspects.ended('1');
    suspects.beginsAnew('2');
    expect([suspects.areCounted, counted]).toEqual([false, []]);
    suspects.marked('0', 9);
    suspects.ended('0');
    expect([suspects.areCounted, counted]).toEqual([true, [8]]);
  });

  it('is counted when all is read, and Redis knows the crashes', () => {
    const suspects = owner(4);
    crashes(suspects, 0, { begunIn: 5 });
    expect([suspects.areCounted, counted]).toEqual([false, []]);
    suspects.allRead([]);
    expect([suspects.areCounted, counted]).toEqual([true, [4]]);
  });

  it('is not counted while the first message of a released key is not found', () => {
    const suspects = owner(8);
    suspects.allRead(['a', 'b']);
    suspects.noneOf('b');
    expect([suspects.areCounted, suspects.firstOf('a'), suspects.firstOf('a'), counted]).toEqual([false, true, false, []]);
    suspects.crashesOf({ delivery: keyed('a', 0), lane: 'a', mayBeFirst: true }, undefined);
    expect([suspects.areCounted, counted]).toEqual([false, []]);
    suspects.marked('0', 9);
    expect([suspects.areCounted, counted]).toEqual([true, [8]]);
  });
});
