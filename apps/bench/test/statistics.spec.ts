import { describe, expect, it } from '@jest/globals';
import { median, medianInterval, percentile } from '../src/statistics.js';

describe('a percentile', () => {
  it('is the smallest value that so many do not exceed, whatever the order', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([50, 95, 99, 100].map((percent) => percentile(values, percent))).toEqual([50, 95, 99, 100]);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([10, 1])).toBe(1);
  });

  it('is not a number when there is nothing', () => {
    expect(median([])).toBeNaN();
  });
});

describe('the interval of a median', () => {
  it('has ranks between which the median lies in 95 of 100 cases, whatever the order', () => {
    const values = Array.from({ length: 40 }, (_, index) => 40 - index);
    expect(medianInterval(values)).toEqual([13, 28]);
    expect(medianInterval([3, 1, 2])).toEqual([1, 3]);
    expect(medianInterval([])).toEqual([Number.NaN, Number.NaN]);
  });
});
