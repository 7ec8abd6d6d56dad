import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { IndefinitePublishError, type OutgoingMessage, type PublishManyError, topicOf } from '@millrace/core';
import { type RedisConnection, RedisFailure } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { partitionKeys, SETTLED_PAGE_OFFSETS } from '../src/keys.js';
import { spanOfId } from '../src/log/entry-id.js';
import { PartitionBatcher } from '../src/publish/partition-batcher.js';
import { MESSAGE_OVERHEAD_BYTES, PublishBudget } from '../src/publish/publish-budget.js';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Numbered, Single } from './topics.js';

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

  it('is reported as stored, or closed for good, also by a full Redis', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: 0 });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Single, { value: 1 });
    await dropped;
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      await proxy.pass();
      expect(await published).toMatchObject({ offset: 1, duplicate: false });
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
    // The speed does not matter: there is one deadline, not one for each batch.
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
    const batcher = new PartitionBatcher({
      redis: ending, confirmation: null, topic: 'test.single', partition: 0, keys: keysOf(), idempotencyWindowMs: 60_000,
      deadlineMs: 5_000, budget: new PublishBudget(1_000), packing: () => 1, retained: null,
      declare: () => process.streams.declare(topicOf(Single)), partitions: () => 1, learn: async () => undefined,
    });
    await process.streams.declare(topicOf(Single));
    const turned = new Promise((resolve) => setImmediate(() => resolve('turned')));
    const published = batcher.publish(plain('id')).then(() => 'published');
    expect(await Promise.race([published, turned])).toBe('turned');
    expect(await published).toBe('published');
  });
});

describe('the deadline of a publish', () => {
  it('ends that publish alone: the others of its batch go on', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    await process.publisher.publish(Single, { value: 0 });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const items = numbers(3).map((item, index) => (index === 1 ? { ...item, deadline: '50ms' as const } : item));
    const publishing = items.map(({ payload, ...options }) => process.publisher.publish(Single, payload, options));
    const others = Promise.all([publishing[0], publishing[2]]);
    const reported = expect.stringMatching(/ was not stored: .*no connection to Redis.* Publish it again later\.$/);
    await expect(publishing[1]).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', retryable: true, message: reported });
    await proxy.pass();
    expect(await others).toMatchObject([{ offset: 1 }, { offset: 2 }]);
    expect(await bed.command('XLEN', keysOf().log)).toBe(3);
  });

  it('ends as indefinite when the message was sent: the batch is sent again as it was', async () => {
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

  it('ends messages that wait behind a batch that cannot be sent', async () => {
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

/** In bytes, without garbage. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return globalThis.process.memoryUsage().heapUsed;
}

describe('the memory that publishes may take', () => {
  it('is one budget for all topics, and sent messages count until they are answered', async () => {
    const publishBufferBytes = 300 + 2 * MESSAGE_OVERHEAD_BYTES;
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000, publishBufferBytes });
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

  it('bounds the heap of a publisher that waits for nothing: it takes no more than twice the budget', async () => {
    const bytes = 16 * 1024 ** 2;
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 60_000, publishBufferBytes: bytes });
    await process.publisher.publish(Single, { value: 0 });
    proxy.blackHole();
    let refused = 0;
    const before = usedHeap();
    for (let value = 0; refused === 0; value += 1) {
      process.publisher.publish(Single, { value }).catch(() => (refused += 1));
      if (value % 4_096 === 0) await new Promise(setImmediate);
    }
    expect((usedHeap() - before) / bytes).toBeLessThan(2);
    proxy.reset();
    await proxy.pass();
    await process.publisher.publish(Single, { value: -1 }).catch(() => undefined);
  });

  it('has room for a message alone, however large it is', async () => {
    const process = await bed.start({ publishBufferBytes: 10 });
    expect(await process.publisher.publish(Single, { value: 1 })).toMatchObject({ offset: 0 });
  });
});

describe('messages that are published together', () => {
  it('are answered in their order: new ones, duplicates, delayed ones and mismatches', async () => {
    const { publisher } = await bed.start();
    const first = await publisher.publish(Single, { value: 0 }, { idempotencyKey: 'known' });
    const items = [
      { payload: { value: 1 } }, { payload: { value: 0 }, idempotencyKey: 'known' }, { payload: { value: 2 }, delay: '1h' as const },
      { payload: { value: 3 }, idempotencyKey: 'new' }, { payload: { value: 4 }, idempotencyKey: 'late', delay: '1h' as const },
      { payload: { value: 3 }, idempotencyKey: 'new' }, { payload: { value: 5 } },
    ];
    const results = await publisher.publishMany(Single, items);
    expect(results.map(({ offset }) => offset)).toEqual([1, 0, null, 2, null, 2, 3]);
    expect(results.map(({ duplicate }) => duplicate)).toEqual([false, true, false, false, false, true, false]);
    expect(results[1]!.id).toBe(first.id);
    expect(results[5]!.id).toBe(results[3]!.id);
    const other = publisher.publishMany(Single, [{ payload: { value: 6 } }, { payload: { value: 7 }, idempotencyKey: 'new' }]);
    const error = await other.catch((thrown: unknown) => thrown as PublishManyError);
    expect(error).toMatchObject({ results: [{ value: { offset: 4 } }, { reason: { code: 'IDEMPOTENCY_MISMATCH' } }] });
  });

  it('are one batch up to 256 of them, or 1 MB', async () => {
    const { streams } = await bed.start();
    await streams.declare(topicOf(Single));
    const batches = async (count: number, length = 1): Promise<number> => {
      const before = await scriptCalls();
      const message = { ...plain('a'), payloadJson: JSON.stringify({ value: 1, more: 'x'.repeat(length) }) };
      await streams.publishMany(topicOf(Single), numbers(count).map(() => ({ message })));
      return (await scriptCalls()) - before;
    };
    await batches(1);
    expect([await batches(256), await batches(257)]).toEqual([1, 2]);
    expect([await batches(100, 10_000), await batches(110, 10_000)]).toEqual([1, 2]);
  });

  async function scriptCalls(): Promise<number> {
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats')))?.[1]);
  }

  it('are each refused by a process that is shutting down', async () => {
    const process = await bed.start();
    await process.streams.stop(0);
    const outcomes = await process.streams.publishMany(topicOf(Single), [{ message: plain('a') }, { message: plain('b') }]);
    expect(outcomes).toMatchObject([{ code: 'CLOSED' }, { code: 'CLOSED' }]);
    expect(await process.streams.publishMany(topicOf(Single), [])).toEqual([]);
  });
});

describe('the keys of a partition in Redis', () => {
  it('give the next offset from the log when only the meta is lost', async () => {
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

  it.each(['next', 'generation'])('are restored when %s alone is lost', async (field) => {
    const process = await bed.start({ publishDeadlineMs: 1_000 });
    await process.publisher.publishMany(Single, numbers(3));
    await bed.command('HDEL', keysOf().meta, field);
    expect(await process.publisher.publish(Single, { value: 4 })).toMatchObject({ offset: 3 });
  });

  it('give the next offset from the meta when only the log is lost', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(3));
    await bed.command('DEL', keysOf().log);
    expect(await process.publisher.publish(Single, { value: 4 })).toMatchObject({ offset: 3 });
    expect(await bed.command('XLEN', keysOf().log)).toBe(1);
  });

  it('never have an entry that crosses from one page of the settled bitmap into the next', async () => {
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
    // As if a window had passed: the current window becomes the previous one.
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
