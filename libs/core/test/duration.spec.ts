import { describe, expect, it } from '@jest/globals';
import { type Duration, durationMs, isDuration } from '@millrace/core';
import fc from 'fast-check';

describe('durations', () => {
  it.each([
    ['0ms', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['0.4ms', 0],
    ['0.0005s', 1],
    ['36500d', 3_153_600_000_000],
  ] as const)('reads %s', (text, ms) => {
    expect(isDuration(text)).toBe(true);
    expect(durationMs(text)).toBe(ms);
  });

  it.each([
    '', '5', 's', '5 s', ' 5s', '5s ', '5s\n', '-1s', '+1s', '1e3s', '1e19ms', 'NaNms', 'Infinityms', '5S', '5min', '0x5s', '1_000ms', '5,5s', '.5s', '5.s',
    '5s5s', '36501d', '999999999999999d', '1.1234567s', '５s', '5\u200bs', 5, 5n, null, undefined, true, ['5s'], { valueOf: () => '5s' },
  ])('refuses %p', (value) => {
    expect(isDuration(value)).toBe(false);
    expect(() => durationMs(value as Duration)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });

  it('gives whole, finite, safe milliseconds for whatever it takes', () => {
    const text = fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constantFrom('ms', 's', 'm', 'h', 'd')).map(([n, unit]) => `${n.toFixed(3)}${unit}`);
    fc.assert(
      fc.property(text, (duration) => {
        fc.pre(isDuration(duration));
        const ms = durationMs(duration);
        expect(Number.isSafeInteger(ms) && ms >= 0).toBe(true);
        expect(Number.isNaN(new Date(Date.now() + ms).getTime())).toBe(false);
      }),
    );
  });
});
