import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { together } from '@millrace/core';
import fc from 'fast-check';

afterEach(() => void jest.restoreAllMocks());

/** When a pause ends that begins at a moment of the monotonic clock. */
function endOf(ms: number, nowMs: number): number {
  jest.spyOn(performance, 'now').mockReturnValue(nowMs);
  return nowMs + together(ms);
}

/** Milliseconds with fractions, as the clock has them, of which sums and differences are exact. */
function fractional(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: min * 1_024, max: max * 1_024 }).map((parts) => parts / 1_024);
}

describe('long pauses', () => {
  /** When they begin, and when they would end: both differ from one to the next. */
  const pauses = Array.from({ length: 50 }, (_, index) => ({ nowMs: 1_000 + index * 3.25, dueAtMs: 6_200 + index * 4 }));

  it('end at few moments, no later and hardly sooner than they would', () => {
    const ends = pauses.map(({ nowMs, dueAtMs }) => {
      const endMs = endOf(dueAtMs - nowMs, nowMs);
      expect(endMs).toBeLessThanOrEqual(dueAtMs);
      expect(dueAtMs - endMs).toBeLessThan(100);
      return endMs;
    });
    expect([...new Set(ends)]).toEqual([6_200, 6_300]);
  });

  it.each([0, 0.25, 99.75, 100, 12_345.5])('that begin at %d ms end when they are due, if that is a moment at which others end', (nowMs) => {
    const dueAtMs = Math.ceil((nowMs + 5_000) / 100) * 100;
    expect([endOf(dueAtMs - nowMs, nowMs), endOf(dueAtMs + 99.5 - nowMs, nowMs)]).toEqual([dueAtMs, dueAtMs]);
  });

  it('end at two moments at the most, and less than 100 ms sooner, when they begin at one and are due within 50 ms', () => {
    const laterBy = fc.array(fractional(0, 50), { minLength: 1, maxLength: 50 });
    fc.assert(fc.property(fractional(0, 10 ** 9), fractional(5_000, 3_600_000), laterBy, (nowMs, firstMs, laterMs) => {
      const pauses = laterMs.map((ms) => firstMs + ms);
      const ends = pauses.map((ms) => endOf(ms, nowMs));
      const soonerMs = ends.map((end, index) => nowMs + pauses[index]! - end);
      expect(Math.min(...soonerMs)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...soonerMs)).toBeLessThan(100);
      expect(new Set(ends).size).toBeLessThanOrEqual(2);
    }));
  });

  it('are the only ones that change', () => {
    for (const ms of [0, 1, 500, 4_999]) expect(endOf(ms, 1_050)).toBe(1_050 + ms);
    expect(endOf(5_000, 1_050)).toBe(6_000);
  });
});
