import { describe, expect, it } from '@jest/globals';
import { batchPipeline, DeadLetter, type DeadLetterContext, deadLetterPipeline, deliveryPipeline, fixed, listen, RetryLater, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('notices');
const topic = topicOf(Single);

type Tell = (payload: unknown, context: DeadLetterContext) => Promise<unknown>;
interface Target {
  readonly attempts?: number;
  readonly concurrency?: number;
  readonly batch?: { size: number; waitMs: number };
  readonly handle?: () => Promise<unknown>;
}

/** A subscription whose handler fails, and what is told of its dead letters. */
function announcing(process: Process, tell: Tell, given: Target = {}): Promise<unknown> {
  const { attempts = 1, concurrency = 4, batch, handle = () => Promise.reject(new Error('no')) } = given;
  const parts = { topic, group: 'g', retry: { ...noRetry, attempts, backoff: fixed('1ms') } };
  const deadLetterHandler = deadLetterPipeline({ ...parts, handle: tell });
  const definition = { topic, group: 'g', concurrency, crashLimit: 10, deadLetterHandler };
  if (batch) return process.streams.subscribeBatch(definition, batch, batchPipeline({ ...parts, handle }));
  return process.streams.subscribe(definition, deliveryPipeline({ ...parts, handle }));
}

describe('a dead letter', () => {
  it('is announced with the whole story, once it is stored', async () => {
    const process = await bed.start();
    const told = signal<{ payload: unknown; context: DeadLetterContext; stored: unknown[] }>();
    await announcing(process, async (payload, context) => {
      told.fire({ payload, context, stored: await bed.deadLetters(process, Single, 'g') });
    }, { attempts: 2 });
    const { id } = await process.publisher.publish(Single, { value: 7 }, { key: 'k', headers: { a: 'b "c" \u2028/é' } });
    const { payload, context, stored } = await told.promise;
    expect(payload).toBeInstanceOf(Single);
    expect(payload).toEqual({ value: 7 });
    expect(context).toMatchObject({
      messageId: id, key: 'k', headers: { a: 'b "c" \u2028/é' }, group: 'g', offset: 0, attempt: 1, redelivered: false,
      reason: 'ATTEMPTS_EXHAUSTED', error: { message: 'no' }, attempts: 2, crashes: 0, payloadIsValid: true,
    });
    expect(stored).toMatchObject([{ id: context.deadLetterId }]);
    expect(context.firstFailedAt.getTime()).toBeLessThanOrEqual(context.deadLetteredAt.getTime());
  });

  it('counts once, and its notice nowhere: the lag stays exact', async () => {
    const process = await bed.start();
    const gate = signal();
    let told = 0;
    await announcing(process, async () => {
      told += 1;
      await gate.promise;
    });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => told === 3, { what: 'all to be told' });
    const counts = { deadLettered: 3, handled: 0, retried: 0, lag: 0 };
    expect(await bed.state(process, Single, 'g')).toMatchObject({ ...counts, pending: 3 });
    gate.fire();
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ ...counts, pending: 0 });
    expect(await bed.command('XLEN', bed.place(Single, 'g').groupKeys.again)).toBe(0);
  });

  it('is told with what was found when it is no message, or not valid', async () => {
    const process = await bed.start();
    await process.streams.declare(topic);
    const found: unknown[] = [];
    await announcing(process, async (payload, { reason, payloadIsValid, messageId }) => {
      found.push([reason, payload, payloadIsValid, messageId === '']);
    });
    await bed.command('XADD', bed.place(Single, 'g').keys.log, '*', 'foreign', 'field');
    await waitFor(() => found.length === 1, { what: 'the first' });
    const stored = { id: 'x', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
    await process.streams.publish(topic, { ...stored, payloadJson: '{"value":"x"}' });
    await waitFor(() => found.length === 2, { what: 'the second' });
    expect(found).toEqual([['MALFORMED_ENVELOPE', ['foreign', 'field'], false, true], ['INVALID_PAYLOAD', { value: 'x' }, false, false]]);
  });

  it('of a batch subscription is told one by one', async () => {
    const process = await bed.start();
    const values: unknown[] = [];
    await announcing(process, async (payload) => void values.push(payload), { batch: { size: 3, waitMs: 20 } });
    await process.publisher.publishMany(Single, numbers(3));
    await bed.drained(process, Single, 'g');
    expect(values).toHaveLength(3);
  });
});

