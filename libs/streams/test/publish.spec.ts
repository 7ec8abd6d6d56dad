import { describe, expect, it } from '@jest/globals';
import { IndefinitePublishError, type OutgoingMessage, topicOf } from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { partitionKeys, producerKey, SETTLED_PAGE_OFFSETS } from '../src/keys.js';
import { spanOfId } from '../src/log/entry-id.js';
import { PartitionBatcher } from '../src/publish/partition-batcher.js';
import { PublishBudget } from '../src/publish/publish-budget.js';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Numbered, Single } from './topics.js';

const publish = loadScript('../src/scripts/publish.lua', import.meta.url);
const bed = new Bed('publish');
const plain = (id: string): OutgoingMessage => ({
  id, key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: '{"value":1}',
});
const keysOf = (partition = 0): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.single', partition);

describe('R14 publish reply lost: one message is stored', () => {
  it.each(['reset', 'black hole'])('by a %s', async (fault) => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: 0 });
    if (fault === 'reset') {
      const dropped = proxy.dropReplies();
      const published = process.publisher.publish(Single, { value: 1 });
      await dropped;
      await proxy.pass();
      expect(await published).toMatchObject({ offset: 1, duplicate: false });
    } else {
      proxy.blackHole(['replies']);
      const published = process.publisher.publish(Single, { value: 1 });
      await waitFor(async () => (await bed.command('XLEN', keysOf().log)) === 2, { what: 'Redis to have the message' });
      proxy.reset();
      await proxy.pass();
      expect(await published).toMatchObject({ offset: 1, duplicate: false });
    }
    expect(await bed.command('XLEN', keysOf().log)).toBe(2);
    expect(await bed.command('HGET', keysOf().meta, 'next')).toBe('2');
  });

  it('a batch that arrives after its successor stores nothing', async () => {
    const { process } = await bed.startBehindProxy();
    await process.streams.declare(topicOf(Single));
    const { log, meta, ids, delayed } = keysOf();
    const keys = [log, meta, producerKey(bed.prefix, { topic: 'test.single', partition: 0 }, 'p'), ...ids, delayed];
    const head = [60_000, 1, SETTLED_PAGE_OFFSETS, 0, '0', '', 0];
    const send = (sequence: number): Promise<unknown> =>
      process.redis.publish.run(publish, keys, [sequence, ...head, '', '', `id${sequence}`, '[]', '']);
    expect([await send(1), await send(2), await send(2), await send(1)]).toEqual(['+0', '+1', '+1', 'STALE']);
    expect(await bed.command('XLEN', log)).toBe(2);
  });

  it('is told as indefinite when Redis refuses the repetition: the first may be stored', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: 0 });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Single, { value: 1 });
    published.catch(() => undefined);
    await dropped;
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      await proxy.pass();
      await expect(published).rejects.toBeInstanceOf(IndefinitePublishError);
      await expect(process.publisher.publish(Single, { value: 2 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory', 0);
    }
    expect(await process.publisher.publish(Single, { value: 3 })).toMatchObject({ offset: 2 });
  });
});

describe('a publish that cannot be done', () => {
  it('is rejected when its time is up, however many batches wait before it', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 500 });
    await process.publisher.publish(Single, { value: 0 });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const began = performance.now();
    const results = await Promise.allSettled(numbers(256 * 8).map((_, index) => process.streams.publish(topicOf(Single), plain(`id${index}`))));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(256 * 8);
    // Not how fast it is: one deadline, not one a batch.
    expect(performance.now() - began).toBeLessThan(500 * 4);
  });

  it('does not keep the process from stopping for longer than it is given', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    await process.publisher.publish(Single, { value: 0 });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const published = process.streams.publish(topicOf(Single), plain('id'));
    const rejected = expect(published).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
    await process.streams.stop(200);
    await rejected;
  });

  it('lets the event loop turn while a connection that is ending refuses at once', async () => {
    const process = await bed.start();
    let refusals = 0;
    const ending = {
      isReady: true,
      whenReady: async () => true,
      run: async (...args: Parameters<RedisConnection['run']>) => {
        refusals += 1;
        if (refusals > 3) return process.redis.publish.run(...args);
        throw new RedisFailure('unsent', 'refused', undefined);
      },
    } as unknown as RedisConnection;
    const { log, meta, ids, delayed } = keysOf();
    const batcher = new PartitionBatcher({
      redis: ending, confirmation: null, topic: 'test.single', partition: 0, keys: [log, meta, `${meta}:p`, ...ids, delayed], idempotencyWindowMs: 60_000,
      deadlineMs: 5_000, budget: new PublishBudget(1_000), packing: () => 1, retained: null,
      declare: () => process.streams.declare(topicOf(Single)),
    });
    await process.streams.declare(topicOf(Single));
    const turned = new Promise((resolve) => setImmediate(() => resolve('turned')));
    const published = batcher.publish(plain('id')).then(() => 'published');
    expect(await Promise.race([published, turned])).toBe('turned');
    expect(await published).toBe('published');
  });
});

