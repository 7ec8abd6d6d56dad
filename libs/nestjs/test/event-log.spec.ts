import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type LoggerService } from '@nestjs/common';
import { emit } from '@millrace/core';
import { JobHandler, JobQueue, MillraceModule, Publisher, Subscribe, SubscribeBroadcast } from '@millrace/nestjs';
import { atOnce, Bench, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

/** Keeps what Millrace logs. */
class Kept extends Journal implements LoggerService {
  log(): void {
    // Nest's own lines are of no interest here.
  }

  warn(message: string, context: string): void {
    if (context === 'Millrace') this.add(`warn ${message}`);
  }

  error(message: string, ...rest: string[]): void {
    this.add(`error ${message} ${rest.at(-1) === 'Millrace' ? '' : rest.join(' ')}`.trim());
  }
}

describe('the log', () => {
  it('has one line for each failed attempt of messages and jobs, and none for what goes well', async () => {
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'inventory', retry: { ...atOnce, attempts: 2 } })
      fails(): void {
        throw new TypeError('no stock\nforged line');
      }

      @Subscribe(OrderPlaced, { group: 'fine' })
      works(): void {
        // All is well.
      }

      @JobHandler(SendConfirmation)
      sends(): void {
        throw new Error('no mail');
      }
    }
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const kept = new Kept();
    const app = await bench.app({ imports, providers: [Handlers] });
    app.useLogger(kept);
    const { id } = await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await kept.has(2);
    const job = await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    const lines = await kept.has(5);
    const place = 'shop.orders.placed -> inventory (partition 0)';
    expect(lines[0]).toMatch(/^warn /);
    expect(lines[0]).toContain(`${place}: attempt 1 of message ${id} failed, retried in 1 ms: TypeError: no stock forged line`);
    expect(lines[1]).toBe(`error ${place}: attempt 2 of message ${id} failed, dead-lettered: TypeError: no stock forged line`);
    expect(lines[2]).toBe(`warn queue emails: attempt 1 of job ${job.id} failed, retried in 1 ms: Error: no mail`);
    expect(lines[4]).toBe(`error queue emails: attempt 3 of job ${job.id} failed, given up: Error: no mail`);
    expect(lines).toHaveLength(5);
  });

  it('claims no dead letter where a broadcast gave up: there is none', async () => {
    @Injectable()
    class Cache {
      @SubscribeBroadcast(OrderPlaced, { retry: { ...atOnce, attempts: 2 } })
      forget(): void {
        throw new TypeError('no cache');
      }
    }
    const kept = new Kept();
    const app = await bench.app({ providers: [Cache] });
    app.useLogger(kept);
    const { id } = await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    const place = 'shop.orders.placed -> ~broadcast (partition 0)';
    expect(await kept.has(2)).toEqual([
      `warn ${place}: attempt 1 of message ${id} failed, retried in 1 ms: TypeError: no cache`,
      `error ${place}: attempt 2 of message ${id} failed, given up: TypeError: no cache`,
    ]);
  });

  it('tells of reclaims, losses, loops and connections, each once, and escapes what could forge or colour a line', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const place = { topic: 't', group: 'g', partition: 1 };
    const error = { name: 'Error', message: 'bad \u001b[31m' };
    emit('reclaimed', { ...place, count: 2 });
    emit('fenced', { ...place, messageId: 'm' });
    emit('lost', { ...place, count: 3, why: 'trimmed' });
    emit('recreated', { ...place, why: 'flushed' });
    for (let failures = 1; failures <= 5; failures += 1) emit('loop-failed', { topic: 't', group: 'g', loop: 'fetch', error, failures });
    for (const state of ['ready', 'lost', 'failed', 'failed', 'ready', 'ready'] as const) emit('connection', { name: 'long', state });
    for (const state of ['lost', 'ready', 'lost'] as const) emit('connection', { name: 'short', state });
    expect(kept.entries).toEqual([
      'warn t -> g (partition 1): took over 2 of a process that vanished or was silent for too long',
      'warn t -> g (partition 1): m was settled too late and belongs to another process by now',
      'error t -> g (partition 1): 3 stored messages are gone before they were handled: trimmed',
      'warn t -> g (partition 1): made again: flushed',
      ...[1, 2, 4].map((times) => `error t -> g: the fetch loop failed (${times} times in a row) and goes on: Error: bad \\u001b[31m`),
      'warn connection long finds no Redis; trying again',
      'warn connection long to Redis is back',
      'warn connection short to Redis is back',
    ]);
  });

  it('tells of a Redis that is away by its connections, and not by each loop that misses it', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const error = { name: 'RedisFailure', message: 'no connection', code: 'REDIS_UNREACHABLE' };
    const loop = (name: string, code = error.code): void => emit('loop-failed', { loop: name, error: { ...error, code }, failures: 1 });
    loop('before');
    emit('connection', { name: 'short', state: 'lost' });
    emit('connection', { name: 'short', state: 'failed' });
    loop('meanwhile');
    loop('other', 'STATE_LOST');
    emit('connection', { name: 'short', state: 'ready' });
    loop('after');
    expect(kept.entries.map((line) => /the (\w+) loop|(connection short .*)/.exec(line)?.slice(1).join(''))).toEqual([
      'before', 'connection short finds no Redis; trying again', 'other', 'connection short to Redis is back', 'after',
    ]);
  });

  it('is written once in a process with two applications, and no more when both are closed', async () => {
    const kept = new Kept();
    const apps = [await bench.app({}), await bench.app({})];
    apps[1]!.useLogger(kept);
    emit('reclaimed', { count: 1 });
    await apps[0]!.close();
    emit('reclaimed', { count: 2 });
    await apps[1]!.close();
    emit('reclaimed', { count: 3 });
    expect(kept.entries).toEqual([1, 2].map((count) => `warn this process: took over ${count} of a process that vanished or was silent for too long`));
  });
});
