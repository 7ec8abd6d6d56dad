import { describe, expect, it } from '@jest/globals';
import { batchPipeline, DeadLetter, type DeadLetterContext, deadLetterPipeline, deliveryPipeline, fixed, listen, RetryLater, type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { UnreportedLetters } from '../src/hook/unreported-letters.js';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('hook');
const topic = topicOf(Single);

type Tell = (payload: never, context: DeadLetterContext) => Promise<unknown>;
interface Target {
  readonly attempts?: number;
  readonly concurrency?: number;
  readonly batch?: { size: number; waitMs: number };
  readonly handle?: () => Promise<unknown>;
}

/** A subscription whose handler fails, and the hook of its dead letters. */
function hooked(process: Process, tell: Tell, given: Target = {}): Promise<Subscription> {
  const { attempts = 1, concurrency = 4, batch, handle = () => Promise.reject(new Error('no')) } = given;
  const parts = { topic, group: 'g', retry: { ...noRetry, attempts, backoff: fixed('1ms') } };
  const deadLetterHandler = deadLetterPipeline({ ...parts, handle: (payload, context) => tell(payload as never, context) });
  const definition = { topic, group: 'g', concurrency, crashLimit: 10, deadLetterHandler };
  if (batch) return process.streams.subscribeBatch(definition, batch, batchPipeline({ ...parts, handle }));
  return process.streams.subscribe(definition, deliveryPipeline({ ...parts, handle }));
}

describe('a dead letter', () => {
  it('is reported with its whole history, once it is stored', async () => {
    const process = await bed.start();
    const reported = signal<{ payload: unknown; context: DeadLetterContext; stored: unknown[] }>();
    await hooked(process, async (payload, context) => {
      reported.fire({ payload, context, stored: await bed.deadLetters(process, Single, 'g') });
    }, { attempts: 2 });
    const { id } = await process.publisher.publish(Single, { value: 7 }, { key: 'k', headers: { a: 'b "c" \u2028/é' } });
    const { payload, context, stored } = await reported.promise;
    expect(payload).toBeInstanceOf(Single);
    expect(payload).toEqual({ value: 7 });
    expect(context).toMatchObject({
      messageId: id, key: 'k', headers: { a: 'b "c" \u2028/é' }, group: 'g', offset: 0, attempt: 1, redelivered: false,
      reason: 'ATTEMPTS_EXHAUSTED', error: { message: 'no' }, attempts: 2, crashes: 0, payloadIsValid: true,
    });
    expect(stored).toMatchObject([{ id: context.deadLetterId }]);
    expect(context.firstFailedAt.getTime()).toBeLessThanOrEqual(context.deadLetteredAt.getTime());
  });

  it('counts once, and its report nowhere: the lag stays exact', async () => {
    const process = await bed.start();
    const gate = signal();
    let reported = 0;
    await hooked(process, async () => {
      reported += 1;
      await gate.promise;
    });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => reported === 3, { what: 'all to be reported' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ deadLettered: 3, handled: 0, retried: 0, lag: 0, pending: 0 });
    expect(await held()).toBe(3);
    gate.fire();
    await waitFor(async () => (await held()) === 0, { what: 'all to be settled' });
  });

  it('is reported with the stored text when that is no message, or not valid', async () => {
    const process = await bed.start();
    await process.streams.declare(topic);
    const found: unknown[] = [];
    await hooked(process, async (payload, { reason, payloadIsValid, messageId }) => {
      found.push([reason, payload, payloadIsValid, messageId === '']);
    });
    await bed.command('XADD', bed.place(Single, 'g').keys.log, '*', 'foreign', 'field');
    await waitFor(() => found.length === 1, { what: 'the first' });
    const stored = { id: 'x', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
    await process.streams.publish(topic, { ...stored, payloadJson: '{"value":"x"}' });
    await waitFor(() => found.length === 2, { what: 'the second' });
    expect(found).toEqual([['MALFORMED_ENVELOPE', ['foreign', 'field'], false, true], ['INVALID_PAYLOAD', { value: 'x' }, false, false]]);
  });

  it('in a batch subscription is reported by itself', async () => {
    const process = await bed.start();
    const values: unknown[] = [];
    await hooked(process, async (payload) => void values.push(payload), { batch: { size: 3, waitMs: 20 } });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => values.length === 3, { what: 'all to be reported' });
  });
});