describe('the deadline of a publish', () => {
  it('is its own: the others of its batch go on', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    await process.publisher.publish(Single, { value: 0 });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const items = numbers(3).map((item, index) => (index === 1 ? { ...item, deadline: '50ms' as const } : item));
    const publishing = items.map(({ payload, ...options }) => process.publisher.publish(Single, payload, options));
    const others = Promise.all([publishing[0], publishing[2]]);
    const told = expect.stringMatching(/ was not stored: .*no connection to Redis.* Publish it again later\.$/);
    await expect(publishing[1]).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', retryable: true, message: told });
    await proxy.pass();
    expect(await others).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(await bed.command('XLEN', keysOf().log)).toBe(3);
  });

  it('is told as indefinite when the message was sent: the batch is sent again as it was', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    await process.publisher.publish(Single, { value: 0 });
    const dropped = proxy.dropReplies();
    const short = process.publisher.publish(Single, { value: 1 }, { deadline: '50ms' });
    const long = process.publisher.publish(Single, { value: 2 });
    const rejected = expect(short).rejects.toBeInstanceOf(IndefinitePublishError);
    await dropped;
    await rejected;
    await proxy.pass();
    expect(await long).toMatchObject({ offset: 2 });
    expect(await bed.command('XLEN', keysOf().log)).toBe(3);
  });

  it('ends what waits behind a batch that cannot be sent', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    await process.publisher.publish(Single, { value: 0 });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const before = process.streams.publish(topicOf(Single), plain('before'));
    await new Promise(setImmediate);
    await expect(process.streams.publish(topicOf(Single), plain('short'), { deadlineMs: 50 })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
    await proxy.pass();
    expect(await before).toMatchObject({ offset: 1 });
  });
});

describe('the record of the last batch, by which a repetition is known,', () => {
  const HOUR_MS = 3_600_000;
  const keptMs = async (): Promise<number> => {
    const [record] = (await bed.command('KEYS', `${bed.prefix}:{test.single:0}:producer:*`)) as [string];
    return Number(await bed.command('PTTL', record));
  };

  it('is kept for as long as the publish may be tried, and an hour more', async () => {
    const { publisher } = await bed.start();
    await publisher.publish(Single, { value: 0 });
    expect(await keptMs()).toBeGreaterThan(HOUR_MS);
    const together = [publisher.publish(Single, { value: 1 }, { deadline: '1d' }), publisher.publish(Single, { value: 2 }, { deadline: '1s' })];
    await Promise.all(together);
    const kept = await keptMs();
    expect(kept).toBeGreaterThan(24 * HOUR_MS);
    expect(kept).toBeLessThanOrEqual(25 * HOUR_MS);
  });

  it('is kept so by a repetition, too', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: 0 });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Single, { value: 1 }, { deadline: '1d' });
    await dropped;
    expect(await keptMs()).toBeGreaterThan(24 * HOUR_MS);
    await proxy.pass();
    expect(await published).toMatchObject({ offset: 1 });
    expect(await keptMs()).toBeGreaterThan(24 * HOUR_MS);
    expect(await bed.command('XLEN', keysOf().log)).toBe(2);
  });
});

