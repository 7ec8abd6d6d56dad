import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, listen, MessageType, newMessageId, prefilterOf, Topic, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from './bed.js';
import { noRetry, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('prefilter');

describe('a message past its time to live', () => {
  it('is acknowledged without its handler, and counted', async () => {
    const process = await bed.start();
    const { id } = await process.publisher.publish(Single, { value: 1 }, { ttl: '1ms' });
    await process.publisher.publish(Single, { value: 2 }, { ttl: '1h' });
    await process.publisher.publish(Single, { value: 3 });
    await waitFor(() => Date.now() > Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16) + 50, { what: 'the first to expire' });
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void handled.push(value));
    await bed.drained(process, Single, 'g');
    expect(handled.sort()).toEqual([2, 3]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 3, expired: 1, deadLettered: 0 });
  });

  it('is checked before each attempt', async () => {
    const process = await bed.start();
    const attempts: number[] = [];
    const retry = { ...noRetry, attempts: 5, backoff: fixed('1ms') };
    await subscribe(process, { topic: Single, group: 'g', retry }, async (_: Single, { attempt, publishedAt }: DeliveryContext) => {
      attempts.push(attempt);
      await waitFor(() => Date.now() > publishedAt.getTime() + 1_600, { what: 'it to expire' });
      throw new Error('too late');
    });
    await process.publisher.publish(Single, { value: 1 }, { ttl: '1500ms' });
    await bed.drained(process, Single, 'g');
    expect(attempts).toEqual([1]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 1, expired: 1, retried: 1, deadLettered: 0 });
  });

  it('is checked once more when it has waited for its slot', async () => {
    const process = await bed.start({ messagesPerEntry: 2 });
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Single, { publishedAt }: DeliveryContext) => {
      handled.push(value);
      await waitFor(() => Date.now() > publishedAt.getTime() + 1_600, { what: 'the other to expire' });
    });
    await process.publisher.publishMany(Single, [{ payload: { value: 1 } }, { payload: { value: 2 }, ttl: '1500ms' }]);
    await bed.drained(process, Single, 'g');
    expect(handled).toEqual([1]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 2, expired: 1 });
  });
});

describe('a message that the subscription is not for', () => {
  it('is acknowledged without the handler, takes no slot, and is counted', async () => {
    const process = await bed.start();
    const gate = signal();
    const handled: number[] = [];
    const prefilter = prefilterOf({ topic: topicOf(Single), filter: { headers: { region: ['eu', 'us'] } } });
    await subscribe(process, { topic: Single, group: 'g', concurrency: 2, prefilter }, async ({ value }: Single) => {
      handled.push(value);
      if (value === 0) await gate.promise;
    });
    await process.publisher.publish(Single, { value: 0 }, { headers: { region: 'eu' } });
    await process.publisher.publishMany(Single, numbers(50));
    await process.publisher.publish(Single, { value: 51 }, { headers: { region: 'us' } });
    // One of the two slots is taken all the time.
    await waitFor(async () => (await bed.state(process, Single, 'g')).handled === 51, { what: 'all but the first' });
    expect(handled).toEqual([0, 51]);
    gate.fire();
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 52, filtered: 50, deadLettered: 0 });
  });

  it('does not end as a crash loop beside others of its entry', async () => {
    const publisher = await bed.start({ messagesPerEntry: 2 });
    const doomed = await bed.start();
    const begun = signal();
    const prefilter = prefilterOf({ topic: topicOf(Single), filter: { key: 'none' } });
    await subscribe(doomed, { topic: Single, group: 'g' }, async () => {
      begun.fire();
      await new Promise(() => undefined);
    });
    await publisher.publisher.publishMany(Single, numbers(2));
    await begun.promise;
    doomed.vanish();
    const next = await bed.start();
    await subscribe(next, { topic: Single, group: 'g', crashLimit: 1, prefilter }, async () => undefined);
    await bed.drained(next, Single, 'g');
    expect(await bed.state(next, Single, 'g')).toMatchObject({ filtered: 2, deadLettered: 0 });
  });
});

@Topic('test.typed')
class Typed {
  @IsInt() value!: number;
}

@MessageType('first')
class First extends Typed {
  @IsInt() more!: number;
}