describe('a dead letter that is not reported yet', () => {
  it('is reported again while its handler fails, up to the attempts, and then counted', async () => {
    const process = await bed.start();
    const attempts: number[] = [];
    const failures: unknown[] = [];
    const stop = listen('hook-failed', ({ outcome, attempt, messageId }) => failures.push([outcome, attempt, messageId]));
    await hooked(process, async (_, { attempt, attempts: own }) => {
      attempts.push(attempt);
      throw new Error(`reported in vain after ${own}`);
    }, { attempts: 3 });
    const { id } = await process.publisher.publish(Single, { value: 1 });
    await waitFor(async () => (await bed.state(process, Single, 'g')).hookFailed === 1, { what: 'it to be given up' });
    stop();
    expect(attempts).toEqual([1, 2, 3]);
    expect(failures).toEqual([['retry', 1, id], ['retry', 2, id], ['given-up', 3, id]]);
    expect(await bed.deadLetters(process, Single, 'g')).toMatchObject([{ attempts: 3, error: { message: 'no' } }]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ deadLettered: 1, deadLetters: 1, retried: 2, handled: 0, lag: 0 });
    expect(await held()).toBe(0);
  });

  it('is reported by another member when its process vanished', async () => {
    const [doomed, next] = [await bed.start(), await bed.start()];
    const begun = signal();
    await hooked(doomed, async () => {
      begun.fire();
      await new Promise(() => undefined);
    });
    await doomed.publisher.publish(Single, { value: 5 });
    await begun.promise;
    const reported: DeadLetterContext[] = [];
    await hooked(next, async (_, context) => void reported.push(context));
    doomed.vanish();
    await waitFor(() => reported.length === 1, { what: 'the report of it' });
    expect(reported).toMatchObject([{ redelivered: true, attempt: 1, crashes: 0, reason: 'ATTEMPTS_EXHAUSTED' }]);
    await waitFor(async () => (await held()) === 0, { what: 'it to be settled' });
    expect(await bed.state(next, Single, 'g')).toMatchObject({ deadLettered: 1, handled: 0, lag: 0, hookFailed: 0 });
  });

  it('is not reported any more when it took down as many processes as the crash limit says', async () => {
    const doomed = await bed.start();
    const begun = signal();
    await hooked(doomed, async () => {
      begun.fire();
      await new Promise(() => undefined);
    });
    await doomed.publisher.publish(Single, { value: 5 });
    await begun.promise;
    doomed.vanish();
    const { dead } = bed.place(Single, 'g').groupKeys;
    const [[id, member]] = (await bed.command('XPENDING', dead, 'hook', '-', '+', 1)) as [[string, string]];
    await bed.command('XCLAIM', dead, 'hook', member, 0, id, 'RETRYCOUNT', 10);
    const next = await bed.start();
    const reported: unknown[] = [];
    await hooked(next, async (payload) => void reported.push(payload));
    await waitFor(async () => (await bed.state(next, Single, 'g')).hookFailed === 1, { what: 'it to be given up' });
    expect([reported, await held()]).toEqual([[], 0]);
  });

  it('is reported alone when it may be the one that takes processes down', async () => {
    const process = await bed.start();
    const first = await hooked(process, () => Promise.resolve(), { concurrency: 1 });
    await first.stop(200);
    const { dead } = bed.place(Single, 'g').groupKeys;
    const reason = { reason: 'R', error: { name: 'E', message: 'm' }, attempts: 1, crashes: 0, publishedAt: null, firstFailedAt: 1, deadLetteredAt: 2 };
    const fields = ['m', '[1,"id",null,null,null,{"value":9}]', 'e', JSON.stringify({ ...reason, origin: { topic: 't', partition: 0, offset: 0, group: 'g' } })];
    for (let count = 0; count < 3; count += 1) await bed.command('XADD', dead, '*', ...fields);
    const [[, entries]] = (await bed.command('XREADGROUP', 'GROUP', 'hook', 'nobody', 'STREAMS', dead, '>')) as [[string, [string][]]];
    await bed.command('XCLAIM', dead, 'hook', 'nobody', 0, ...entries.map(([id]) => id), 'RETRYCOUNT', 2);
    const runs = { now: 0, most: 0, ended: 0 };
    await hooked(process, async () => {
      runs.most = Math.max(runs.most, (runs.now += 1));
      for (let pings = 0; pings < 20; pings += 1) await bed.command('PING');
      runs.now -= 1;
      runs.ended += 1;
    });
    await waitFor(() => runs.ended === 3, { what: 'all to be reported' });
    expect(runs.most).toBe(1);
  });

  it('goes to another member at a stop: one that is at work, one that waits, one whose read was lost', async () => {
    const process = await bed.start();
    const begun = signal();
    await hooked(process, async () => {
      begun.fire();
      await new Promise(() => undefined);
    }, { concurrency: 1 });
    await process.publisher.publishMany(Single, numbers(3));
    await begun.promise;
    await bed.drained(process, Single, 'g');
    await process.stop();
    const next = await bed.start();
    const reported: unknown[] = [];
    let crashed = 0;
    const tell = async ({ value }: Single, { redelivered }: DeadLetterContext): Promise<void> => {
      reported.push(value);
      if (redelivered) crashed += 1;
    };
    const subscription = await hooked(next, tell, { handle: () => Promise.resolve(reported.push('handled')) });
    await waitFor(() => reported.length === 3, { what: 'all to be reported' });
    expect([reported.toSorted(), crashed]).toEqual([[0, 1, 2], 0]);
    await subscription.pause();
    const { keys, groupKeys: { dead } } = bed.place(Single, 'g');
    const [[, fields]] = (await bed.command('XRANGE', dead, '-', '+', 'COUNT', 1)) as [[string, string[]]];
    await bed.command('XADD', dead, '*', ...fields);
    const [[, member]] = (await bed.command('XINFO', 'CONSUMERS', keys.log, 'g')) as [[string, string]];
    await bed.command('XREADGROUP', 'GROUP', 'hook', member, 'STREAMS', dead, '>');
    subscription.resume();
    await waitFor(() => reported.length === 4, { what: 'the lost one to be reported' });
    expect([reported, await held()]).toEqual([[...reported.slice(0, 3), 0], 0]);
  });

  it('is reported though the group is set back behind its message meanwhile', async () => {
    const process = await bed.start();
    let isIll = true;
    const [reported, failed]: [unknown[], unknown[]] = [[], []];
    const tell = async (payload: unknown): Promise<void> => {
      if (isIll) throw new RetryLater('20ms', `${failed.push(payload)}`);
      reported.push(payload);
    };
    const handle = (): Promise<unknown> => (isIll ? Promise.reject(new DeadLetter('no')) : Promise.resolve());
    await hooked(process, tell, { attempts: 1_000, handle });
    await process.publisher.publish(Single, { value: 7 });
    await waitFor(() => failed.length > 1, { what: 'the report to fail' });
    const seeking = process.streams.groups.seek(Single, 'g', { to: 'earliest' });
    isIll = false;
    expect(await seeking).toMatchObject([{ again: 1, retriesDropped: 0 }]);
    await bed.drained(process, Single, 'g');
    await waitFor(() => reported.length === 1, { what: 'the report of it' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 1, lost: 0 });
  });

  it('is removed with its group, and never comes back', async () => {
    const process = await bed.start();
    const [begun, gate] = [signal(), signal()];
    const subscription = await hooked(process, async () => {
      begun.fire();
      await gate.promise;
    });
    await process.publisher.publish(Single, { value: 1 });
    await begun.promise;
    await process.streams.groups.remove(Single, 'g', { force: true });
    gate.fire();
    const letters = new UnreportedLetters({ redis: process.redis, member: 'x.1', partitions: [bed.place(Single, 'g')] });
    expect(await letters.look(1)).toMatchObject([{ letters: [], failure: null }]);
    await subscription.stop(1_000);
    expect(await bed.command('KEYS', `${bed.prefix}:*:group:g:*`)).toEqual([]);
  });

  it('is none of before the hook was declared, and any after that, though Redis loses the hook', async () => {
    const process = await bed.start();
    const definition = { topic: Single, group: 'g', retry: noRetry };
    const first = await subscribe(process, definition, () => Promise.reject(new Error('no')));
    await process.publisher.publish(Single, { value: 1 });
    await bed.drained(process, Single, 'g');
    await first.stop(200);
    const reported: unknown[] = [];
    const hooking = await hooked(process, async ({ value }: Single) => void reported.push(value));
    await process.publisher.publish(Single, { value: 2 });
    await waitFor(() => reported.length === 1, { what: 'the second to be reported' });
    await hooking.stop(200);
    await bed.command('XGROUP', 'DESTROY', bed.place(Single, 'g').groupKeys.dead, 'hook');
    await subscribe(await bed.start(), definition, () => Promise.reject(new Error('no')));
    await process.publisher.publish(Single, { value: 3 });
    await bed.drained(process, Single, 'g');
    await hooked(process, async ({ value }: Single) => void reported.push(value));
    await waitFor(() => reported.includes(3), { what: 'the third to be reported' });
    expect(reported).toEqual([2, 2, 3]);
  });
});

/** How many dead letters members of the hook hold. */
async function held(): Promise<number> {
  const [count] = (await bed.command('XPENDING', bed.place(Single, 'g').groupKeys.dead, 'hook')) as [number];
  return count;
}