describe('the memory that publishes may take', () => {
  it('is one budget for all topics, and what was sent counts until it is answered', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000, publishBufferBytes: 300 });
    await process.publisher.publish(Single, { value: 0 });
    await process.publisher.publish(Numbered, { value: 0 });
    proxy.blackHole();
    const large = { ...plain('a'), payloadJson: JSON.stringify({ value: 1, more: 'ü'.repeat(50) }) };
    const sent = process.streams.publish(topicOf(Single), large);
    await new Promise(setImmediate);
    const waiting = process.streams.publish(topicOf(Single), plain('b'));
    const refused = process.streams.publish(topicOf(Numbered), { ...large, id: 'c' });
    await expect(refused).rejects.toMatchObject({ code: 'BACK_PRESSURE', retryable: true });
    proxy.reset();
    await proxy.pass();
    expect(await Promise.all([sent, waiting])).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(await process.streams.publish(topicOf(Numbered), { ...large, id: 'd' })).toMatchObject({ id: 'd', duplicate: false });
  });

  it('has room for a message alone, however large it is', async () => {
    const process = await bed.start({ publishBufferBytes: 10 });
    expect(await process.publisher.publish(Single, { value: 1 })).toMatchObject({ offset: 0 });
  });
});

describe('what Redis holds of a partition', () => {
  it('counts on from the log when the count alone is lost', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: { value: number }) => void seen.push(value));
    await process.publisher.publishMany(Single, numbers(10));
    await bed.drained(process, Single, 'g');
    await bed.command('DEL', keysOf().meta);
    expect(await process.publisher.publish(Single, { value: 10 })).toMatchObject({ offset: 10 });
    await bed.drained(process, Single, 'g');
    expect(seen).toHaveLength(11);
  });

  it.each(['next', 'generation'])('is mended when its %s alone is lost', async (field) => {
    const process = await bed.start({ publishDeadlineMs: 1_000 });
    await process.publisher.publishMany(Single, numbers(3));
    await bed.command('HDEL', keysOf().meta, field);
    expect(await process.publisher.publish(Single, { value: 4 })).toMatchObject({ offset: 3 });
  });

  it('is mended when the log alone is lost: the offsets go on', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(3));
    await bed.command('DEL', keysOf().log);
    expect(await process.publisher.publish(Single, { value: 4 })).toMatchObject({ offset: 3 });
    expect(await bed.command('XLEN', keysOf().log)).toBe(1);
  });

  it('never holds an entry that crosses from one page of the settled bitmap into the next', async () => {
    const process = await bed.start({ messagesPerEntry: 8 });
    await process.streams.declare(topicOf(Single));
    await bed.command('HSET', keysOf().meta, 'next', SETTLED_PAGE_OFFSETS - 3);
    await process.publisher.publishMany(Single, numbers(20));
    const entries = (await bed.command('XRANGE', keysOf().log, '-', '+')) as [string, string[]][];
    const spans = entries.map(([id]) => spanOfId(id)!).map(({ base, size }) => [base - SETTLED_PAGE_OFFSETS, size]);
    expect(spans).toEqual([[-3, 3], [0, 8], [8, 8], [16, 1]]);
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: { value: number }) => void seen.push(value));
    await bed.drained(process, Single, 'g');
    expect(seen.sort((a, b) => a - b)).toEqual(numbers(20).map(({ payload }) => payload.value));
  });
});

describe('idempotency keys', () => {
  const message = (idempotencyKey: string, id: string): OutgoingMessage => ({ ...plain(id), idempotencyKey });

  it('are remembered from the previous window, and forgotten after two', async () => {
    const process = await bed.start();
    const topic = { ...topicOf(Single), idempotencyWindowMs: 3_600_000 };
    await process.streams.publish(topic, message('k', 'first'));
    const [current] = (await bed.command('KEYS', `${bed.prefix}:*:ids:*`)) as [string];
    const window = Number(await bed.command('HGET', current, ''));
    const other = keysOf().ids.find((key) => key !== current)!;
    // As if a window had passed: what was the current one is the previous.
    await bed.command('RENAME', current, other);
    await bed.command('HSET', other, '', window - 1);
    expect(await process.streams.publish(topic, message('k', 'second'))).toMatchObject({ id: 'first', duplicate: true });
    await bed.command('HSET', other, '', window - 2);
    expect(await process.streams.publish(topic, message('k', 'third'))).toMatchObject({ id: 'third', duplicate: false });
  });
});

describe('a topic that was never declared', () => {
  it('is declared whole by the first publish, so that another number of partitions is refused', async () => {
    const [publisher, other] = [await bed.start(), await bed.start()];
    await publisher.publisher.publish(Numbered, { value: 1 });
    await expect(other.streams.declare({ ...topicOf(Numbered), partitions: 4 })).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' });
  });
});
