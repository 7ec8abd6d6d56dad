import { describe, expect, it } from '@jest/globals';
import {
  type BatchContext, batchPipeline, type DeadLetterContext, deadLetterPipeline, type DeliveryContext, deliveryPipeline,
  type InboxPort, listen, topicOf,
} from '@millrace/core';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

/** A lease so long that no message comes back because it is over. */
const LONG_LEASE = { leaseMs: 60_000 };
const bed = new Bed('given-up');

type End = 'returns' | 'throws';
const ENDS: End[] = ['returns', 'throws'];

/** A handler that begins, and ends in the given way when it is let go. */
function held(end: End): {
  began: ReturnType<typeof signal<AbortSignal>>;
  finish: () => void;
  ended: Promise<void>;
  run: (abort: AbortSignal) => Promise<void>;
} {
  const [began, finish, ended] = [signal<AbortSignal>(), signal(), signal()];
  const run = async (abort: AbortSignal): Promise<void> => {
    began.fire(abort);
    await finish.promise;
    ended.fire();
    if (end === 'throws') throw new Error('gives up as well');
  };
  return { began, finish: finish.fire, ended: ended.promise, run };
}

/** Resolves when the outcome of a handler that has just ended would have reached Redis. */
async function saidAll(process: Process): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await process.redis.publish.call('PING');
}

describe('a message in hand at the stop deadline', () => {
  it.each(ENDS)('goes to another member at once, without counting an attempt, and is not settled when its handler %s later', async (end) => {
    const [stopping, other] = [await bed.start(LONG_LEASE), await bed.start(LONG_LEASE)];
    const first = held(end);
    const subscription = await subscribe(stopping, { topic: Single, group: 'g' }, (_: Single, { signal: abort }) => first.run(abort));
    await other.publisher.publish(Single, { value: 1 });
    const abort = await first.began.promise;
    await subscription.stop(1);
    expect(abort.reason).toMatchObject({ code: 'CLOSED' });
    const again = signal<DeliveryContext>();
    await subscribe(other, { topic: Single, group: 'g' }, async (_: Single, context) => again.fire(context));
    expect(await again.promise).toMatchObject({ attempt: 1, crashes: 0 });
    first.finish();
    await first.ended;
    await saidAll(stopping);
    await bed.drained(other, Single, 'g');
    expect(await bed.state(other, Single, 'g')).toMatchObject({ handled: 1, retried: 0, deadLettered: 0, fenced: 0, redelivered: 0 });
  });

  it('is not acknowledged by a handler that returns because its signal aborts', async () => {
    const [stopping, other] = [await bed.start(LONG_LEASE), await bed.start(LONG_LEASE)];
    const began = signal();
    const subscription = await subscribe(stopping, { topic: Single, group: 'g' }, async (_: Single, { signal: abort }) => {
      began.fire();
      await new Promise((resolve) => abort.addEventListener('abort', resolve));
    });
    await other.publisher.publish(Single, { value: 1 });
    await began.promise;
    await subscription.stop(1);
    expect(await bed.state(other, Single, 'g')).toMatchObject({ handled: 0, lag: 1, pending: 0, retried: 0 });
  });

  it('never makes a crash loop, however often its process is stopped in order', async () => {
    const publisher = await bed.start(LONG_LEASE);
    await publisher.publisher.publish(Single, { value: 1 });
    for (let stop = 0; stop < 3; stop += 1) {
      const [process, began] = [await bed.start(LONG_LEASE), signal()];
      await subscribe(process, { topic: Single, group: 'g', crashLimit: 2 }, () => {
        began.fire();
        return new Promise(() => undefined);
      });
      await began.promise;
      await process.stop(1);
    }
    const again = signal<DeliveryContext>();
    await subscribe(publisher, { topic: Single, group: 'g', crashLimit: 2 }, async (_: Single, context) => again.fire(context));
    expect(await again.promise).toMatchObject({ attempt: 1, crashes: 0 });
    await bed.drained(publisher, Single, 'g');
    expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 1, deadLettered: 0 });
  });

  it('is put back with the rest of its batch', async () => {
    const [stopping, other] = [await bed.start(LONG_LEASE), await bed.start(LONG_LEASE)];
    const first = held('returns');
    const handle = (_: object[], { signal: abort }: BatchContext): Promise<void> => first.run(abort);
    const batch = { size: 3, waitMs: 60_000 };
    const definition = { topic: topicOf(Single), group: 'g', concurrency: 1, crashLimit: 10 };
    const handler = batchPipeline({ ...definition, retry: noRetry, handle });
    const subscription = await stopping.streams.subscribeBatch(definition, batch, handler);
    await other.publisher.publishMany(Single, numbers(3));
    const abort = await first.began.promise;
    await subscription.stop(1);
    expect(abort.reason).toMatchObject({ code: 'CLOSED' });
    first.finish();
    await first.ended;
    await saidAll(stopping);
    expect(await bed.state(other, Single, 'g')).toMatchObject({ handled: 0, lag: 3, pending: 0, retried: 0 });
  });

  it('is called again, when it is a dead letter', async () => {
    const [stopping, other] = [await bed.start(LONG_LEASE), await bed.start(LONG_LEASE)];
    const first = held('returns');
    const called = signal<DeadLetterContext>();
    const parts = { topic: topicOf(Single), group: 'g', retry: noRetry };
    const definition = { ...parts, concurrency: 2, crashLimit: 10 };
    const fails = deliveryPipeline({ ...parts, handle: () => Promise.reject(new Error('dead')) });
    const subscription = await stopping.streams.subscribe(
      { ...definition, deadLetterHandler: deadLetterPipeline({ ...parts, handle: (_, { signal: abort }) => first.run(abort) }) },
      fails,
    );
    await other.publisher.publish(Single, { value: 1 });
    const abort = await first.began.promise;
    await subscription.stop(1);
    expect(abort.reason).toMatchObject({ code: 'CLOSED' });
    first.finish();
    await other.streams.subscribe(
      { ...definition, deadLetterHandler: deadLetterPipeline({ ...parts, handle: async (_, context) => called.fire(context) }) },
      fails,
    );
    expect(await called.promise).toMatchObject({ attempt: 1, reason: 'ATTEMPTS_EXHAUSTED' });
  });
});

