import { describe, expect, it } from '@jest/globals';
import { together } from '@millrace/core';

describe('long pauses', () => {
  const pauses = Array.from({ length: 50 }, (_, index) => 5_000 + index);

  it('end at few moments, no later and hardly sooner than they would', () => {
    const ends = pauses.map((ms) => {
      const shortened = together(ms);
      expect(shortened).toBeLessThanOrEqual(ms);
      expect(ms - shortened).toBeLessThanOrEqual(100);
      return Math.round(performance.now() + shortened);
    });
    expect(new Set(ends.map((end) => Math.round(end / 100))).size).toBeLessThanOrEqual(2);
  });

  it('are the only ones that change', () => {
    for (const ms of [0, 1, 500, 4_999]) expect(together(ms)).toBe(ms);
  });
});
