import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { TopicLog } from '../src/log/topic-log.js';
import { settleKeysOf } from '../src/consume/settle-call.js';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const begin = loadScript('../src/scripts/begin.lua', import.meta.url);
const bed = new Bed('guards');

describe('a group that was lost while a member held an entry, and then made again', () => {
  /** The group begins anew: the entry that a held before is now held by b. */
  async function heldByAnother(): Promise<{ process: Process; entry: string }> {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 1 });
    const place = bed.place(Single, 'g');
    await new TopicLog(process.redis, bed.prefix).recover(place, 'g');
    const reply = await bed.command('XREADGROUP', 'GROUP', 'g', 'b', 'STREAMS', place.keys.log, '>');
    const [[, [[entry]]]] = reply as [[string, [[string]]]];
    return { process, entry };
  }

  it('gives the entry again, from the earliest on', async () => {
    const { entry } = await heldByAnother();
    expect((await bed.pending(Single, 'g')).map(([id, owner, , count]) => [id, owner, count])).toEqual([[entry, 'b', 1]]);
  });

  it('does not let the former holder settle the entry', async () => {
    const { process, entry } = await heldByAnother();
    const place = bed.place(Single, 'g');
    const all = [...settleKeysOf(place.streams[0]), settledKey(bed.prefix, place, 0)];
    const head = ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, '0', '0', 1_000];
    expect(await process.redis.control.run(settle, all, [...head, 1, entry])).toBe('F');
    expect(await process.redis.control.run(settle, all, [...head, 0, entry, 0, 1, 0, 1, 'ack', 'handled', '', ''])).toBe('F');
    expect(await bed.pending(Single, 'g')).toHaveLength(1);
  });

  it('does not let the former holder begin the entry', async () => {
    const { process, entry } = await heldByAnother();
    const { keys, groupKeys } = bed.place(Single, 'g');
    const beginAs = (member: string): Promise<unknown> => process.redis.control.run(begin, [keys.log, groupKeys.begun], ['g', member, entry]);
    expect([await beginAs('a'), await beginAs('b')]).toEqual([0, 1]);
  });
});

describe('stopping while messages wait for a slot', () => {
  it('begins none of them, and puts them back with the attempt that they were at', async () => {
    const [publisher, stopping] = [await bed.start({ messagesPerEntry: 4 }), await bed.start({ leaseMs: 60_000 })];
    const [began, finish] = [signal(), signal()];
    let started = 0;
    const subscription = await subscribe(stopping, { topic: Single, group: 'g', concurrency: 1 }, async () => {
      started += 1;
      began.fire();
      await finish.promise;
    });
    await publisher.publisher.publishMany(Single, numbers(4));
    await began.promise;
    const stopped = subscription.stop(10_000);
    finish.fire();
    await stopped;
    expect(started).toBe(1);
    expect(await publisher.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 1, lag: 3, pending: 0, retrying: 0 });
    const attempts: number[] = [];
    await subscribe(publisher, { topic: Single, group: 'g' }, async (_: Single, ctx: DeliveryContext) => void attempts.push(ctx.attempt));
    await bed.drained(publisher, Single, 'g');
    expect(attempts).toEqual([1, 1, 1]);
  });
});

describe('stopping while a read is under way', () => {
  it('begins none of the messages that it still brings, and puts them back', async () => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
    const publisher = await bed.start();
    const seen: number[] = [];
    const subscription = await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void seen.push(value));
    // A member without messages does not wait inside Redis.
    await publisher.publisher.publishMany(Single, numbers(20));
    await bed.drained(publisher, Single, 'g');
    await waitFor(async () => /flags=b .*cmd=xreadgroup/.test(String(await bed.command('CLIENT', 'LIST'))), { what: 'a read to wait' });
    proxy.blackHole(['replies']);
    await publisher.publisher.publish(Single, { value: 20 });
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 1, { what: 'the read to have taken it' });
    const stopped = subscription.stop(10_000);
    await proxy.pass();
    await stopped;
    expect(seen).toHaveLength(20);
    expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 20, lag: 1, pending: 0, fenced: 0 });
  });
});

describe('a settlement whose reply was lost', () => {
  it('is not refused when it is sent again', async () => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
    const publisher = await bed.start();
    const subscription = await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => {
      if (value === 1) void proxy.dropReplies();
    });
    // The first settlement loads the script: a lost NOSCRIPT reply is another case.
    await publisher.publisher.publish(Single, { value: 0 });
    await bed.drained(publisher, Single, 'g');
    await publisher.publisher.publish(Single, { value: 1 });
    await bed.drained(publisher, Single, 'g');
    await proxy.pass();
    // Resolves when the member has its answer.
    await subscription.stop(10_000);
    expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 2, fenced: 0, pending: 0 });
  });
});
