import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { emit, listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { JobHandler, JobQueue, MillraceModule, Publisher, Subscribe, SubscribeBroadcast } from '@millrace/nestjs';
import { atOnce, Bench, OrderPlaced, SendConfirmation } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

describe('the log', () => {
  it('has a line for a failed attempt of messages and jobs, with its stack the first time, and none for what goes well', async () => {
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
    expect(lines[0]).toContain(`${place}: attempt 1 of message ${id} failed, retried in 1 ms: TypeError: no stock forged line\n    at `);
    expect(lines[0]).toMatch(/^ {4}at .*Handlers\.fails \(.*event-log\.spec\.ts:\d+:\d+\)$/m);
    expect(lines[1]).toBe(`error ${place}: attempt 2 of message ${id} failed, dead-lettered: TypeError: no stock forged line`);
    expect(lines[2]).toContain(`warn queue emails: attempt 1 of job ${job.id} failed, retried in 1 ms: Error: no mail\n    at `);
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
    const [first, last] = await kept.has(2);
    expect(first).toContain(`warn ${place}: attempt 1 of message ${id} failed, retried in 1 ms: TypeError: no cache\n    at `);
    expect(last).toBe(`error ${place}: attempt 2 of message ${id} failed, given up: TypeError: no cache`);
  });

  it('tells of reclaims, losses, loops and connections, each once, and escapes what could forge or colour a line', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const place = { topic: 't', group: 'g', partition: 1 };
    const error = { name: 'Error', message: 'bad \u001b[31m' };
    emit('reclaimed', { ...place, count: 2 });
    emit('fenced', { ...place, messageId: 'm' });
    emit('owner-fenced', { ...place, messageId: 'm', epoch: 7, knownEpoch: 9 });
    emit('lost', { ...place, count: 3, why: 'trimmed' });
    emit('lost', { ...place, count: 1, why: 'trimmed' });
    emit('publishes-lost', { topic: 't', partition: 1, batches: 2, why: 'failover' });
    emit('recreated', { ...place, why: 'flushed' });
    emit('start-waits', { topic: 't', group: 'g', members: ['m1', 'm2'], forMs: 22_500, why: 'another order' });
    for (let failures = 1; failures <= 5; failures += 1) emit('loop-failed', { topic: 't', group: 'g', loop: 'fetch', error, failures });
    for (const state of ['ready', 'lost', 'failed', 'failed', 'ready', 'ready'] as const) emit('connection', { name: 'long', state });
    for (const state of ['lost', 'ready', 'lost'] as const) emit('connection', { name: 'short', state });
    emit('connection', { name: 'database', state: 'lost', error });
    expect(kept.entries).toEqual([
      'warn t -> g (partition 1): took over 2 of a process that vanished or was silent for too long',
      'warn t -> g (partition 1): m was settled too late and belongs to another process by now',
      'warn t -> g (partition 1): the database refused message m to this process, which owned the partition under epoch 7: ' +
        'it knows another owner under epoch 9, so the next one goes above that',
      'error t -> g (partition 1): 3 stored messages are gone before they were handled: trimmed',
      'error t -> g (partition 1): 1 stored message is gone before it was handled: trimmed',
      'error t (partition 1): Redis lost 2 confirmed batches of this process: failover',
      'warn t -> g (partition 1): made again: flushed',
      'warn t -> g: the start waits, for 22.5 s at the most, until it is known whether these members live: m1, m2. another order',
      ...['', ' (2 times in a row)', ' (4 times in a row)'].map(
        (often) => `error t -> g: the fetch loop failed${often} and goes on: Error: bad \\u001b[31m`,
      ),
      'warn there is no connection long to Redis; trying again',
      'warn Redis is back after 0.0 s',
      'warn connection short to Redis was lost and is back',
      'warn a connection to the database was lost; another one is made when it is needed: Error: bad \\u001b[31m',
    ]);
  });

  it('has a line for the partitions of a group that come and go together', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const place = { topic: 't', group: 'g' };
    for (const partition of [0, 2]) emit('ownership', { ...place, partition, epoch: partition + 1, change: 'assigned' });
    emit('ownership', { ...place, partition: 1, epoch: 7, change: 'given-up' });
    emit('ownership', { ...place, group: 'h', partition: 1, epoch: 8, change: 'lost' });
    expect(await kept.has(3)).toEqual([
      'log t -> g: partitions 0, 2 (epochs 1, 3) belong to this process from now on',
      'log t -> g: partition 1 (epoch 7) belongs no more to this process, which has finished there',
      'warn t -> h: partition 1 (epoch 8) belongs no more to this process, which had not given it up: it was silent for too long, ' +
        'an operator moved the group, or its time is up',
    ]);
    emit('ownership', { ...place, partition: 0, epoch: 1, change: 'given-up' });
    await app.close();
    expect(kept.entries.at(-1)).toBe('log t -> g: partition 0 (epoch 1) belongs no more to this process, which has finished there');
  });

  it('tells once that Redis is away and once that it is back, whatever the number of connections and loops that miss it', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const error = { name: 'RedisFailure', message: 'no connection', code: 'REDIS_UNREACHABLE' };
    const loop = (name: string, code = error.code): void => emit('loop-failed', { loop: name, error: { ...error, code }, failures: 1 });
    const all = (state: 'ready' | 'lost' | 'failed'): void => ['a', 'b', 'c'].forEach((name) => emit('connection', { name, state }));
    loop('before');
    all('ready');
    all('lost');
    all('failed');
    loop('meanwhile');
    loop('other', 'STATE_LOST');
    emit('connection', { name: 'b', state: 'ready' });
    emit('connection', { name: 'c', state: 'failed' });
    loop('late');
    all('ready');
    loop('after');
    all('lost');
    all('failed');
    all('ready');
    expect(kept.entries.map((line) => /the (\w+) loop|(no connection|is back)/.exec(line)?.slice(1).join(''))).toEqual([
      'before', 'no connection', 'other', 'is back', 'after', 'no connection', 'is back',
    ]);
  });

  it('tells of each node of a Cluster by itself, and hides no loop once nobody misses a node', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const error = { name: 'RedisFailure', message: 'no connection', code: 'REDIS_UNREACHABLE' };
    const loop = (name: string): void => emit('loop-failed', { loop: name, error, failures: 1 });
    const at = (node: string, state: 'ready' | 'lost' | 'failed' | 'closed'): void =>
      ['control', 'publish'].forEach((purpose) => emit('connection', { name: `${purpose}@${node}`, node, state }));
    ['a:1', 'b:1'].forEach((node) => at(node, 'lost'));
    ['a:1', 'b:1'].forEach((node) => at(node, 'failed'));
    emit('slots-gone', { node: 'a:1' });
    at('a:1', 'failed');
    at('b:1', 'ready');
    loop('meanwhile');
    at('a:1', 'closed');
    loop('after');
    at('b:1', 'failed');
    at('b:1', 'closed');
    emit('slots-gone', { node: 'b:1' });
    expect(kept.entries).toEqual([
      'warn there is no connection control@a:1 to Redis; trying again',
      'warn there is no connection control@b:1 to Redis; trying again',
      'warn the Redis node a:1 has no slots any more: other nodes serve them, after 0.0 s',
      'warn the Redis node b:1 is back after 0.0 s',
      'error this process: the after loop failed and goes on: RedisFailure: no connection',
      'warn there is no connection control@b:1 to Redis; trying again',
      'warn the connections that missed the Redis node b:1 are closed, after 0.0 s',
    ]);
  });

  it('sums up what repeats: the same failure 900 times is a few lines, with the stack once', async () => {
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'inventory', retry: { ...atOnce, attempts: 3 }, concurrency: 50, breaker: false })
      fails({ orderId }: OrderPlaced): void {
        throw new Error(`order ${orderId} is for nothing`);
      }

      @Subscribe(OrderPlaced, { group: 'other', retry: { ...atOnce, attempts: 1 } })
      failsOnce({ orderId }: OrderPlaced): void {
        if (orderId === 'o7') throw new Error('only this one');
      }
    }
    const kept = new Kept();
    const app = await bench.start(bench.builder({ providers: [Handlers] }), kept);
    const seen = { failed: 0 };
    const stop = listen('attempt-failed', () => (seen.failed += 1));
    const items = Array.from({ length: 300 }, (_, index) => ({ payload: { orderId: `o${index}`, amount: 1 } }));
    await app.get(Publisher).publishMany(OrderPlaced, items);
    await waitFor(() => seen.failed === 901, { what: 'every attempt to fail' });
    stop();
    await app.close();
    const lines = kept.entries.filter((line) => line.includes('is for nothing'));
    const retried = lines.filter((line) => line.startsWith('warn '));
    const givenUp = lines.filter((line) => line.startsWith('error '));
    expect([retried.length, givenUp.length]).toEqual([6, 6]);
    expect(lines.filter((line) => line.includes('Handlers.fails '))).toHaveLength(1);
    expect(retried[5]).toMatch(
      /^warn shop\.orders\.placed -> inventory: an attempt failed and is retried, 595 more times in the same way, the last time with [\w-]{36}: Error: order o\d+ is for nothing$/,
    );
    expect(givenUp[5]).toContain('an attempt failed and was the last, 295 more times in the same way');
    expect(kept.entries.filter((line) => line.includes('only this one'))).toHaveLength(1);
  });

  it('tells of one more failure in the singular', async () => {
    const kept = new Kept();
    const app = await bench.start(bench.builder({}), kept);
    for (let sent = 1; sent <= 6; sent += 1) emit('fenced', { topic: 't', group: 'g', partition: 1, messageId: `m${sent}` });
    await app.close();
    expect(kept.entries.filter((line) => line.includes('more'))).toEqual([
      'warn t -> g: a message was settled too late, 1 more time in the same way, the last time with m6',
    ]);
  });

  it('escapes control and direction characters of what handlers throw, in the stack as well, and hides credentials', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const message = 'red \u001b[31m, \u202eturned\u202c, zero\u200bwidth, \u0007 and redis://user:p@ss@host/1';
    const error = { name: 'Err\u2066or', message, stack: `Error: ${message}\n    at f\u202e (a.ts:1:1)\r\nERROR forged` };
    emit('attempt-failed', { topic: 't', group: 'g', partition: 0, messageId: 'm', attempt: 1, error, outcome: 'dead-letter' });
    expect(kept.entries).toEqual([
      'error t -> g (partition 0): attempt 1 of message m failed, dead-lettered: Err\\u2066or: red \\u001b[31m, \\u202eturned\\u202c, ' +
        'zero\\u200bwidth, \\u0007 and redis://***@host/1\n    at f\\u202e (a.ts:1:1)',
    ]);
  });

  it('says that a key or a partition waits for an operator, and not that there is a dead letter', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const failed = { topic: 't', group: 'g', partition: 0, messageId: 'm', attempt: 3, error: { name: 'Error', message: 'no' } } as const;
    emit('attempt-failed', { ...failed, outcome: 'parked' });
    emit('attempt-failed', { ...failed, outcome: 'stopped' });
    expect(kept.entries).toEqual([
      'error t -> g (partition 0): attempt 3 of message m failed, its key waits for an operator: Error: no',
      'error t -> g (partition 0): attempt 3 of message m failed, its partition waits for an operator: Error: no',
    ]);
  });

  it('has calls whose methods failed, and those above all that nobody waits for', async () => {
    const kept = new Kept();
    const app = await bench.app({});
    app.useLogger(kept);
    const failed = { service: 'prices', version: '2', method: 'quote', caller: 'web.1', requestId: 'r' } as const;
    const error = { name: 'Error', message: 'no' };
    emit('call-failed', { ...failed, error, isOneWay: false, isReported: true });
    emit('call-failed', { ...failed, error, isOneWay: false, isReported: false });
    emit('call-failed', { ...failed, error, isOneWay: true, isReported: false });
    expect(kept.entries).toEqual([
      'warn service prices 2: method quote failed for web.1, and the caller is told: Error: no',
      'error service prices 2: method quote failed for web.1, and nobody waits for it: Error: no',
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
