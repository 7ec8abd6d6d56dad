import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectServer, loadScript, RedisFailure, type StandaloneTopology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../../src/consume/group-partition.js';
import type { OwnerRecord } from '../../src/own/owner-record.js';
import { type Claim, OwnerRecords } from '../../src/own/owner-records.js';
import { Bed } from '../bed.js';

const forgetMember = loadScript('../../src/scripts/forget-member.lua', import.meta.url);
const bed = new Bed('owners');
const [ME, OTHER] = ['host-1-0a1b2c3d4e5f.1', 'host-2-0a1b2c3d4e5f.1'];
const NONE: OwnerRecord = { owner: '', epoch: '' };

let redis: StandaloneTopology;
let mine: OwnerRecords;
let others: OwnerRecords;
let place: GroupPartition;

const placeOf = (partition: number): GroupPartition => groupPartition(bed.prefix, { topic: 'orders', partition }, 'g');
const claim = (expected: OwnerRecord, leastEpoch = 1): Claim => ({ place, expected, leastEpoch, hasDied: false });
const acquire = async (records: OwnerRecords, wish: Claim): Promise<unknown> => (await records.acquire([wish])).found.get(place);
const release = async (records: OwnerRecords, epoch: number, hasCounted = true): Promise<unknown> =>
  (await records.release([{ place, epoch, hasCounted }])).found.get(place);
const stored = async (): Promise<unknown> => (await mine.look([place])).found.get(place);
const damage = (...fields: string[]): Promise<unknown> => bed.command('HSET', place.groupKeys.control, ...fields);

beforeEach(async () => {
  redis = await connectServer({ url: bed.url });
  mine = new OwnerRecords({ redis, member: ME });
  others = new OwnerRecords({ redis, member: OTHER });
  place = placeOf(0);
});
afterEach(() => redis.close());

/** The rings in the channel of the partition while the work is done. */
async function ringsOf(work: () => Promise<unknown>): Promise<string[]> {
  const rings: string[] = [];
  const connection = redis.listening('test');
  connection.watch({ ready: () => undefined, lost: () => undefined, message: (_, text) => void rings.push(text) });
  await connection.whenReady(5_000);
  await connection.subscribe([place.keys.ring]);
  await work();
  await connection.call('PING');
  connection.close();
  return rings;
}

describe('acquiring a partition', () => {
  it('makes the member its owner under epoch 1, and counts on from there', async () => {
    expect(await acquire(mine, claim(NONE))).toBe(1);
    expect(await stored()).toEqual({ owner: ME, epoch: '1' });
    expect(await acquire(others, claim({ owner: ME, epoch: '1' }))).toBe(2);
    expect(await stored()).toEqual({ owner: OTHER, epoch: '2' });
  });

  it('is refused when the record is another one, with the record that stands', async () => {
    await acquire(mine, claim(NONE));
    expect(await acquire(others, claim(NONE))).toEqual({ owner: ME, epoch: '1' });
    expect(await acquire(others, claim({ owner: ME, epoch: '2' }))).toEqual({ owner: ME, epoch: '1' });
    expect(await acquire(others, claim({ owner: OTHER, epoch: '1' }))).toEqual({ owner: ME, epoch: '1' });
    expect(await stored()).toEqual({ owner: ME, epoch: '1' });
  });

  it('is harmless when it is repeated, until another has acquired it', async () => {
    expect(await acquire(mine, claim(NONE))).toBe(1);
    expect(await acquire(mine, claim(NONE))).toBe(1);
    expect(await acquire(others, claim({ owner: ME, epoch: '1' }))).toBe(2);
    expect(await acquire(mine, claim(NONE))).toEqual({ owner: OTHER, epoch: '2' });
  });

  it('takes at least the epoch that is given: a database may know a higher one', async () => {
    expect(await acquire(mine, claim(NONE, 40))).toBe(40);
    expect(await acquire(mine, claim(NONE, 40))).toBe(40);
    expect(await acquire(others, claim({ owner: ME, epoch: '40' }, 3))).toBe(41);
  });

  it('rings for the owner that is taken for dead, and for nobody else', async () => {
    expect(await ringsOf(() => acquire(mine, claim(NONE)))).toEqual([]);
    expect(await ringsOf(() => acquire(mine, claim({ owner: ME, epoch: '1' })))).toEqual([]);
    expect(await ringsOf(() => acquire(others, claim({ owner: ME, epoch: '2' })))).toEqual(['control g']);
  });

  it('has one winner among many who see the same record', async () => {
    const all = Array.from({ length: 20 }, (_, number) => new OwnerRecords({ redis, member: `host-${number}-0a1b2c3d4e5f.1` }));
    const answers = await Promise.all(all.map((records) => acquire(records, claim(NONE))));
    expect(answers.filter((answer) => answer === 1)).toHaveLength(1);
  });
});

