import { beforeEach, describe, expect, it } from '@jest/globals';
import { deliveryPipeline, topicOf } from '@millrace/core';
import { partitionKeys, topicsKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { noRetry, type Process, subscribe } from './fixture.js';
import { Single } from './topics.js';

const bed = new Bed('log-format');
const keys = (): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.single', 0);
let process: Process;

beforeEach(async () => {
  process = await bed.start();
});

const broadcast = (): Promise<unknown> => {
  const topic = topicOf(Single);
  const handler = deliveryPipeline({ topic, group: '~broadcast', retry: noRetry, handle: async () => undefined });
  return process.streams.broadcast({ topic, concurrency: 1 }, handler);
};

const uses: [string, () => Promise<unknown>][] = [
  ['is declared', () => process.streams.declare(topicOf(Single))],
  ['is subscribed to', () => subscribe(process, { topic: Single, group: 'g' }, async () => undefined)],
  ['is subscribed to from a position on', () => subscribe(process, { topic: Single, group: 'h', start: 'latest' }, async () => undefined)],
  ['is followed', broadcast],
  ['is published to', () => process.publisher.publish(Single, { value: 2 })],
  ['is published to, for later', () => process.publisher.publish(Single, { value: 2 }, { delay: '1h' })],
  ['is sought in', () => process.streams.groups.seek(Single, 'g', { to: 'earliest', preview: true })],
];

/** Stores a log in the first format. */
async function storeFormat1(): Promise<void> {
  const { log, meta, groups } = keys();
  await bed.command('HSET', topicsKey(bed.prefix), 'test.single', 1);
  await bed.command('HSET', meta, 'generation', 'one', 'next', 2);
  await bed.command('XGROUP', 'CREATE', log, 'g', '0', 'MKSTREAM');
  await bed.command('HSET', groups, 'g', 0);
  await bed.command('XADD', log, '*', 'o', 0, 'n', 2, 'm', '[[1,"a",null,null,null,{"value":0}],\n[1,"b",null,null,null,{"value":1}]]');
}

/** Names and contents of all keys. */
async function stored(): Promise<unknown[]> {
  const names = ((await bed.command('KEYS', `${bed.prefix}:*`)) as string[]).sort();
  return Promise.all(names.map(async (name) => [name, await bed.command('DUMP', name)]));
}

describe.each(uses)('a log of another format that %s', (_, use) => {
  it('is refused, and stays as it is', async () => {
    await storeFormat1();
    const before = await stored();
    await expect(use()).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION', message: expect.stringMatching(/version 1 .*earlier version .*:\{test\.single:,/) });
    expect(await stored()).toEqual(before);
  });

  it('is refused when it is of a later version', async () => {
    await storeFormat1();
    await bed.command('HSET', keys().meta, 'format', 3);
    const before = await stored();
    await expect(use()).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION', message: expect.stringMatching(/version 3 .*upgrade this process/) });
    expect(await stored()).toEqual(before);
  });
});

it('a log of the first format is recognised by its entries when the meta is lost', async () => {
  await storeFormat1();
  await bed.command('DEL', keys().meta);
  await expect(process.streams.declare(topicOf(Single))).rejects.toMatchObject({ code: 'UNSUPPORTED_VERSION' });
  expect(await bed.command('EXISTS', keys().meta)).toBe(0);
});

it('a new topic has the format of this code', async () => {
  await process.streams.declare(topicOf(Single));
  expect(await bed.command('HGET', keys().meta, 'format')).toBe('2');
});
