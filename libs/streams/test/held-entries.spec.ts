import { describe, expect, it } from '@jest/globals';
import { groupPartition } from '../src/consume/group-partition.js';
import { HeldEntries } from '../src/consume/held-entries.js';
import { HeldEntry } from '../src/consume/held-entry.js';

const [log] = groupPartition('test', { topic: 'orders', partition: 0 }, 'g').streams;
/** A lease that nobody outlives while the test runs. */
const LONG_MS = 3_600_000;

function heldFor(ms: number): { held: HeldEntries; entry: HeldEntry; lost: number[] } {
  const lost: number[] = [];
  const held = new HeldEntries({
    leaseMs: LONG_MS,
    losses: () => 0,
    onLost: ({ partition }) => lost.push(partition),
    renew: () => Promise.reject(new Error('Redis does not answer')),
  });
  const heldSince = { atMs: performance.now() - ms, losses: 0 };
  const entry = new HeldEntry(log, { id: '1-0', deliveryCount: 1, heldSince }, { base: 0, size: 1 });
  held.add(entry, 1);
  return { held, entry, lost };
}

describe('an entry in hand', () => {
  it('is begun while its lease lasts', () => {
    const { held, entry, lost } = heldFor(0);
    expect([held.mayBegin(entry), held.has(entry), entry.isGivenUp, lost]).toEqual([true, true, false, []]);
  });

  it('is not begun when its lease has run out by the clock of its process, though Redis has said nothing', () => {
    const { held, entry, lost } = heldFor(2 * LONG_MS);
    expect([held.mayBegin(entry), held.has(entry), entry.isGivenUp, lost]).toEqual([false, false, true, [0]]);
    expect(entry.signal.reason).toMatchObject({ code: 'STATE_LOST' });
  });
});