describe('releasing a partition', () => {
  it('leaves the epoch, so that the next owner has a higher one, and rings', async () => {
    await acquire(mine, claim(NONE));
    expect(await ringsOf(() => release(mine, 1))).toEqual(['control g']);
    expect(await stored()).toEqual({ owner: '', epoch: '1' });
    expect(await acquire(others, claim({ owner: '', epoch: '1' }))).toBe(2);
  });

  it('is refused to all but the owner of that epoch', async () => {
    await acquire(mine, claim(NONE));
    expect(await release(others, 1)).toBe(false);
    expect(await release(mine, 2)).toBe(false);
    expect(await stored()).toEqual({ owner: ME, epoch: '1' });
    await acquire(others, claim({ owner: ME, epoch: '1' }));
    expect(await ringsOf(() => release(mine, 1))).toEqual([]);
    expect(await stored()).toEqual({ owner: OTHER, epoch: '2' });
  });

  it('is harmless when it is repeated', async () => {
    await acquire(mine, claim(NONE));
    expect([await release(mine, 1), await release(mine, 1)]).toEqual([true, true]);
  });

  it('leaves the death of an owner before until one has counted it', async () => {
    const death = (): Promise<unknown> => bed.command('HGET', place.groupKeys.control, 'suspects');
    await acquire(others, claim(NONE, 6));
    await acquire(mine, { ...claim({ owner: OTHER, epoch: '6' }), hasDied: true });
    const left = [await death()];
    await release(mine, 7, false);
    left.push(await death());
    await acquire(others, claim({ owner: '', epoch: '7' }));
    await release(others, 8);
    expect([...left, await death()]).toEqual(['6', '6', null]);
  });
});

describe('leaving the group', () => {
  it('rings where the group looks for its members, so that nobody assigns anything to the member any more', async () => {
    const { keys, groupKeys: { again } } = place;
    for (const stream of [keys.log, again]) await bed.command('XGROUP', 'CREATE', stream, 'g', '$', 'MKSTREAM');
    const forget = (isFirst: number): Promise<unknown> => redis.control.run(forgetMember, [keys.log, again], ['g', ME, isFirst]);
    expect(await ringsOf(() => forget(0))).toEqual([]);
    expect(await ringsOf(() => forget(1))).toEqual(['control g']);
  });
});

describe('a damaged record', () => {
  it.each([
    ['an epoch that is no number', ['owner', ME, 'epoch', 'seven'], { owner: ME, epoch: 'seven' }, 1],
    ['an epoch that no log can have', ['owner', ME, 'epoch', '9'.repeat(20)], { owner: ME, epoch: '9'.repeat(20) }, 1],
    ['an owner that is no member', ['owner', 'somebody', 'epoch', '7'], { owner: 'somebody', epoch: '7' }, 8],
    ['an owner without an epoch', ['owner', ME], { owner: ME, epoch: '' }, 1],
  ])('with %s can be acquired by who has seen it', async (_, fields, seen, epoch) => {
    await damage(...fields);
    expect(await stored()).toEqual(seen);
    expect(await acquire(others, claim(seen))).toBe(epoch);
  });

  it('does not lower the epoch below one that is known', async () => {
    await damage('epoch', 'seven');
    expect(await acquire(mine, claim({ owner: '', epoch: 'seven' }, 8))).toBe(8);
  });
});

describe('many partitions', () => {
  it('go in pages; one whose key is of the wrong type fails alone', async () => {
    const places = Array.from({ length: 130 }, (_, partition) => placeOf(partition));
    await bed.command('SET', places[70]!.groupKeys.control, 'in the way');
    const { found, errors } = await mine.acquire(places.map((each) => ({ ...claim(NONE), place: each })));
    expect([found.size, [...new Set(found.values())], errors.length]).toEqual([129, [1], 1]);
    expect(errors[0]).toBeInstanceOf(RedisFailure);
    const looked = await mine.look(places);
    expect([looked.found.size, looked.errors.length, looked.found.get(places[129]!)]).toEqual([129, 1, { owner: ME, epoch: '1' }]);
    const released = await mine.release(places.map((each) => ({ place: each, epoch: 1, hasCounted: true })));
    expect([released.found.size, [...new Set(released.found.values())], released.errors.length]).toEqual([129, [true], 1]);
  });
});
