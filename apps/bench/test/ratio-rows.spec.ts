import { describe, expect, it } from '@jest/globals';
import { SPECS } from '../src/contenders/catalogue.js';
import type { Record } from '../src/match/match.js';
import { ratioRows } from '../src/report/ratio-rows.js';

function record(name: string, totals: readonly number[], latencies: readonly number[] = []): Record {
  const spec = SPECS.find((one) => one.name === name);
  if (!spec) throw new Error(`there is no contender '${name}'`);
  const runs = totals.map((total) => ({ perSecond: 1_000_000 / total, cpu: { producer: 0, consumer: 0, server: 0, total } }));
  const paced = latencies.map((p50) => ({ firstAt: 0, at: 0, p50, p95: p50, p99: 3 * p50, max: p50 }));
  return { spec, runs, paced: new Map([[500, paced]]), skipped: null };
}

describe('the rows of a match', () => {
  it('are medians of the ratios within rounds, not ratios of medians', () => {
    // The machine was ten times as slow in the last round, for both.
    const rows = ratioRows([record('bare loop', [10, 10, 100]), record('millrace', [8, 9, 80])]);
    expect(rows.find(({ name }) => name.startsWith('CPU'))).toEqual({
      name: 'CPU a message: millrace / bare loop', value: 0.8, unit: 'x', target: '<= 0.9', holds: true,
    });
  });

  it('say when a target does not hold', () => {
    const rows = ratioRows([record('raw pub/sub', [1], [100, 100, 100]), record('millrace', [1], [150, 180, 190])]);
    expect(rows.map(({ value, target, holds }) => ({ value, target, holds }))).toEqual([
      { value: 1.8, target: '<= 1.7', holds: false },
      { value: 1.8, target: '<= 2', holds: true },
    ]);
  });

  it('are left out when a side was not measured', () => {
    expect(ratioRows([record('millrace', [8])])).toEqual([]);
    expect(ratioRows([record('bare loop', []), record('millrace', [8])])).toEqual([]);
  });
});
