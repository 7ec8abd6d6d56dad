import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { ReadHistory } from '../src/consume/read-history.js';
import { settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { ofLog, place } from './deliveries-at-hand.js';

const PREFIX = 'test';
const bed = new Bed('history');

/** The entries of a log of twelve offsets, of which the group has settled all but the last. */
const entries = [ofLog(0, 1), ofLog(1, 10), ofLog(11, 1)];

describe('settled messages that come again', () => {
  let history: ReadHistory;
  let redis: StandaloneTopology;

  beforeEach(async () => {
    redis = await connectServer({ url: bed.url, name: 'history' });
    await bed.command('FLUSHALL');
    await bed.command('HSET', place.keys.meta, 'next', 12);
    for (let offset = 0; offset < 11; offset += 1) await bed.command('SETBIT', settledKey(PREFIX, place, offset), offset, 1);
    history = new ReadHistory({ redis: redis.control, prefix: PREFIX, presence: { isSure: true } }, place);
  });

  afterEach(() => redis.close());

  /** The offsets that are to be handled when all entries come by one read. */
  async function openOffsets(): Promise<number[]> {
    const open = await Promise.all(entries.map(({ entry, deliveries }) => history.unsettledOf(entry, deliveries)));
    return open.flat().map(({ offset }) => offset);
  }

  it('are left out of all entries of a read, also of those behind the one that has the member look first', async () => {
    await bed.command('HSET', place.groupKeys.control, 'remade', 11);
    history.markStale();
    expect(await openOffsets()).toEqual([11]);
  });

  it('are left out of a read that comes while the member looks', async () => {
    await bed.command('HSET', place.groupKeys.control, 'remade', 11);
    const looking = history.learn();
    expect(history.isPlain).toBe(false);
    expect(await openOffsets()).toEqual([11]);
    await looking;
    expect(history.isPlain).toBe(true);
  });

  it('are left out up to the end of the log of the last time that they were given again', async () => {
    history.givenAgain();
    await history.unsettledOf(entries[0]!.entry, entries[0]!.deliveries);
    await bed.command('SETBIT', settledKey(PREFIX, place, 12), 12, 1);
    await bed.command('HSET', place.keys.meta, 'next', 13);
    history.givenAgain();
    const { entry, deliveries } = ofLog(12, 1);
    expect(await history.unsettledOf(entry, deliveries)).toEqual([]);
  });

  it('are left out when the log begins anew for the group, though nobody says so', async () => {
    await history.learn();
    history.saw(place.streams[0], entries);
    expect(history.isPlain).toBe(true);
    history.saw(place.streams[1], [{ entry: { base: 3 } }]);
    expect(history.isPlain).toBe(true);
    history.saw(place.streams[0], [{ entry: { base: 11 } }]);
    expect(await openOffsets()).toEqual([11]);
  });

  it('are left out after a look that failed', async () => {
    await bed.command('SET', place.groupKeys.control, 'no hash');
    await expect(history.learn()).rejects.toThrow('WRONGTYPE');
    await bed.command('DEL', place.groupKeys.control);
    expect(history.isPlain).toBe(false);
    expect(await openOffsets()).toEqual([11]);
  });
});
