import { describe, expect, it } from '@jest/globals';
import type { ReadEntry } from '../../src/consume/pending-delivery.js';
import { OpenFetch } from '../../src/ordered/open-fetch.js';
import type { ReadPosition } from '../../src/ordered/owned-partition.js';
import type { HandedOver } from '../../src/ring/ring-text.js';
import { here } from './keyed-deliveries.js';

const EPOCH = 7;
const position: ReadPosition = { owner: { member: 'm', epoch: EPOCH }, round: 1, after: new Map(), inHand: new Map() };

type Take = (ids: string[]) => Promise<number | null>;

/** A fetch, and what comes of it: ids of entries that are taken in, one after the other, and what it asks for. */
function watched(take: Take = (ids) => Promise.resolve(ids.length)): { fetch: OpenFetch; events: string[] } {
  const events: string[] = [];
  const partition = {
    place: here,
    epoch: EPOCH,
    take: async (_: unknown, reads: readonly ReadEntry[]) => {
      const ids = reads.map(({ id }) => id);
      const messages = await take(ids);
      events.push(`took ${ids.join(' ')}`);
      return messages;
    },
    restart: () => void events.push('restart'),
  };
  const note = (event: string) => (): void => void events.push(event);
  const fetch = new OpenFetch({ partition, missed: note('missed'), brought: () => undefined });
  return { fetch, events };
}

/** One message of an offset. */
function given(fetch: number, offset: number): HandedOver {
  return { epoch: EPOCH, fetch, entries: [{ id: `1-${offset * 16}`, text: '[]' }] };
}

function opened(watch = watched()): ReturnType<typeof watched> {
  watch.fetch.sends();
  watch.fetch.opened(position, 1);
  return watch;
}

const soon = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve));

describe('an open fetch', () => {
  it('takes in what is handed over, one after the other, also when the first takes long', async () => {
    let waits = 3;
    const { fetch, events } = opened(watched(async (ids) => {
      for (let turns = (waits -= 1); turns > 0; turns -= 1) await soon();
      return ids.length;
    }));
    expect([1, 2, 3].map((count) => fetch.handedOver(given(1, count)))).toEqual([true, true, true]);
    for (let turns = 0; turns < 9; turns += 1) await soon();
    expect(events).toEqual(['took 1-16', 'took 1-32', 'took 1-48']);
  });

  it('has the partition read again when one is missing, and takes in none behind it', async () => {
    const { fetch, events } = opened();
    expect([fetch.handedOver(given(1, 2)), fetch.handedOver(given(1, 3))]).toEqual([true, false]);
    await soon();
    expect(events).toEqual(['restart', 'missed']);
  });

  it('takes nothing in twice', async () => {
    const { fetch, events } = opened();
    for (const count of [1, 1, 2, 1]) expect(fetch.handedOver(given(1, count))).toBe(true);
    await soon();
    expect(events).toEqual(['took 1-16', 'took 1-32']);
  });

  it.each([
    ['of another epoch', { ...given(1, 1), epoch: EPOCH - 1 }],
    ['for another fetch', given(2, 1)],
  ])('leaves to others what is %s', (_, entry) => {
    expect(opened().fetch.handedOver(entry)).toBe(false);
  });

  it('keeps what comes before the reply that opens it, and takes it in behind that', async () => {
    const { fetch, events } = opened();
    fetch.sends();
    expect(fetch.handedOver(given(2, 1))).toBe(true);
    await soon();
    expect(events).toEqual([]);
    expect(await fetch.closed('1 1', 1)).toBe(true);
    fetch.opened(position, 1);
    await soon();
    expect(events).toEqual(['took 1-16']);
  });

  it('has taken in all that was handed over when the next fetch goes on, though that comes over another connection', async () => {
    const { fetch, events } = opened();
    fetch.sends();
    const closed = fetch.closed('1 3', 1).then((isAll) => [isAll, ...events]);
    fetch.handedOver(given(1, 1));
    await soon();
    fetch.handedOver(given(1, 2));
    expect(await closed).toEqual([true, 'took 1-16', 'took 1-32']);
  });

  it('knows nothing of a fetch that failed: what was handed over to it is read again', async () => {
    const { fetch } = watched();
    fetch.sends();
    fetch.failed();
    fetch.sends();
    expect([await fetch.closed('1 101', 1), await fetch.closed('', 1)]).toEqual([false, true]);
  });

  it('has no doubts when the partition is read anew in any case', async () => {
    const { fetch } = opened();
    fetch.sends();
    expect([await fetch.closed('1 7', 2), await fetch.closed('', 2)]).toEqual([true, true]);
  });

  it.each(['1 2', '', '2 1', '1 x', '1 '])('says that something is missing when Redis says %p', async (record) => {
    const { fetch } = opened();
    fetch.sends();
    expect(await fetch.closed(record, 1)).toBe(false);
  });

  it('has the partition read again when something foreign was handed over', () => {
    const { fetch, events } = opened();
    fetch.handedOver({ epoch: EPOCH, fetch: 1, entries: [] });
    expect(events).toEqual(['restart', 'missed']);
  });

  it('is asked for again when it could not be taken in', async () => {
    const refused = opened(watched(() => Promise.resolve(null)));
    refused.fetch.handedOver(given(1, 1));
    await soon();
    expect(refused.events).toEqual(['took 1-16', 'missed']);
    const failed = opened(watched(() => Promise.reject(new Error('no answer'))));
    failed.fetch.handedOver(given(1, 1));
    await soon();
    expect(failed.events).toEqual(['restart', 'missed']);
  });
});
