import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '@millrace/testing';
import { Candidate } from '../../src/balance/candidate.js';
import type { BalanceStrategy } from '../../src/balance/client-options.js';
import { strategyOf } from '../../src/balance/strategy.js';
import type { Instance } from '../../src/registry/instance.js';

const candidate = (member: string, weight = 100): Candidate => new Candidate({ member, weight, tags: [] } as unknown as Instance);
const crowd = (...weights: number[]): Candidate[] => weights.map((weight, index) => candidate(`m${index}`, weight));
const chooser = (name: BalanceStrategy, seed = 7) => strategyOf(name, seededRandom(seed))!;

/** How often each is chosen. */
function chosen(name: BalanceStrategy, candidates: readonly Candidate[], times: number): number[] {
  const strategy = chooser(name);
  const counts = new Map(candidates.map(({ member }) => [member, 0]));
  for (let time = 0; time < times; time += 1) {
    const { member } = strategy.choose(candidates, `key-${time}`);
    counts.set(member, counts.get(member)! + 1);
  }
  return [...counts.values()];
}

/** Five standard deviations of a share of so many draws. */
const spreadOf = (share: number, times: number): number => 5 * Math.sqrt(times * share * (1 - share));

describe('a strategy', () => {
  it.each(['random', 'two-choices', 'least-active', 'key'] as const)('%s gives idle instances their shares by weight', (name) => {
    const times = 20_000;
    for (const weights of [[100, 100, 100, 100], [100, 300, 600]]) {
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const counts = chosen(name, crowd(...weights), times);
      weights.forEach((weight, index) => {
        const share = weight / total;
        // Two draws that are to differ even out the weights somewhat.
        const tolerance = name === 'two-choices' ? 0.15 * times * share : 0;
        expect(Math.abs(counts[index]! - times * share)).toBeLessThan(spreadOf(share, times) + tolerance);
      });
    }
  });

  it('round-robin gives each instance exactly its turns, spread evenly', () => {
    expect(chosen('round-robin', crowd(100, 100, 100), 300)).toEqual([100, 100, 100]);
    const counts = chosen('round-robin', crowd(100, 200, 300), 600);
    [100, 200, 300].forEach((share, index) => expect(Math.abs(counts[index]! - share)).toBeLessThanOrEqual(1));
    const strategy = chooser('round-robin');
    const candidates = crowd(100, 100, 100, 100, 100);
    const row = Array.from({ length: 50 }, () => strategy.choose(candidates, undefined).member);
    for (let start = 0; start + 5 <= row.length; start += 1) expect(new Set(row.slice(start, start + 5)).size).toBe(5);
    const heavy = crowd(100, 300);
    const light = Array.from({ length: 400 }, () => strategy.choose(heavy, undefined).member).map((member, index) => (member === 'm0' ? index : -1));
    const turns = light.filter((index) => index >= 0);
    turns.slice(1).forEach((turn, index) => expect(turn - turns[index]!).toBe(4));
  });

  it('least-active takes the instance with the fewest calls for its weight', () => {
    const candidates = crowd(100, 100, 200);
    [candidates[0]!.inFlight, candidates[1]!.inFlight, candidates[2]!.inFlight] = [2, 3, 3];
    expect(chosen('least-active', candidates, 100)).toEqual([0, 0, 100]);
    candidates[2]!.inFlight = 5;
    expect(chosen('least-active', candidates, 100)).toEqual([100, 0, 0]);
  });

  it('two-choices takes the busiest instance only when no other was drawn', () => {
    const candidates = crowd(100, 100, 100, 100);
    candidates[0]!.inFlight = 50;
    const [busy = 0, ...others] = chosen('two-choices', candidates, 4_000);
    // The same is drawn five times in a row in one of 1,024 cases.
    expect(busy).toBeLessThan(30);
    for (const count of others) expect(count).toBeGreaterThan(1_100);
  });

  it('key gives the same key the same instance, and moves only the keys that the new one wins', () => {
    const before = crowd(100, 100, 100, 100);
    const joined = candidate('m4');
    const after = [joined, ...[...before].reverse()];
    const [one, other] = [chooser('key', 1), chooser('key', 2)];
    const keys = Array.from({ length: 10_000 }, (_, index) => `customer:${index}`);
    const moved = keys.filter((key) => {
      const [was, is] = [one.choose(before, key).member, other.choose(after, key).member];
      if (was !== is) expect(is).toBe(joined.member);
      return was !== is;
    });
    expect(Math.abs(moved.length - keys.length / 5)).toBeLessThan(spreadOf(1 / 5, keys.length));
  });

  it('key refuses a call without a key', () => {
    expect(() => chooser('key').choose(crowd(100), undefined)).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }));
  });
});
