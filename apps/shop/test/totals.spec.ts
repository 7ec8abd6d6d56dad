import { describe, expect, test } from '@jest/globals';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatThousandths } from '../src/orders/money.js';
import { isCancellation } from '../src/orders/order.js';
import { readOrders } from '../src/orders/read-orders.js';
import { Totals } from '../src/totals/totals.js';

const REAL = fileURLToPath(new URL('../../../../shared/data/online-retail', import.meta.url));

describe('totals', () => {
  test('are exact sums over all lines', () => {
    const lines = [
      { stockCode: 'A', quantity: 3, unitPrice: 100 },
      { stockCode: 'B', quantity: -2, unitPrice: 1 },
      { stockCode: 'A', quantity: 999_999_999, unitPrice: 999_999_999_999 },
    ];
    const totals = Totals.of([{ invoice: '1', customerId: null, country: '', placedAt: '', lines }]);
    expect(totals.revenue).toBe(300n - 2n + 999_999_999n * 999_999_999_999n);
    expect(totals.units).toBe(1_000_000_000n);
    expect([...totals.moved]).toEqual([['A', 1_000_000_002n], ['B', -2n]]);
  });

  test('are zero without orders', () => {
    expect(Totals.of([])).toMatchObject({ revenue: 0n, units: 0n });
  });

  const where = existsSync(REAL) ? '' : ' (not on this machine: the generated ones stand for them)';
  test(`add up the real orders${where}`, async () => {
    if (!existsSync(REAL)) return console.warn(`There are no real orders at ${REAL}: their totals were not tested.`);
    const { files, lines, malformed, orders } = await readOrders(REAL, { encoding: 'utf-8', onMalformed: () => undefined });
    const counts = { files, lines, malformed, invoices: orders.length };
    expect(counts).toEqual({ files: 20, lines: 42_481, malformed: 0, invoices: 2_025 });
    expect(orders.filter(isCancellation)).toHaveLength(326);
    const totals = Totals.of(orders);
    expect(formatThousandths(totals.revenue)).toBe('748957.020');
    expect({ units: totals.units, stockCodes: totals.moved.size }).toEqual({ units: 342_228n, stockCodes: 2_822 });
  });
});
