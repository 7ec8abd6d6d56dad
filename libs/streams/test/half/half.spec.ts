import { describe, expect, it } from '@jest/globals';
import { Topic, topicOf, type HalfMessage } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { halfIndexKey, partitionKeys } from '../../src/keys.js';
import { Bed } from '../bed.js';
import { type Process, subscribe } from '../fixture.js';
import { Numbered, Single } from '../topics.js';

@Topic<Small>('test.small', { retention: { maxMessages: 3 } })
class Small {
  @IsInt() value!: number;
}

@Topic<Brief>('test.brief', { ttl: '1h' })
class Brief {
  @IsInt() value!: number;
}

const bed = new Bed('half');

function keysOf(topic = 'test.single'): ReturnType<typeof partitionKeys> {
  return partitionKeys(bed.prefix, topic, 0);
}

async function lengthOf(log: string): Promise<number> {
  return Number(await bed.command('XLEN', log));
}

async function half(process: Process, value = 1): Promise<HalfMessage> {
  return process.publisher.publishHalf(Single, { value });
}

describe('a half message', () => {
  it('is seen by no group before it is committed, and once after that', async () => {
    const process = await bed.start();
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'all' }, async ({ value }: Single) => handled.push(value));
    const message = await half(process, 1);
    await process.publisher.publish(Single, { value: 2 });
    await waitFor(() => handled.length === 1, { what: 'the other message to be handled' });
    expect(handled).toEqual([2]);
    expect(await message.commit()).toEqual({ id: message.id, partition: 0, offset: 1, duplicate: false });
    await waitFor(() => handled.length === 2, { what: 'the message to be handled' });
    expect(handled).toEqual([2, 1]);
    expect(await process.streams.halves.state(Single)).toMatchObject({ stored: 0, givenUp: 0, oldestSeconds: 0 });
  });

  it('is published once, however often it is committed', async () => {
    const process = await bed.start();
    const message = await half(process);
    const [first, second] = [await message.commit(), await message.commit()];
    expect(second).toEqual(first);
    expect(await lengthOf(keysOf().log)).toBe(1);
  });

  it('is published never, once it is rolled back', async () => {
    const process = await bed.start();
    const message = await half(process);
    await message.rollback();
    await message.rollback();
    await expect(message.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', ended: 'rolled-back' });
    expect(await lengthOf(keysOf().log)).toBe(0);
    expect(await process.streams.halves.state(Single)).toMatchObject({ stored: 0 });
  });

  it('is not rolled back any more, once it is committed', async () => {
    const process = await bed.start();
    const message = await half(process);
    await message.commit();
    await expect(message.rollback()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', ended: 'committed' });
  });

  it('whose end is not remembered is known to have ended', async () => {
    const process = await bed.start();
    const message = await half(process);
    await message.commit();
    await bed.command('DEL', ...keysOf().halfEnds);
    await expect(message.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', ended: 'unknown' });
    expect(await lengthOf(keysOf().log)).toBe(1);
  });

  it('is stored once, however often it is sent', async () => {
    const process = await bed.start();
    const message = { id: '0190a5c0-0000-7000-8000-000000000001', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
    const outgoing = { message: { ...message, payloadJson: '{"value":1}' }, ttlMs: null, checkAfterMs: 30_000, checks: 15 };
    const topic = topicOf(Single);
    const first = await process.streams.storeHalf(topic, outgoing);
    await process.streams.storeHalf(topic, outgoing);
    expect(await process.streams.halves.state(Single)).toMatchObject({ stored: 1 });
    await first.commit();
    await expect(process.streams.storeHalf(topic, outgoing)).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', ended: 'committed' });
  });

  it('counts among the half messages of its topic, with the age of the oldest', async () => {
    const process = await bed.start();
    for (let value = 0; value < 5; value += 1) await process.publisher.publishHalf(Numbered, { value });
    const { stored, oldestSeconds, checkedAt } = await process.streams.halves.state(Numbered);
    expect([stored, checkedAt]).toEqual([5, null]);
    expect(oldestSeconds).toBeLessThan(60);
  });

  it('is indexed before it is stored, with a look no later than it is due', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Single, { value: 1 }, { checkAfter: '20s' });
    const due = Number(await bed.command('ZSCORE', keysOf().halvesDue, message.id));
    const look = String(await bed.command('HGET', halfIndexKey(bed.prefix, 'test.single'), '0'));
    expect(Number(look.split(' ')[0])).toBeLessThanOrEqual(due);
  });

  it.each([
    ['checkAfter', { checkAfter: '10ms' }],
    ['checks', { checks: 0 }],
    ['an unknown option', { chekAfter: '1s' }],
    ['a bad idempotency key', { idempotencyKey: '' }],
  ])('is refused for %s', async (_, options) => {
    const process = await bed.start();
    await expect(process.publisher.publishHalf(Single, { value: 1 }, options as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('whose payload is not valid is not stored', async () => {
    const process = await bed.start();
    await expect(process.publisher.publishHalf(Single, { value: 'a' } as never)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
  });
});

describe('the commit of a half message', () => {
  it('uses the idempotency key: a second message with it is a duplicate', async () => {
    const process = await bed.start();
    const [first, second] = [
      await process.publisher.publishHalf(Numbered, { value: 7 }, { idempotencyKey: 'k' }),
      await process.publisher.publishHalf(Numbered, { value: 7 }, { idempotencyKey: 'k' }),
    ];
    const committed = await second.commit();
    expect(await first.commit()).toEqual({ ...committed, id: second.id, duplicate: true });
    expect(await first.commit()).toEqual({ ...committed, id: second.id, duplicate: true });
    expect(await process.publisher.publish(Numbered, { value: 7 }, { idempotencyKey: 'k' })).toEqual({ ...committed, duplicate: true });
  });

  it('is refused, and the half message gone, when its idempotency key was used for something else', async () => {
    const process = await bed.start();
    for (const [idempotencyKey, value] of [['k', 1], ['other', 2]] as const) {
      const message = await process.publisher.publishHalf(Numbered, { value }, { idempotencyKey });
      await process.publisher.publish(Numbered, { value: value + 10 }, { idempotencyKey });
      await expect(message.commit()).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
      await expect(message.commit()).rejects.toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' });
    }
    expect(await process.streams.halves.state(Numbered)).toMatchObject({ stored: 0 });
  });

  it('begins the delay', async () => {
    const process = await bed.start();
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'all' }, async ({ value }: Single) => handled.push(value));
    const message = await process.publisher.publishHalf(Single, { value: 1 }, { delay: '300ms' });
    expect(await message.commit()).toEqual({ id: message.id, partition: 0, offset: null, duplicate: false });
    expect(await message.commit()).toMatchObject({ offset: null, duplicate: false });
    await waitFor(() => handled.length > 0, { what: 'the message to be handled' });
    expect(Number(await bed.command('HGET', keysOf().meta, 'next'))).toBe(1);
  });

  it('begins the time for which the message is of use', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Brief, { value: 1 });
    const { halves, log } = keysOf('test.brief');
    const record = String(await bed.command('HGET', halves, message.id));
    await bed.command('HSET', halves, message.id, record.replace(/"x":\d+/, '"x":1'));
    const before = Date.now();
    await message.commit();
    const [[, [, text]]] = (await bed.command('XRANGE', log, '-', '+')) as [[string, [string, string]]];
    const { x } = (JSON.parse(text) as { x: number }[][])[0]![6]!;
    expect(x).toBeGreaterThanOrEqual(before + 3_600_000);
  });

  it('is not refused by a topic that has become full: the half message had room', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Small, group: 'all', concurrency: 1 }, () => new Promise(() => undefined));
    const message = await process.publisher.publishHalf(Small, { value: 0 });
    for (let value = 1; value <= 3; value += 1) await process.publisher.publish(Small, { value });
    await expect(process.publisher.publish(Small, { value: 4 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    await expect(process.publisher.publishHalf(Small, { value: 4 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    expect(await message.commit()).toMatchObject({ offset: 3 });
  });

  it('needs no room of its own: half messages count when others are stored', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Small, group: 'all', concurrency: 1 }, () => new Promise(() => undefined));
    const halves = [];
    for (let value = 0; value < 3; value += 1) halves.push(await process.publisher.publishHalf(Small, { value }));
    await expect(process.publisher.publishHalf(Small, { value: 3 })).rejects.toMatchObject({ code: 'BACK_PRESSURE', retryable: true });
    await halves[0]!.rollback();
    await process.publisher.publishHalf(Small, { value: 3 });
  });

  it('makes a partition again that Redis has lost, where the half message is left', async () => {
    const process = await bed.start();
    const message = await half(process);
    await bed.command('DEL', keysOf().log, keysOf().meta);
    expect(await message.commit()).toMatchObject({ offset: 0 });
  });
});
