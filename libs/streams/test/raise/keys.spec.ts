import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { partitionKeys, topicsKey } from '../../src/keys.js';
import { Bed } from '../bed.js';
import { type Process, signal } from '../fixture.js';
import { Grown, grownTo, Tape, upTo } from './grown.js';

const THINGS = 24;

const bed = new Bed('raise-keys');
const raise = ({ streams }: Process, from: number, to: number): Promise<unknown> =>
  streams.topics.raisePartitions(Grown, { from, to });

describe('an idempotency key that was used before a raise', () => {
  it('is known after it, to publishers that run and to new ones', async () => {
    const [older, newer] = [await bed.start(), await bed.start()];
    const publish = ({ publisher }: Process, thing: number, topic = Grown): ReturnType<Process['publisher']['publish']> =>
      publisher.publish(topic, { thing, step: 0 }, { idempotencyKey: `key-${thing}` });
    const before = await Promise.all(upTo(THINGS).map((thing) => publish(older, thing)));
    await raise(older, 2, 5);
    const after = await Promise.all(upTo(THINGS).map((thing) => publish(older, thing)));
    const later = await Promise.all(upTo(THINGS).map((thing) => publish(newer, thing, grownTo(5))));
    expect(after).toEqual(before.map((result) => ({ ...result, duplicate: true })));
    expect(later).toEqual(after);
    const next = await Promise.all(upTo(5).map((partition) => bed.command('HGET', partitionKeys(bed.prefix, 'test.grown', partition).meta, 'next')));
    expect(next.reduce<number>((sum, count) => sum + Number(count), 0)).toBe(THINGS);
  });

  it('is refused for another payload, and for another key', async () => {
    const process = await bed.start();
    const publish = (thing: number, step: number, idempotencyKey: string): Promise<unknown> =>
      process.publisher.publish(Grown, { thing, step }, { idempotencyKey });
    for (const thing of upTo(8)) await publish(thing, 0, `key-${thing}`);
    await raise(process, 2, 5);
    for (const thing of upTo(8)) {
      await expect(publish(thing, 1, `key-${thing}`)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
      await expect(publish(thing + 100, 0, `key-${thing}`)).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    }
  });

  it('that was claimed, and whose message was not stored, may be published after it', async () => {
    const process = await bed.start({ publishDeadlineMs: 1_000 });
    await process.streams.declare(topicOf(Grown));
    const run = process.redis.publish.run.bind(process.redis.publish);
    process.redis.publish.run = (script, ...args) => (script.name === 'publish.lua' ? Promise.reject(new Error('ERR gone')) : run(script, ...args));
    const publish = (thing: number): ReturnType<Process['publisher']['publish']> =>
      process.publisher.publish(Grown, { thing, step: 0 }, { idempotencyKey: `key-${thing}` });
    await Promise.allSettled(upTo(THINGS).map(publish));
    process.redis.publish.run = run;
    await raise(process, 2, 5);
    const results = await Promise.all(upTo(THINGS).map(publish));
    expect(results.filter(({ duplicate }) => duplicate)).toEqual([]);
  });

  it('is looked up no longer than keys are remembered', async () => {
    const [process, later] = [await bed.start(), await bed.start()];
    await process.streams.declare(topicOf(Grown));
    await raise(process, 2, 5);
    const twoDays = 2 * 86_400_000;
    const long = Date.now() - twoDays - 60_000;
    await bed.command('HSET', topicsKey(bed.prefix), 'test.grown', `5 2@${long}`);
    const run = later.redis.publish.run.bind(later.redis.publish);
    const names = new Set<string>();
    later.redis.publish.run = (script, ...args) => {
      names.add(script.name);
      return run(script, ...args);
    };
    await later.streams.declare(topicOf(Grown));
    await later.publisher.publish(Grown, { thing: 1, step: 0 }, { idempotencyKey: 'key' });
    expect([...names].sort()).toContain('publish.lua');
    expect(names.has('recall.lua')).toBe(false);
  });
});

describe('delayed messages and broadcasts', () => {
  it('reach the process that ran before the raise, from all partitions', async () => {
    const [process, operator] = [await bed.start(), await bed.start()];
    const tape = new Tape();
    const first = signal();
    await process.streams.broadcast({ topic: topicOf(Grown), concurrency: 4 }, async ({ message }) => {
      tape.add(message.payload as Grown);
      first.fire();
      return { kind: 'ack' };
    });
    await operator.publisher.publish(Grown, { thing: 0, step: 0 });
    await first.promise;
    await raise(operator, 2, 5);
    for (const thing of upTo(THINGS)) await operator.publisher.publish(Grown, { thing, step: 1 }, { delay: '5ms' });
    await waitFor(() => upTo(THINGS).every((thing) => tape.firstsOf(thing).includes(1)), { what: 'all messages', timeoutMs: 20_000 });
    expect(tape.count).toBe(THINGS + 1);
  }, 30_000);
});
