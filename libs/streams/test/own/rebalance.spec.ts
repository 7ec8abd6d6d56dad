import { describe, expect, it } from '@jest/globals';
import { OwnerBed } from './owner-bed.js';
import { Rebalance } from './rebalance.js';

const NO_FAULTS = { twoOwners: 0, strayReleases: 0, takenFrom: [] };
const wide = new OwnerBed('rebalance', { partitions: 16, leaseMs: 3_000 });
const narrow = new OwnerBed('storm', { partitions: 4, leaseMs: 3_000 });

describe('members that come and go', () => {
  it('own all partitions after each change, and none has two owners', async () => {
    const rebalance = new Rebalance(wide);
    await rebalance.cycle();
    console.log(rebalance.changes.map(({ from, to, ms, moves }) => `${from}->${to} ms=${Math.round(ms)} moves=${moves}`).join('\n'));
    expect([wide.overlaps, await wide.faults()]).toEqual([0, NO_FAULTS]);
  });

  it('move no more partitions than they must: as many as the one who joins gets, or the one who leaves had', async () => {
    const rebalance = new Rebalance(wide);
    await rebalance.to(4);
    expect((await rebalance.to(5)).moves).toBeLessThanOrEqual(Math.ceil(16 / 4));
    expect((await rebalance.to(4)).moves).toBeLessThanOrEqual(Math.ceil(16 / 4));
    await rebalance.to(0);
  });

  it('settle without going round when many of them join at once', async () => {
    const rebalance = new Rebalance(narrow);
    const { ms, moves } = await rebalance.to(16);
    console.log(`storm=16 ms=${Math.round(ms)} moves=${moves}`);
    // Members that joined before the others were known may own all partitions for a moment.
    expect(moves).toBeLessThanOrEqual(3 * 4);
    expect([narrow.overlaps, await narrow.faults()]).toEqual([0, NO_FAULTS]);
  });
});