describe('a notice', () => {
  it('is told again while its handler fails, up to the attempts, and then dropped with an event', async () => {
    const process = await bed.start();
    const attempts: number[] = [];
    const failures: unknown[] = [];
    const stop = listen('notice-failed', ({ outcome, attempt, messageId }) => failures.push([outcome, attempt, messageId]));
    await announcing(process, async (_, { attempt, attempts: own }) => {
      attempts.push(attempt);
      throw new Error(`told in vain after ${own}`);
    }, { attempts: 3 });
    const { id } = await process.publisher.publish(Single, { value: 1 });
    await waitFor(() => attempts.length === 3, { what: 'three attempts' });
    await bed.drained(process, Single, 'g');
    stop();
    expect(attempts).toEqual([1, 2, 3]);
    expect(failures).toEqual([['retry', 1, id], ['retry', 2, id], ['dropped', 3, id]]);
    expect(await bed.deadLetters(process, Single, 'g')).toMatchObject([{ attempts: 3, error: { message: 'no' } }]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ deadLettered: 1, retried: 2, handled: 0, lag: 0 });
  });

  it('of a process that vanished is told by another one', async () => {
    const doomed = await bed.start();
    const begun = signal();
    await announcing(doomed, async () => {
      begun.fire();
      await new Promise(() => undefined);
    });
    await doomed.publisher.publish(Single, { value: 5 });
    await begun.promise;
    doomed.vanish();
    const next = await bed.start();
    const told = signal<DeadLetterContext>();
    await announcing(next, async (_, context) => told.fire(context));
    expect(await told.promise).toMatchObject({ redelivered: true, attempt: 1, crashes: 0, reason: 'ATTEMPTS_EXHAUSTED' });
    await bed.drained(next, Single, 'g');
    expect(await bed.state(next, Single, 'g')).toMatchObject({ deadLettered: 1, handled: 0, lag: 0 });
  });

  it('that waits at a stop goes back as a notice', async () => {
    const process = await bed.start();
    const begun = signal();
    // All three are given up together: one that comes alone would wait behind the notices, for a handler.
    const batch = { size: 3, waitMs: 30_000 };
    await announcing(process, async () => {
      begun.fire();
      await new Promise(() => undefined);
    }, { batch, concurrency: 1 });
    await process.publisher.publishMany(Single, numbers(3));
    await begun.promise;
    const waits = async (): Promise<boolean> => {
      const { deadLettered, pending } = await bed.state(process, Single, 'g');
      return deadLettered === 3 && pending === 3;
    };
    await waitFor(waits, { what: 'two more to wait' });
    await process.stop();
    const next = await bed.start();
    const told: unknown[] = [];
    const handle = (): Promise<unknown> => Promise.resolve(told.push('handled'));
    await announcing(next, async (payload) => void told.push(payload), { batch, concurrency: 1, handle });
    await waitFor(() => told.length === 3, { what: 'all to be told' });
    await bed.drained(next, Single, 'g');
    expect(told).toHaveLength(3);
    expect(told).not.toContain('handled');
  });

  it('is told though the group is set back behind its message meanwhile', async () => {
    const process = await bed.start();
    let isIll = true;
    const told: unknown[] = [];
    const tell = async (payload: unknown): Promise<void> => {
      if (isIll) throw new RetryLater('1h');
      told.push(payload);
    };
    const handle = (): Promise<unknown> => (isIll ? Promise.reject(new DeadLetter('no')) : Promise.resolve());
    await announcing(process, tell, { attempts: 2, handle });
    await process.publisher.publish(Single, { value: 7 });
    await waitFor(async () => (await bed.state(process, Single, 'g')).retrying === 1, { what: 'the notice to wait' });
    isIll = false;
    const [step] = await process.streams.groups.seek(Single, 'g', { to: 'earliest' });
    expect(step).toMatchObject({ again: 1, retriesDropped: 0 });
    const { due } = bed.place(Single, 'g').groupKeys;
    for (const body of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 0, body);
    await bed.drained(process, Single, 'g');
    expect(told).toEqual([{ value: 7 }]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 1, lost: 0 });
  });

  it('is taken for told by a process that has nobody to tell', async () => {
    const process = await bed.start();
    const told: string[] = [];
    await process.streams.declare(topic);
    const reason = { reason: 'R', error: { name: 'E', message: 'm' }, attempts: 1, crashes: 0, firstFailedAt: 1, deadLetteredAt: 2 };
    const body = JSON.stringify([0, 1, 0, null, '[1,"id",null,null,null,{"value":9}]', reason, '1-0']);
    await bed.command('XADD', bed.place(Single, 'g').groupKeys.again, '*', 'r', body);
    await subscribe(process, { topic: Single, group: 'g' }, async () => void told.push('handled'));
    await waitFor(async () => (await bed.command('XLEN', bed.place(Single, 'g').groupKeys.again)) === 0, { what: 'the notice to go' });
    expect(told).toEqual([]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 0, deadLettered: 0, lag: 0 });
  });
});
