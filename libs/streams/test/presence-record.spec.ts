import { describe, expect, it } from '@jest/globals';
import { PresenceRecord } from '../src/group/presence-record.js';

const record = new PresenceRecord(PresenceRecord.text(17, { stopping: [4, 9], highest: 12, present: [1, 2, 3, 4, 7, 9, 12] }));

describe('the record of a process', () => {
  it('names the members that are there by the first and last of those that follow each other', () => {
    const present = Array.from({ length: 1_000 }, (_, index) => index + 1).filter((number) => number !== 500);
    expect(PresenceRecord.text(1, { stopping: [], highest: 1_000, present })).toBe('1  1000 1-499,501-1000');
  });

  it('names the members that have left, and those that are stopping', () => {
    const numbers = Array.from({ length: 12 }, (_, index) => index + 1);
    expect(numbers.filter((number) => record.hasLeft(number))).toEqual([5, 6, 8, 10, 11]);
    expect(numbers.filter((number) => record.isStopping(number))).toEqual([4, 9]);
  });

  it('says nothing of a member that is newer, as it has joined since then', () => {
    expect(record.hasLeft(13)).toBe(false);
  });

  it('says nothing where there is none', () => {
    const none = new PresenceRecord(null);
    expect([none.hasLeft(1), none.isStopping(1)]).toEqual([false, false]);
  });

  it('names all members of a process as gone when none is left', () => {
    const empty = new PresenceRecord(PresenceRecord.text(3, { stopping: [], highest: 2, present: [] }));
    expect([1, 2, 3].map((number) => empty.hasLeft(number))).toEqual([true, true, false]);
  });

  it('is the same when the counter alone is higher', () => {
    expect(record.isSameIn('18 4,9 12 1-4,7,9,12')).toBe(true);
    expect(record.isSameIn('18 4,9 12 1-3,7,9,12')).toBe(false);
    expect(record.isSameIn(null)).toBe(false);
  });
});
