import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { SendAllowance } from '../src/call/send-allowance.js';

describe('requests that are sent without a look at how many wait', () => {
  let nowMs = 1_000;
  const clock = jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  afterAll(() => clock.mockRestore());
  const taken = (allowance: SendAllowance): number => {
    let count = 0;
    while (allowance.take()) count += 1;
    return count;
  };

  it('are none before the first look', () => {
    expect(taken(new SendAllowance())).toBe(0);
  });

  it.each([[0, 0], [99, 0], [100, 1], [2_550, 25], [25_600, 256], [10_000_000, 256]])('with room for %i are %i', (room, count) => {
    const allowance = new SendAllowance();
    allowance.renew(room, nowMs);
    expect(taken(allowance)).toBe(count);
    allowance.renew(room, nowMs);
    expect(taken(allowance)).toBe(count);
  });

  it('are none a second after the look', () => {
    const allowance = new SendAllowance();
    allowance.renew(1_000, nowMs);
    nowMs += 1_000;
    expect(allowance.take()).toBe(true);
    nowMs += 1;
    expect(allowance.take()).toBe(false);
  });
});
