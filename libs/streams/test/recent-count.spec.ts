import { expect, it } from '@jest/globals';
import { RecentCount } from '../src/consume/recent-count.js';

function countOf(events: number, { at }: { at: number }): RecentCount {
  const count = new RecentCount(50);
  count.of(at);
  for (let event = 0; event < events; event += 1) count.add();
  return count;
}

it('is the number of events in the current time span', () => {
  const count = countOf(7, { at: 1_000 });
  expect(count.of(1_049)).toBe(7);
});

it('is the number of events in the span before while this one has fewer', () => {
  const count = countOf(7, { at: 1_000 });
  expect(count.of(1_050)).toBe(7);
  count.add();
  expect(count.of(1_060)).toBe(7);
  for (let event = 0; event < 8; event += 1) count.add();
  expect(count.of(1_070)).toBe(9);
});

it('is spread over the time since the last query', () => {
  expect(countOf(100, { at: 1_000 }).of(2_000)).toBe(5);
  expect(countOf(1, { at: 1_000 }).of(1_051)).toBe(0);
});

it('is 0 when there were no events for two time spans', () => {
  const count = countOf(7, { at: 1_000 });
  count.of(1_050);
  expect(count.of(1_100)).toBe(0);
});

it('does not take the whole life of the process for the first time span', () => {
  const count = new RecentCount(50);
  for (let event = 0; event < 1_000; event += 1) count.add();
  expect(count.of(1_000_000)).toBe(0);
});

it('is 0 after it was reset, until there are new events', () => {
  const count = countOf(7, { at: 1_000 });
  count.of(1_050);
  count.add();
  count.forget();
  expect(count.of(1_060)).toBe(0);
  count.add();
  expect(count.of(1_070)).toBe(1);
});
