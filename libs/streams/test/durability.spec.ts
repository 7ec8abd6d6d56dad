import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Durability, fsynced, IndefinitePublishError, isDurability, type PublishResult, replicated, Topic } from '@millrace/core';
import { type RedisConnection, RedisFailure } from '@millrace/redis';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { partitionKeys } from '../src/keys.js';
import { FsyncConfirmation } from '../src/durable/confirmation.js';
import { placeOf } from '../src/publish/partitioner.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { connectionTo } from './replicated-bed.js';
import { Grown } from './raise/grown.js';
import { Numbered, numbers, Single } from './topics.js';

@Topic('test.replicated', { durability: replicated(1, '4s') })
class Copied {
  @IsInt() value!: number;
}

const bed = new Bed('durability', { appendonly: 'everysec', extra: ['--repl-diskless-sync-delay', '0'] });
const logOf = (topic = 'test.single'): string => partitionKeys(bed.prefix, topic, 0).log;
let replica: TestRedis;
let onReplica: RedisConnection;

beforeAll(async () => {
  replica = await startTestRedis({ extra: ['--replicaof', '127.0.0.1', String(bed.server.port)] });
  onReplica = await connectionTo(replica);
});

beforeEach(async () => {
  replica.resume();
  await waitFor(async () => Number(await bed.command('WAIT', 1, 100)) === 1, { what: 'the replica to follow' });
});

afterAll(async () => {
  replica.resume();
  onReplica.close();
  await replica.stop();
});

describe('a replicated publish', () => {
  it('resolves when a replica has it, and is indefinite when the replica does not answer', async () => {
    const process = await bed.start();
    const options = { durability: replicated(1, '4s'), idempotencyKey: 'k' };
    expect(await process.publisher.publish(Single, { value: 1 }, options)).toMatchObject({ offset: 0 });
    expect(await onReplica.call('XLEN', logOf())).toBe(1);
    replica.pause();
    const short = { durability: replicated(1, '100ms'), idempotencyKey: 'l' };
    const published = process.publisher.publish(Single, { value: 2 }, short);
    await expect(published).rejects.toBeInstanceOf(IndefinitePublishError);
    await expect(published).rejects.toThrow(/^0 of 1 replicas confirmed .* stored on the primary.* same idempotency key/);
    expect(await bed.command('XLEN', logOf())).toBe(2);
    replica.resume();
    expect(await process.publisher.publish(Single, { value: 2 }, { ...short, durability: replicated(1, '4s') })).toMatchObject({ offset: 1, duplicate: true });
  });

  it('says how many of how many confirmed', async () => {
    const process = await bed.start();
    const published = process.publisher.publish(Single, { value: 1 }, { durability: replicated(2, '300ms') });
    await expect(published).rejects.toThrow(/^1 of 2 replicas/);
  });

  it('asks again when the reply is lost: a new connection does not count as confirmed', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    const durability = replicated(1, '300ms');
    await process.publisher.publish(Single, { value: 0 }, { durability });
    replica.pause();
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Single, { value: 1 }, { durability });
    const rejected = expect(published).rejects.toThrow(/^0 of 1 replicas/);
    await dropped;
    await proxy.pass();
    await rejected;
    expect(await bed.command('XLEN', logOf())).toBe(2);
  });

  it('asks again when the confirmation of its idempotency key is lost: it does not count as confirmed', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    const durability = replicated(1, '1s');
    const [far] = numbers(20).map(({ payload }) => payload).filter(({ value }) => placeOf(String(value), 3) !== placeOf('k', 3));
    await process.publisher.publish(Numbered, { value: 0 }, { durability });
    replica.pause();
    const published = process.publisher.publish(Numbered, far!, { durability, idempotencyKey: 'k' });
    const refused = expect(published).rejects.toThrow(/was not stored: 0 of 1 .* the idempotency key within 1000 ms\. The idempotency key is stored on the primary/);
    const isBlocked = async (): Promise<boolean> => String(await bed.command('CLIENT', 'LIST')).includes('cmd=wait ');
    await waitFor(isBlocked, { what: 'a connection to wait for the replica' });
    proxy.reset();
    await refused;
  });

  it('does not delay publishes that ask for less', async () => {
    const process = await bed.start();
    const isBlocked = async (): Promise<boolean> => String(await bed.command('CLIENT', 'LIST')).includes('cmd=wait ');
    await process.publisher.publish(Copied, { value: 0 });
    replica.pause();
    const copied = process.publisher.publish(Copied, { value: 1 });
    await waitFor(isBlocked, { what: 'a connection to wait for the replica' });
    expect(await process.publisher.publish(Copied, { value: 2 }, { durability: 'server', deadline: '1s' })).toMatchObject({ offset: 2 });
    replica.resume();
    expect(await copied).toMatchObject({ offset: 1 });
  });

  it('that was stored before a raise is found, and counts when replicas have it', async () => {
    const process = await bed.start();
    const publish = (thing: number, durability: Durability): Promise<PublishResult> =>
      process.publisher.publish(Grown, { thing, step: 0 }, { durability, idempotencyKey: `key-${thing}` });
    await publish(0, 'server');
    await process.streams.topics.raisePartitions(Grown, { from: 2, to: 5 });
    expect(await publish(0, replicated(1, '4s'))).toMatchObject({ duplicate: true });
    replica.pause();
    await bed.command('SET', `${bed.prefix}:later`, 1);
    await expect(publish(0, replicated(1, '100ms'))).rejects.toBeInstanceOf(IndefinitePublishError);
    await expect(publish(0, replicated(1, '100ms'))).rejects.toThrow(/^0 of 1 replicas confirmed the message/);
    replica.resume();
    expect(await publish(0, replicated(1, '4s'))).toMatchObject({ duplicate: true });
  });

  it('may be the default of a topic', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Copied, numbers(20));
    expect(await onReplica.call('XLEN', logOf('test.replicated'))).toBe(20);
  });
});

