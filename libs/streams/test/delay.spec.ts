import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, IdempotencyMismatchError } from '@millrace/core';
import { setTimeout as wait } from 'node:timers/promises';
import { waitFor } from '@millrace/testing';
import { partitionKeys } from '../src/keys.js';
import { Bed } from './bed.js';
import { subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const HOUR_MS = 3_600_000;
const bed = new Bed('delay');
const keys = (): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.single', 0);
const inAnHour = { delay: '1h' } as const;

async function redisTimeMs(): Promise<number> {
  const [seconds, micros] = (await bed.command('TIME')) as [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** Makes all delayed messages due. */
async function makeDue(): Promise<void> {
  const members = (await bed.command('ZRANGE', keys().delayed, 0, -1)) as string[];
  await bed.command('ZADD', keys().delayed, 'XX', ...members.flatMap((member) => [1, member]));
}

async function stored(): Promise<number[]> {
  const entries = (await bed.command('XRANGE', keys().log, '-', '+')) as [string, string[]][];
  return entries.map(([, fields]) => {
    const [[, , , , , payload]] = JSON.parse(fields[1]!) as [[number, string, null, null, null, { value: number }]];
    return payload.value;
  });
}

describe('a delayed message', () => {
  it('is given to no group and counts in no lag before it is due; then it has the next offset', async () => {
    const process = await bed.start();
    const seen: [number, number][] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: { value: number }, { offset }: DeliveryContext) => void seen.push([value, offset]));
    expect(await process.publisher.publish(Single, { value: 1 }, inAnHour)).toMatchObject({ offset: null, duplicate: false });
    expect(await process.publisher.publish(Single, { value: 2 })).toMatchObject({ offset: 0 });
    await bed.drained(process, Single, 'g');
    expect(seen).toEqual([[2, 0]]);
    await makeDue();
    await waitFor(() => seen.length === 2, { what: 'the delayed message to be handled' });
    expect(seen[1]).toEqual([1, 1]);
    expect(await process.publisher.publish(Single, { value: 3 })).toMatchObject({ offset: 2 });
    expect(await bed.command('EXISTS', keys().delayed)).toBe(0);
  });

  it('is due by the clock of Redis when it has a delay, and at the moment of its deliverAt', async () => {
    const process = await bed.start();
    const before = await redisTimeMs();
    await process.publisher.publish(Single, { value: 1 }, inAnHour);
    const after = await redisTimeMs();
    const deliverAt = new Date(Date.now() + 2 * HOUR_MS);
    await process.publisher.publish(Single, { value: 2 }, { deliverAt });
    const [, first, , second] = (await bed.command('ZRANGE', keys().delayed, 0, -1, 'WITHSCORES')) as string[];
    expect(Number(first)).toBeGreaterThanOrEqual(before + HOUR_MS);
    expect(Number(first)).toBeLessThanOrEqual(after + HOUR_MS);
    expect(Number(second)).toBe(deliverAt.getTime());
  });

  it('is stored at once when its time has passed', async () => {
    const process = await bed.start();
    expect(await process.publisher.publish(Single, { value: 1 }, { deliverAt: new Date(0) })).toMatchObject({ offset: 0 });
    expect(await process.publisher.publish(Single, { value: 2 }, { delay: '0s' })).toMatchObject({ offset: 1 });
  });

  it('moves on by an idle member when the process that published it has ended', async () => {
    const [member, publisher] = [await bed.start({ leaseMs: 60_000 }), await bed.start()];
    let handled = 0;
    await subscribe(member, { topic: Single, group: 'g' }, async () => void (handled += 1));
    // Until it has looked twice: from then on it looks about every 30 seconds.
    await wait(7_000);
    await publisher.publisher.publish(Single, { value: 1 }, { delay: '1s' });
    await publisher.stop();
    await waitFor(() => handled === 1, { what: 'the message to be handled', timeoutMs: 8_000 });
  });

  it('moves on by the process that published it when nobody subscribes', async () => {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 1 }, { delay: '30ms' });
    await waitFor(async () => (await stored()).length === 1, { what: 'the message to be in the log' });
    // The process waits for seconds now, unless it is woken for the new message.
    await process.publisher.publish(Single, { value: 2 }, { delay: '30ms' });
    await waitFor(async () => (await stored()).length === 2, { what: 'the second one to be there too' });
  });

  it('moves on by a subscriber when the process that published it is gone', async () => {
    const [publisher, subscriber] = [await bed.start(), await bed.start()];
    await publisher.publisher.publish(Single, { value: 7 }, inAnHour);
    await publisher.stop();
    const seen: number[] = [];
    await subscribe(subscriber, { topic: Single, group: 'g' }, async ({ value }: { value: number }) => void seen.push(value));
    await makeDue();
    await waitFor(() => seen.length === 1, { what: 'the subscriber to handle it' });
  });

  it('keeps the order of publishes among messages that are due at one moment', async () => {
    const process = await bed.start();
    const deliverAt = new Date(Date.now() + HOUR_MS);
    await process.publisher.publishMany(Single, numbers(250).map((item) => ({ ...item, deliverAt })));
    await makeDue();
    await waitFor(async () => (await stored()).length === 250, { what: 'all to be in the log' });
    expect(await stored()).toEqual(numbers(250).map(({ payload }) => payload.value));
  });

  it('is stored once for many publishes with one key, and another payload is refused', async () => {
    const process = await bed.start();
    const options = { ...inAnHour, idempotencyKey: 'k' };
    const first = await process.publisher.publish(Single, { value: 1 }, options);
    expect(await process.publisher.publish(Single, { value: 1 }, options)).toEqual({ ...first, duplicate: true });
    expect(await process.publisher.publish(Single, { value: 1 }, { idempotencyKey: 'k' })).toEqual({ ...first, duplicate: true });
    await expect(process.publisher.publish(Single, { value: 2 }, options)).rejects.toBeInstanceOf(IdempotencyMismatchError);
    expect(await bed.command('ZCARD', keys().delayed)).toBe(1);
  });

  it('is stored once when the reply is lost and the batch is sent again', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: 0 });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Single, { value: 1 }, inAnHour);
    await dropped;
    await proxy.pass();
    expect(await published).toMatchObject({ offset: null, duplicate: false });
    expect(await bed.command('ZCARD', keys().delayed)).toBe(1);
  });

  it('is not lost when Redis has lost the log: it waits until that is made again', async () => {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 5 }, inAnHour);
    await bed.command('DEL', keys().log, keys().meta);
    await makeDue();
    await waitFor(async () => (await stored()).length === 1, { what: 'the message to be in the log' });
    expect(await stored()).toEqual([5]);
  });
});
