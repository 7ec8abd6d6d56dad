import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { EventEmitter } from 'node:events';
import { freePort, TcpProxy, waitFor } from '@millrace/testing';
import { Queue } from 'bullmq';
import { bullConnection, JobQueue, type JobWorker } from '../src/index.js';
import { SendMail } from './contracts.js';
import { handler, Heard, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start({ appendonly: 'always' });
});
afterEach(async () => {
  await fixture.clear();
});
afterAll(() => fixture.stop());

const waiting = async () => (await fixture.jobs.counts('emails')).waiting;

/** Makes Redis refuse what needs memory (`1` byte allowed), or not (`0`: no limit). */
async function full(): Promise<{ memory(bytes: '0' | '1'): Promise<unknown>; ping(): Promise<unknown> }> {
  const client: unknown = await fixture.queue('emails').getBackend().client;
  const redis = client as { config(...args: string[]): Promise<unknown>; ping(): Promise<unknown> };
  return { memory: (bytes) => redis.config('SET', 'maxmemory', bytes), ping: () => redis.ping() };
}

/** A job queue on another address, closed after the test. */
async function withQueue(url: string, test: (jobs: JobQueue, queue: Queue) => Promise<void>): Promise<void> {
  const queue = new Queue('emails', { connection: bullConnection({ url }, 'queue'), prefix: fixture.prefix });
  try {
    await test(new JobQueue(() => queue), queue);
  } finally {
    await queue.close();
  }
}

