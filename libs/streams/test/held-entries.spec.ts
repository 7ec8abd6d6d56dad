import { describe, expect, it } from '@jest/globals';
import { type GroupPartition, groupPartition } from '../src/consume/group-partition.js';
import type { HeldEntriesParts, HeldEntries } from '../src/consume/held-entries.js';
import { HeldEntry } from '../src/consume/held-entry.js';
import { heldWith } from './held-with.js';

const [log] = groupPartition('test', { topic: 'orders', partition: 0 }, 'g').streams;

interface Holding {
  readonly held: HeldEntries;
  readonly entry: HeldEntry;
  readonly lost: number[];
  readonly staleAgain: string[];
}

function holding(given: Partial<HeldEntriesParts>): Holding {
  const [lost, staleAgain]: [number[], string[]] = [[], []];
  const feedback = { givenAgain: (place: GroupPartition) => void lost.push(place.partition), becameStale: () => void staleAgain.push('again') };
  const held = heldWith({ feedback, ...given });
  const entry = new HeldEntry(log, { id: '1-0', connectionEpoch: 0 }, { base: 0, size: 1 });
  held.add(entry);
  return { held, entry, lost, staleAgain };
}

const knows = (ids: readonly string[]): Pick<HeldEntriesParts, 'holdings'> => ({
  holdings: { of: () => Promise.resolve(new Set(ids)), has: ({ id }) => Promise.resolve(ids.includes(id)) },
});

describe('an entry in hand', () => {
  it('is stale while other members may have taken the process for dead, until its owner was looked up afterwards', async () => {
    const presence = { isSure: true };
    const { held, entry, lost } = holding({ ...knows(['1-0']), presence });
    expect(held.isSure).toBe(true);
    presence.isSure = false;
    expect(held.isSure).toBe(false);
    presence.isSure = true;
    held.markStale();
    expect(held.isSure).toBe(false);
    await held.verify();
    expect([held.isSure, held.has(entry), lost]).toEqual([true, true, []]);
  });

  it('is given up when Redis does not list it any more', async () => {
    const { held, entry, lost } = holding(knows([]));
    held.markStale();
    await held.verify();
    expect([held.has(entry), entry.isGivenUp, lost]).toEqual([false, true, [0]]);
    expect(entry.signal.reason).toMatchObject({ code: 'STATE_LOST' });
  });

  it('is stale again when a read brings entries that were sent before the process came back', async () => {
    const { held, staleAgain } = holding(knows(['1-0']));
    const before = held.moment(log);
    held.markStale();
    await held.verify();
    held.brought(held.moment(log));
    expect([held.isSure, staleAgain]).toEqual([true, []]);
    held.brought(before);
    expect([held.isSure, staleAgain]).toEqual([false, ['again']]);
  });

  it('stays stale when it became stale again while its owner was looked up', async () => {
    const asked: (() => void)[] = [];
    const of = (): Promise<ReadonlySet<string>> => new Promise((resolve) => asked.push(() => resolve(new Set(['1-0']))));
    const { held } = holding({ holdings: { of, has: () => Promise.resolve(true) } });
    held.markStale();
    const verified = held.verify();
    held.markStale();
    asked[0]!();
    await verified;
    expect(held.isSure).toBe(false);
  });

  it('is looked up before a final outcome, only while it is stale, and kept without an answer', async () => {
    const presence = { isSure: true };
    let questions = 0;
    const has = (): Promise<boolean> => {
      questions += 1;
      return questions === 1 ? Promise.reject(new Error('Redis does not answer')) : Promise.resolve(false);
    };
    const { entry } = holding({ holdings: { of: () => Promise.resolve(new Set()), has }, presence });
    await entry.confirm();
    expect([questions, entry.isGivenUp]).toEqual([0, false]);
    presence.isSure = false;
    await entry.confirm();
    expect([questions, entry.isGivenUp]).toEqual([1, false]);
    await entry.confirm();
    expect([questions, entry.isGivenUp]).toEqual([2, true]);
  });
});