describe('a publish that must be on the disk', () => {
  const durability = fsynced();

  /** A process on a server that cannot be asked about its disk. */
  async function startUnable(): Promise<Process> {
    const process = await bed.start();
    Object.assign(process.redis, { server: { ...process.redis.server, capabilities: new Set() } });
    return process;
  }

  it('is refused, and nothing stored, while Redis does not write at once', async () => {
    const process = await startUnable();
    const published = process.publisher.publish(Single, { value: 1 }, { durability });
    await expect(published).rejects.toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringMatching(/everysec.*appendfsync always/) });
    expect(await bed.command('EXISTS', logOf())).toBe(0);
  });

  it('resolves when the server says that it has written, where it can be asked', async () => {
    const process = await bed.start();
    const published = process.publisher.publish(Single, { value: 1 }, { durability });
    if (process.redis.server.capabilities.has('waitaof')) expect(await published).toMatchObject({ offset: 0 });
    else await expect(published).rejects.toMatchObject({ code: 'REDIS_UNSUPPORTED' });
  });

  it('resolves when Redis writes at once', async () => {
    const process = await startUnable();
    await bed.command('CONFIG', 'SET', 'appendfsync', 'always');
    try {
      expect(await process.publisher.publish(Single, { value: 1 }, { durability })).toMatchObject({ offset: 0 });
    } finally {
      await bed.command('CONFIG', 'SET', 'appendfsync', 'everysec');
    }
  });

  describe('on a Redis that can be asked', () => {
    const able = { capabilities: new Set(['waitaof'] as const) };
    const answering = (answer: unknown): { redis: RedisConnection; asked: unknown[][] } => {
      const asked: unknown[][] = [];
      const call = async (...command: unknown[]): Promise<unknown> => {
        asked.push(command);
        if (answer instanceof Error) throw answer;
        return answer;
      };
      return { asked, redis: { call } as unknown as RedisConnection };
    };

    it('is confirmed by Redis', async () => {
      const { redis, asked } = answering([1, 0]);
      const confirmation = new FsyncConfirmation(500, 'message', able);
      await confirmation.check(redis);
      expect(asked).toEqual([['WAITAOF', 1, 0, 1]]);
      expect(confirmation.command).toEqual(['WAITAOF', 1, 0, 500]);
      confirmation.assertConfirmed({ status: 'fulfilled', value: [1, 0] });
    });

    it('is indefinite when the disk is too slow', () => {
      const asking = (): void => new FsyncConfirmation(500, 'message', able).assertConfirmed({ status: 'fulfilled', value: [0, 0] });
      expect(asking).toThrow(/not write the message to its disk within 500 ms/);
    });

    it('is refused when there is no append-only file', async () => {
      const { redis } = answering(new RedisFailure('unknown', 'ERR WAITAOF cannot be used when appendonly is disabled', undefined));
      await expect(new FsyncConfirmation(500, 'message', able).check(redis)).rejects.toMatchObject({ code: 'REDIS_UNSUPPORTED' });
    });

    it('is sent again when the answer is lost', () => {
      const reason = new RedisFailure('unsent', 'gone', undefined);
      const asking = (): void => new FsyncConfirmation(500, 'message', able).assertConfirmed({ status: 'rejected', reason });
      expect(asking).toThrow(expect.objectContaining({ kind: 'indeterminate' }));
    });
  });
});

describe('durability levels', () => {
  it.each([() => replicated(0), () => replicated(1.5), () => replicated(101), () => replicated(1, '5s'), () => fsynced('0ms'), () => fsynced('1m')])(
    'refuse %s',
    (make) => {
      expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    },
  );

  it.each([null, 'disk', {}, { kind: 'replicated', timeoutMs: 5 }, { kind: 'server' }, { kind: 'fsynced', timeoutMs: '5' }])('are not %p', (value) => {
    expect(isDurability(value)).toBe(false);
    expect(() => Topic('t', { durability: value as 'server' })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
