import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatThousandths, parseThousandths } from '../src/orders/money.js';

describe('money', () => {
  test.each([
    ['2.55', 2_550],
    ['0.0', 0],
    ['-0.00', 0],
    ['7', 7_000],
    ['0.001', 1],
    ['-11062.06', -11_062_060],
    ['999999999.999', 999_999_999_999],
    ['1.2500000', 1_250],
  ])('%s is %d thousandths', (text, amount) => {
    expect(parseThousandths(text)).toBe(amount);
  });

  test.each(['', ' ', '.5', '5.', '1,5', '1.2345', '1e3', '+1', '--1', '0x1', 'NaN', 'Infinity', '1234567890', ' 1'])('%j is none', (text) => {
    expect(parseThousandths(text)).toBeNull();
  });

  test.each([
    [0n, '0.000'],
    [1n, '0.001'],
    [-1n, '-0.001'],
    [2_550n, '2.550'],
    [-11_062_060n, '-11062.060'],
    [123_456_789_012_345_678_901n, '123456789012345678.901'],
  ])('%s thousandths are %s', (amount, text) => {
    expect(formatThousandths(amount)).toBe(text);
  });

  test('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -999_999_999_999, max: 999_999_999_999 }), (amount) => {
        expect(parseThousandths(formatThousandths(BigInt(amount)))).toBe(amount === 0 ? 0 : amount);
      }),
    );
  });
});
