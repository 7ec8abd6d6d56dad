import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { OWNER } from '../../src/own/owner-consumer.js';
import { topicsKey } from '../../src/keys.js';
import { parkedName } from '../../src/ordered/parked-names.js';
import { RaiseGates } from '../../src/ordered/raise-gates.js';
import { storedCount } from '../../src/log/stored-count.js';
import { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { Grown, upTo } from './grown.js';

const lookDrained = loadScript('../../src/scripts/look-drained.lua', import.meta.url);
const raisePartition = loadScript('../../src/scripts/raise-partition.lua', import.meta.url);
const raiseCount = loadScript('../../src/scripts/raise-count.lua', import.meta.url);
const bed = new Bed('raise-steps');

describe('a number of partitions in the index', () => {
  it.each([
    ['8', { count: 8, target: null, earlier: [] }],
    ['8>16', { count: 8, target: 16, earlier: [] }],
    ['8>16 4@1700', { count: 8, target: 16, earlier: [{ count: 4, untilMs: 1_700 }] }],
    ['16 8@1800 4@1700', { count: 16, target: null, earlier: [{ count: 8, untilMs: 1_800 }, { count: 4, untilMs: 1_700 }] }],
    ['', null], ['x', null], ['0', null], ['8>', null], ['8 4', null],
  ])('%j is read', (text, stored) => {
    expect(storedCount(text)).toEqual(stored);
  });
});

describe('a raise in the index', () => {
  it('begins only when none is under way, and ends only as it began', async () => {
    const { redis } = await bed.start();
    const key = topicsKey(bed.prefix);
    const step = async (...args: (string | number)[]): Promise<string> =>
      ((await redis.control.run(raiseCount, [key], ['test.grown', ...args])) as [string])[0];
    expect(await step('begin', 2, 4)).toBe('');
    await bed.command('HSET', key, 'test.grown', '2');
    expect(await step('begin', 3, 4)).toBe('2');
    expect(await step('begin', 2, 4)).toBe('2>4');
    expect(await step('begin', 2, 6)).toBe('2>4');
    expect(await step('finish', 2, 6)).toBe('2>4');
    expect(await step('finish', 2, 4)).toMatch(/^4 2@\d+$/);
  });
});

describe('the messages of a partition from before a raise', () => {
  const place = (): ReturnType<Bed['place']> => bed.place(Grown, 'g');
  const look = async ({ redis }: Process, from = ''): Promise<unknown> => {
    const { keys, groupKeys } = place();
    return redis.control.run(lookDrained, [keys.meta, keys.log, groupKeys.open, groupKeys.parked], ['g', 4, from]);
  };
  const park = (...names: string[]): Promise<unknown> => bed.command('ZADD', place().groupKeys.parked, ...names.flatMap((name) => [0, name]));

  it('are settled when none is unread, held, or waits for another attempt or an operator', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    const { keys, groupKeys } = place();
    const publish = async (): Promise<void> => {
      for (let thing = 0; thing < 8; thing += 1) await process.publisher.publish(Grown, { thing, step: 0 });
    };
    await publish();
    await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
    await process.streams.topics.raisePartitions(Grown, { from: 2, to: 4 });
    await publish();
    expect(await look(process)).toEqual([0]);
    const end = Number(await bed.command('HGET', keys.meta, 'end:4'));
    expect(end).toBeGreaterThan(0);
    const read = (await bed.command('XREADGROUP', 'GROUP', 'g', OWNER, 'COUNT', end, 'STREAMS', keys.log, '>')) as [string, [string][]][];
    const ids = read[0]![1].map(([id]) => id);
    expect(await look(process)).toEqual([0]);
    await bed.command('XACK', keys.log, 'g', ...ids.slice(1));
    expect(await look(process)).toEqual([0]);
    await bed.command('XACK', keys.log, 'g', ids[0]!);
    expect(await look(process)).toEqual([1]);
    await bed.command('ZADD', groupKeys.open, 0, '0 1 1 0 - 0');
    expect(await look(process)).toEqual([0]);
    await bed.command('ZADD', groupKeys.open, end, '0 1 1 0 - 0');
    expect(await look(process)).toEqual([1]);
    await park(parkedName('since', end), parkedName('since!', end + 1));
    expect(await look(process)).toEqual([1]);
    await park(parkedName('since-long', end - 1), parkedName('since-long', end));
    expect(await look(process)).toEqual([[parkedName('since-long', end - 1)]]);
    expect(await look(process, parkedName('since-long', end - 1))).toEqual([[parkedName('since-long', end - 1)]]);
    await bed.command('ZREM', groupKeys.parked, parkedName('since-long', end - 1));
    expect(await look(process, parkedName('since-long', end - 1))).toEqual([1]);
  });

  it('are looked for page by page among many keys that were put aside', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    const { keys } = place();
    await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
    await bed.command('HSET', keys.meta, 'end:4', 10);
    await park(...upTo(1_500).map((key) => parkedName(`key-${1_000 + key}`, 10)), parkedName('last', 9));
    expect(await look(process)).toEqual([['key-1999!']]);
    expect(await look(process, 'key-1999!')).toEqual([[parkedName('last', 9)]]);
    const [early, late] = upTo(2).map(() => new RaiseGates({ redis: process.redis, prefix: bed.prefix, place: place() }));
    const passedBy = async (gates: RaiseGates): Promise<number> => gates.look('1 4').then(() => gates.passed);
    expect(await passedBy(early!)).toBe(0);
    await bed.command('ZREM', place().groupKeys.parked, parkedName('last', 9));
    expect([await passedBy(early!), await passedBy(late!)]).toEqual([4, 4]);
  });

  it('end where the raise found them, however often a step is repeated', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    await process.streams.topics.raisePartitions(Grown, { from: 2, to: 5 });
    const { meta } = place().keys;
    const before = await bed.command('HMGET', meta, 'partitions', 'end:5', 'gates');
    expect(before).toEqual(['5', '0', '2:5:0']);
    for (let thing = 0; thing < 16; thing += 1) await process.publisher.publish(Grown, { thing, step: 0 });
    expect(Number(await bed.command('HGET', meta, 'next'))).toBeGreaterThan(0);
    expect(await process.redis.control.run(raisePartition, [meta], [2, 5, '0', '1'])).toBe('OK');
    expect(await bed.command('HMGET', meta, 'partitions', 'end:5', 'gates')).toEqual(before);
  });

  it('leave no fetch open behind the gate', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    const { meta } = place().keys;
    await bed.command('HSET', meta, 'fetches', 'g ~owner member 1 1 0 16 0\n');
    expect(await process.redis.control.run(raisePartition, [meta], [2, 5, '0', '1'])).toBe('OK');
    expect(await bed.command('HMGET', meta, 'gates', 'fetches')).toEqual(['2:5:0', null]);
  });
});