describe('a queue without Redis', () => {
  it('gives up after a bounded time and says that nothing was sent', async () => {
    await withQueue(`redis://127.0.0.1:${await freePort()}`, async (jobs) => {
      const unreachable = { code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining('ECONNREFUSED') as unknown };
      await Promise.all([
        expect(jobs.enqueue(SendMail, { to: 'a' })).rejects.toMatchObject(unreachable),
        expect(jobs.enqueueMany(SendMail, [{ payload: { to: 'a' } }])).rejects.toMatchObject(unreachable),
        expect(jobs.counts('emails')).rejects.toMatchObject(unreachable),
      ]);
    });
  });

  it('still validates first', async () => {
    await withQueue(`redis://127.0.0.1:${await freePort()}`, async (jobs) => {
      await expect(jobs.enqueue(SendMail, { to: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    });
  });

  it('waits for a Redis that comes back', async () => {
    await fixture.queue('emails').waitUntilReady();
    await fixture.redis.kill();
    const enqueued = fixture.jobs.enqueue(SendMail, { to: 'a' });
    await fixture.redis.restart();
    expect(await enqueued).toMatchObject({ duplicate: false });
    expect(await waiting()).toBe(1);
  });

  it('tells when its connection fails and when it is back', async () => {
    await fixture.jobs.counts('emails');
    const told = new Heard('connection');
    await fixture.redis.kill();
    expect(await told.first).toMatchObject({ name: 'queue:emails', state: 'failed' });
    await fixture.redis.restart();
    await waitFor(() => told.events.at(-1)?.state === 'ready', { what: 'the queue to be back' });
    told.stop();
    expect(told.events.at(-1)).toEqual({ name: 'queue:emails', state: 'ready' });
  });

  it('listens once for a Redis that comes back, however many calls wait for it', async () => {
    const client = (await fixture.queue('emails').getBackend().client) as unknown as EventEmitter;
    await fixture.jobs.counts('emails');
    const before = client.listenerCount('ready');
    await fixture.redis.kill();
    await waitFor(() => (client as unknown as { status: string }).status !== 'ready', { what: 'the queue to miss its connection' });
    const enqueued = Array.from({ length: 20 }, (_, index) => fixture.jobs.enqueue(SendMail, { to: `${index}` }));
    await waitFor(() => client.listenerCount('ready') > before, { what: 'the calls to wait' });
    expect(client.listenerCount('ready')).toBe(before + 1);
    await fixture.redis.restart();
    expect(await Promise.all(enqueued)).toHaveLength(20);
    expect(client.listenerCount('ready')).toBe(before);
  });

  it('says that the job may be stored when Redis took the command and did not answer', async () => {
    await fixture.queue('emails').waitUntilReady();
    fixture.redis.pause();
    const [enqueued, counted] = await Promise.allSettled([fixture.jobs.enqueue(SendMail, { to: 'a' }), fixture.jobs.counts('emails')]);
    fixture.redis.resume();
    expect(enqueued).toMatchObject({ reason: { code: 'PUBLISH_INDEFINITE', retryable: true } });
    expect(counted).toMatchObject({ reason: { code: 'REDIS_UNREACHABLE', retryable: true } });
  });

  it.each([undefined, 'reply-lost'])('stores one job when the reply is lost, key: %s', async (idempotencyKey) => {
    const proxy = await TcpProxy.start(fixture.redis.url);
    await withQueue(proxy.url, async (jobs, queue) => {
      await queue.waitUntilReady();
      const dropped = proxy.dropReplies();
      const enqueued = jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey });
      await dropped;
      await proxy.pass();
      const result = await enqueued;
      expect(result.duplicate).toBe(false);
      expect(await waiting()).toBe(1);
      expect((await fixture.stored('emails', result.id)).data).toEqual({ to: 'a' });
    });
    await proxy.stop();
  });

  it('tells back-pressure when Redis is full, and nothing is stored', async () => {
    const redis = await full();
    await redis.memory('1');
    await expect(fixture.jobs.enqueue(SendMail, { to: 'a' })).rejects.toMatchObject({ code: 'BACK_PRESSURE', retryable: true });
    await redis.memory('0');
    expect(await waiting()).toBe(0);
  });
});

describe('a worker without Redis', () => {
  it('does not start', async () => {
    const connection = bullConnection({ url: `redis://:secret@127.0.0.1:${await freePort()}` }, 'worker');
    const start = fixture.worker([handler(SendMail, () => undefined)], { connection });
    await expect(start).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true });
    await expect(start).rejects.not.toThrow(/secret/);
  });

  it('tells its problem and goes on when Redis is back', async () => {
    const seen = new Signal<string>();
    const worker = await fixture.worker([handler(SendMail, ({ to }) => seen.give(to))]);
    expect(worker.problem()).toBeNull();
    const told = new Heard('loop-failed');
    await fixture.redis.kill();
    const [failure, problem] = [await told.first, worker.problem()];
    told.stop();
    expect(failure).toMatchObject({ queue: 'emails', loop: 'job-worker', failures: 1 });
    // A socket that is reset tells its error before it closes: until then the worker is connected as far as it knows.
    expect(problem).toMatch(/no connection to Redis|fails: read ECONNRESET/);
    await waitFor(() => worker.problem()?.includes('no connection to Redis') === true, { what: 'the worker to miss its connection' });
    await fixture.redis.restart();
    await fixture.jobs.enqueue(SendMail, { to: 'after' });
    expect(await seen.promise).toBe('after');
    await isWell(worker);
  });

  it('settles the jobs that it had in its hands when Redis comes back', async () => {
    const begun = new Signal();
    const release = new Signal();
    await fixture.worker([
      handler(SendMail, () => {
        begun.give();
        return release.promise;
      }),
    ]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    await begun.promise;
    await fixture.redis.kill();
    release.give();
    await fixture.redis.restart();
    expect(await (await fixture.finished('emails', id)).getState()).toBe('completed');
  });

  it('does not hammer a Redis that refuses, and goes on when it takes commands again', async () => {
    const { redis, seen } = { redis: await full(), seen: new Signal<string>() };
    await fixture.jobs.enqueue(SendMail, { to: 'full' });
    await redis.memory('1');
    const told = new Heard('loop-failed');
    const worker = await fixture.worker([handler(SendMail, ({ to }) => seen.give(to))]);
    await told.first;
    // A worker that tries again at once fails about as often as Redis answers this.
    for (let ping = 0; ping < 100; ping += 1) await redis.ping();
    expect(told.events.length).toBeLessThan(20);
    expect(worker.problem()).toMatch(/fails: OOM/);
    told.stop();
    await redis.memory('0');
    expect(await seen.promise).toBe('full');
    await isWell(worker);
  });

  it('goes on after Redis was emptied', async () => {
    const seen = new Signal<string>();
    await fixture.worker([handler(SendMail, ({ to }) => seen.give(to))]);
    const client = await fixture.queue('emails').getBackend().client;
    await (client as unknown as { flushall(): Promise<unknown> }).flushall();
    await fixture.jobs.enqueue(SendMail, { to: 'after' });
    expect(await seen.promise).toBe('after');
  });
});

const isWell = (worker: JobWorker) => waitFor(() => worker.problem() === null, { what: 'the worker to be well' });