describe('a message whose lease is lost', () => {
  it.each(ENDS)('is not settled when its handler %s: the new holder settles it', async (end) => {
    const [slow, other] = [await bed.start(), await bed.start(LONG_LEASE)];
    const first = held(end);
    // The thief gives no sign of life: the message may come back, and is not done then.
    const run = ({ crashes, signal: abort }: DeliveryContext): Promise<void> =>
      crashes === 0 ? first.run(abort) : new Promise(() => undefined);
    await subscribe(slow, { topic: Single, group: 'g' }, (_: Single, context) => run(context));
    await other.publisher.publish(Single, { value: 1 });
    const abort = await first.began.promise;
    const lost = new Promise((resolve) => abort.addEventListener('abort', resolve));
    const { keys } = bed.place(Single, 'g');
    const [[entry]] = (await bed.command('XPENDING', keys.log, 'g', '-', '+', 1)) as [[string]];
    await bed.command('XCLAIM', keys.log, 'g', 'thief', 0, entry);
    await lost;
    expect(abort.reason).toMatchObject({ code: 'STATE_LOST' });
    first.finish();
    await first.ended;
    await saidAll(slow);
    expect(await bed.state(other, Single, 'g')).toMatchObject({ handled: 0, lag: 1, retried: 0, deadLettered: 0, fenced: 1 });
  });
});

describe('a message with the inbox', () => {
  const [topic, group] = [topicOf(Single), 'g'];

  it('records nothing in the inbox when its process stood still past its lease, and another member holds the message', async () => {
    const process = await bed.start();
    const recorded: string[] = [];
    const inbox: InboxPort = {
      run: async (_, messageId, work) => {
        const value = await work({ query: () => Promise.resolve({ rows: [], rowCount: 0 }) });
        recorded.push(messageId);
        return { duplicate: false, value };
      },
    };
    const [fenced, { keys }] = [signal<string>(), bed.place(Single, group)];
    const stopListening = listen('fenced', ({ messageId }) => fenced.fire(messageId));
    const handle = async (): Promise<void> => {
      const [[entry]] = (await bed.command('XPENDING', keys.log, group, '-', '+', 1)) as [[string]];
      await bed.command('XCLAIM', keys.log, group, 'thief', 0, entry);
      // No other code runs in this process meanwhile, not even its heartbeat.
      const until = performance.now() + 400;
      while (performance.now() < until);
    };
    const handler = deliveryPipeline({ topic, group, retry: noRetry, inbox, handle });
    await process.streams.subscribe({ topic, group, concurrency: 1, crashLimit: 10 }, handler);
    const { id } = await process.publisher.publish(Single, { value: 1 });
    expect(await fenced.promise).toBe(id);
    stopListening();
    expect(recorded).toEqual([]);
  });
});

describe('a broadcast in hand at the stop deadline', () => {
  it.each(ENDS)('is not settled when its handler %s later, and its signal says why', async (end) => {
    const process = await bed.start(LONG_LEASE);
    const first = held(end);
    const topic = topicOf(Single);
    const handler = deliveryPipeline({ topic, group: 'none', retry: { ...noRetry, attempts: 2 }, handle: (_, { signal: abort }) => first.run(abort) });
    const subscription = await process.streams.broadcast({ topic, concurrency: 1 }, handler);
    await process.publisher.publish(Single, { value: 1 });
    const abort = await first.began.promise;
    await subscription.stop(1);
    expect(abort.reason).toMatchObject({ code: 'CLOSED' });
    first.finish();
    await first.ended;
  });
});

describe('a group whose subscription was stopped', () => {
  it('can be subscribed again in the same process', async () => {
    const process = await bed.start(LONG_LEASE);
    const seen: number[] = [];
    const first = await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void seen.push(value));
    await process.publisher.publish(Single, { value: 1 });
    await bed.drained(process, Single, 'g');
    const twice = subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await expect(twice).rejects.toMatchObject({ code: 'DUPLICATE_SUBSCRIPTION' });
    await first.stop(1_000);
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void seen.push(-value));
    await process.publisher.publish(Single, { value: 2 });
    await bed.drained(process, Single, 'g');
    expect(seen).toEqual([1, -2]);
  });
});