@MessageType('second', { version: 2 })
class Second extends Typed {}

describe('a topic with types', () => {
  it('gives each message to the groups that handle its type, as an instance of its own class', async () => {
    const process = await bed.start();
    const all: unknown[] = [];
    const one: unknown[] = [];
    const topic = topicOf(Typed);
    await subscribe(process, { topic: Typed, group: 'all', prefilter: prefilterOf({ topic }) }, async (payload: object) => void all.push(payload));
    const own = prefilterOf({ topic, type: 'first' });
    await subscribe(process, { topic: Typed, group: 'one', prefilter: own }, async (payload: object) => void one.push(payload));
    await process.publisher.publish(First, { value: 1, more: 1 });
    await process.publisher.publish(Second, { value: 2 });
    await process.publisher.publish(Typed, { value: 3 });
    await Promise.all([bed.drained(process, Typed, 'all'), bed.drained(process, Typed, 'one')]);
    const classes = (payloads: unknown[]): string[] => payloads.map((payload) => (payload as object).constructor.name).sort();
    expect(classes(all)).toEqual(['First', 'Second', 'Typed']);
    expect(classes(one)).toEqual(['First']);
    expect(await bed.state(process, Typed, 'one')).toMatchObject({ handled: 3, filtered: 2 });
  });

  it('is tried again as the same attempt, until a process knows its type', async () => {
    const [old, newer] = [await bed.start(), await bed.start()];
    await old.streams.declare(topicOf(Typed));
    const stored = { key: null, idempotencyKey: null, headers: {}, expiresAt: null, payloadJson: '{"value":1}' };
    await old.streams.publish(topicOf(Typed), { ...stored, id: newMessageId(), type: 'third', schema: 1 });
    await old.streams.publish(topicOf(Typed), { ...stored, id: newMessageId(), type: 'second', schema: 3 });
    const failures: unknown[] = [];
    const stop = listen('attempt-failed', ({ outcome, error, delayMs }) => failures.push([outcome, error.code, delayMs]));
    const definition = { topic: Typed, group: 'g', unknownForMs: 600_000 };
    const ofOld = { ...definition, prefilter: prefilterOf({ topic: topicOf(Typed) }) };
    const known = await subscribe(old, ofOld, async () => undefined);
    await waitFor(() => failures.length === 2, { what: 'both to be put off' });
    stop();
    expect(failures).toEqual([['retry', 'UNKNOWN_MESSAGE_TYPE', 1_000], ['retry', 'UNSUPPORTED_VERSION', 1_000]]);
    await known.stop(200);
    const handled: number[] = [];
    const types = new Map(['second', 'third'].map((name) => [name, { name, version: 3, payload: Typed }]));
    const prefilter = prefilterOf({ topic: { ...topicOf(Typed), types } });
    await subscribe(newer, { ...definition, prefilter }, async (_: Typed, { attempt }) => void handled.push(attempt));
    await bed.drained(newer, Typed, 'g');
    expect(handled).toEqual([1, 1]);
    expect(await bed.state(newer, Typed, 'g')).toMatchObject({ handled: 2, retried: 2, deadLettered: 0 });
  });

  it('dead-letters messages of an unknown type or a newer version, and goes on', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Typed));
    const stored = { id: newMessageId(), key: null, idempotencyKey: null, headers: {}, expiresAt: null, payloadJson: '{"value":1}' };
    await process.streams.publish(topicOf(Typed), { ...stored, type: 'third', schema: 1 });
    await process.streams.publish(topicOf(Typed), { ...stored, id: newMessageId(), type: 'second', schema: 3 });
    await process.publisher.publish(Second, { value: 4 });
    const handled: number[] = [];
    const prefilter = prefilterOf({ topic: topicOf(Typed) });
    await subscribe(process, { topic: Typed, group: 'g', prefilter }, async ({ value }: Typed) => void handled.push(value));
    await bed.drained(process, Typed, 'g');
    expect(handled).toEqual([4]);
    const reasons = (await bed.deadLetters(process, Typed, 'g')).map(({ reason }) => reason);
    expect(reasons.sort()).toEqual(['UNKNOWN_MESSAGE_TYPE', 'UNSUPPORTED_VERSION']);
  });
});
