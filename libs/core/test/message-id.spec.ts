import { describe, expect, it } from '@jest/globals';
import { messageTimeMs, newMessageId } from '@millrace/core';

const VERSION_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function isSortedAndUnique(ids: readonly string[]): boolean {
  return ids.every((id, index) => index === 0 || ids[index - 1]! < id);
}

describe('message ids', () => {
  it('are UUIDs of version 7 that hold the time', () => {
    const before = Date.now();
    const id = newMessageId();
    expect(id).toMatch(VERSION_7);
    expect(messageTimeMs(id)).toBeGreaterThanOrEqual(before);
    expect(messageTimeMs('01234567-89ab-7000-8000-000000000000')).toBe(0x0123456789ab);
  });

  it('are unique and sorted over a million in a row', () => {
    const ids = Array.from({ length: 1_000_000 }, () => newMessageId());
    expect(isSortedAndUnique(ids)).toBe(true);
    expect(ids.every((id) => VERSION_7.test(id))).toBe(true);
  });

  it('stay unique and sorted when the clock goes back, and go on with the time when it has caught up', () => {
    const now = Date.now() + 1_000;
    const clock = [now, now, now - 1, now - 3_600_000, 0, now, now + 1, now - 5, now + 2];
    const ids = clock.map((ms) => newMessageId(ms));
    expect(isSortedAndUnique(ids)).toBe(true);
    expect(ids.map(messageTimeMs)).toEqual([now, now, now, now, now, now, now + 1, now + 1, now + 2]);
  });

  it('draws new random bits every millisecond', () => {
    const start = Date.now() + 100_000;
    const tails = Array.from({ length: 1_000 }, (_, index) => newMessageId(start + index).slice(14));
    expect(new Set(tails).size).toBe(1_000);
    const variants = new Set(tails.map((tail) => tail[5]));
    expect([...variants].sort()).toEqual(['8', '9', 'a', 'b']);
  });
});
