import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeadLetter, type DeliveryContext, Discard, fixed, IdempotencyMismatchError, listen, Topic, topicOf } from '@millrace/core';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { partitionKeys } from '../src/keys.js';
import { type Process, signal, silence, startProcess, subscribe } from './fixture.js';
import { storedEntry } from './stored-entry.js';

@Topic<Numbered>('test.numbered', { key: ({ value }) => String(value % 10), partitions: 3 })
class Numbered {
  @IsInt() value!: number;
}

@Topic<Single>('test.single')
class Single {
  @IsInt() value!: number;
}

let server: TestRedis;
let prefix: string;
let processes: Process[];

beforeAll(async () => {
  server = await startTestRedis();
});
afterAll(() => server.stop());
beforeEach(() => {
  prefix = uniqueName('delivery');
  processes = [];
});
afterEach(async () => {
  await Promise.all(processes.map((process) => process.stop()));
});

async function start(leaseMs = 1_000, messagesPerEntry = 1): Promise<Process> {
  const process = await startProcess(server, { prefix, leaseMs, messagesPerEntry });
  processes.push(process);
  return process;
}

const idle = (process: Process, topic: typeof Single | typeof Numbered, group: string): Promise<unknown> =>
  waitFor(async () => (await process.streams.inspector.group(topicOf(topic), group)).lag === 0, { what: `${group} to have no lag` });

describe('fanout and sharing', () => {
  it('delivers each message to every group, and inside a group to one member', async () => {
    const publisher = await start();
    const seen: Record<string, number[]> = { a1: [], a2: [], b: [] };
    const handlerOf = (name: string) => async ({ value }: Numbered) => void seen[name]!.push(value);
    await subscribe(await start(), { topic: Numbered, group: 'a', concurrency: 2 }, handlerOf('a1'));
    await subscribe(await start(), { topic: Numbered, group: 'a', concurrency: 2 }, handlerOf('a2'));
    await subscribe(await start(), { topic: Numbered, group: 'b' }, handlerOf('b'));

    const values = Array.from({ length: 300 }, (_, value) => value);
    await publisher.publisher.publishMany(Numbered, values.map((value) => ({ payload: { value } })));
    await idle(publisher, Numbered, 'a');
    await idle(publisher, Numbered, 'b');

    const byValue = (a: number, b: number): number => a - b;
    expect([...seen.a1!, ...seen.a2!].sort(byValue)).toEqual(values);
    expect(seen.b!.sort(byValue)).toEqual(values);
    expect(seen.a1!.length).toBeGreaterThan(0);
    expect(seen.a2!.length).toBeGreaterThan(0);
  });

  it('numbers the messages of a partition densely from 0 and keeps one key in one partition', async () => {
    const { publisher } = await start();
    const results = await publisher.publishMany(Numbered, Array.from({ length: 100 }, (_, value) => ({ payload: { value } })));
    for (const partition of [0, 1, 2]) {
      const offsets = results.filter((result) => result.partition === partition).map(({ offset }) => offset);
      expect(offsets).toEqual(offsets.map((_, index) => index));
    }
    for (const key of Array.from({ length: 10 }, (_, value) => value)) {
      const partitions = results.filter((_, index) => index % 10 === key).map(({ partition }) => partition);
      expect(new Set(partitions).size).toBe(1);
    }
  });

  it('gives a group that subscribes late all messages that were published before', async () => {
    const process = await start();
    await process.publisher.publish(Single, { value: 1 });
    const received = signal<number>();
    await subscribe(process, { topic: Single, group: 'late' }, async ({ value }: Single) => received.fire(value));
    expect(await received.promise).toBe(1);
  });

  it('holds no more messages than it has slots while its handlers are slow, also with more streams than slots', async () => {
    const process = await start();
    await process.publisher.publishMany(Numbered, Array.from({ length: 10 }, (_, value) => ({ payload: { value } })));
    let running = 0;
    let most = 0;
    const pendings: number[] = [];
    await subscribe(process, { topic: Numbered, group: 'one', concurrency: 1 }, async () => {
      most = Math.max(most, (running += 1));
      // As many are read ahead as were handled in the last 50 ms.
      await new Promise((resolve) => setTimeout(resolve, 150));
      pendings.push((await process.streams.inspector.group(topicOf(Numbered), 'one')).pending);
      running -= 1;
    });
    await idle(process, Numbered, 'one');
    expect(most).toBe(1);
    expect(Math.max(...pendings)).toBe(1);
  });
});

describe('idempotent publish', () => {
  it('stores one message for many publishes with one key, and answers with the first', async () => {
    const { publisher } = await start();
    const results = await Promise.all(Array.from({ length: 20 }, () => publisher.publish(Single, { value: 1 }, { idempotencyKey: 'k' })));
    expect(new Set(results.map(({ id }) => id)).size).toBe(1);
    expect(new Set(results.map(({ offset }) => offset))).toEqual(new Set([0]));
    expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    const second = await start();
    expect(await second.publisher.publish(Single, { value: 1 }, { idempotencyKey: 'k' })).toEqual({ ...results[0], duplicate: true });
  });

  it('refuses the same key with another payload, and only that message of its batch', async () => {
    const { publisher } = await start();
    await publisher.publish(Single, { value: 1 }, { idempotencyKey: 'k' });
    const [bad, good] = await Promise.allSettled([
      publisher.publish(Single, { value: 2 }, { idempotencyKey: 'k' }),
      publisher.publish(Single, { value: 3 }, { idempotencyKey: 'other' }),
    ]);
    expect(bad).toMatchObject({ status: 'rejected', reason: expect.any(IdempotencyMismatchError) });
    expect(good).toMatchObject({ status: 'fulfilled', value: { offset: 1, duplicate: false } });
  });
});

describe('outcomes', () => {
  it('retries with back-off in the failing group only, then dead-letters with the whole history', async () => {
    const process = await start();
    const attempts: number[] = [];
    let other = 0;
    const retry = { attempts: 3, backoff: fixed('20ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'failing', retry }, async (_: Single, ctx: DeliveryContext) => {
      attempts.push(ctx.attempt);
      throw new TypeError(`no ${ctx.attempt}`);
    });
    await subscribe(process, { topic: Single, group: 'well' }, async () => void (other += 1));
    const { id } = await process.publisher.publish(Single, { value: 7 }, { headers: { from: 'test' }, idempotencyKey: 'x' });
    await idle(process, Single, 'failing');
    await idle(process, Single, 'well');

    expect(attempts).toEqual([1, 2, 3]);
    expect(other).toBe(1);
    expect(await process.streams.inspector.group(topicOf(Single), 'failing')).toMatchObject({ handled: 0, retried: 2, deadLettered: 1, pending: 0, retrying: 0 });
    const [dead, ...more] = await process.streams.inspector.deadLetters(topicOf(Single), 'failing');
    expect(more).toEqual([]);
    expect(dead).toMatchObject({
      reason: 'ATTEMPTS_EXHAUSTED',
      attempts: 3,
      crashes: 0,
      error: { name: 'TypeError', message: 'no 3', stack: expect.stringContaining('delivery.spec') },
      origin: { topic: 'test.single', partition: 0, offset: 0, group: 'failing' },
      envelope: `[1,"${id}",null,"x",{"from":"test"},{"value":7}]`,
    });
    expect(dead!.firstFailedAt.getTime()).toBeGreaterThanOrEqual(dead!.publishedAt!.getTime());
    expect(dead!.deadLetteredAt.getTime()).toBeGreaterThanOrEqual(dead!.firstFailedAt.getTime());
  });

  it('obeys DeadLetter and Discard', async () => {
    const process = await start();
    await subscribe(process, { topic: Single, group: 'g', retry: { attempts: 5, backoff: fixed('1ms'), deadLetterOn: [RangeError] } }, async ({ value }: Single) => {
      if (value === 1) throw new DeadLetter('no use');
      if (value === 2) throw new Discard();
      throw new RangeError('listed');
    });
    await process.publisher.publishMany(Single, [1, 2, 3].map((value) => ({ payload: { value } })));
    await idle(process, Single, 'g');
    const dead = await process.streams.inspector.deadLetters(topicOf(Single), 'g');
    expect(dead.map(({ reason }) => reason).sort()).toEqual(['DEAD_LETTERED_BY_HANDLER', 'DEAD_LETTER_ON']);
    expect(await process.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 1, discarded: 1, deadLettered: 2, retried: 0 });
  });

  it('dead-letters foreign entries, invalid messages and those of a newer version, and goes on', async () => {
    const process = await start();
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void seen.push(value));
    const { log, meta } = partitionKeys(prefix, 'test.single', 0);
    const put = (base: number, text: string): Promise<unknown> => process.redis.control.call('XADD', log, ...storedEntry(base, [text]));
    await process.redis.control.call('XADD', log, '1-1', 'odd', 'fields');
    await put(0, '[1,"0198c0de-0000-7000-8000-000000000000",null,null,null,{"value":"no number"}]');
    await put(1, '[2,"0198c0de-0000-7000-8000-000000000000",null,null,null,{"value":1}]');
    await put(2, 'not json');
    await process.redis.control.call('HSET', meta, 'next', 3);
    await process.publisher.publish(Single, { value: 4 });
    await waitFor(() => seen.length === 1, { what: 'the good message' });
    await idle(process, Single, 'g');
    const dead = await process.streams.inspector.deadLetters(topicOf(Single), 'g');
    expect(dead.map(({ reason }) => reason).sort()).toEqual(['INVALID_PAYLOAD', 'MALFORMED_ENVELOPE', 'MALFORMED_ENVELOPE', 'UNSUPPORTED_VERSION']);
    expect(seen).toEqual([4]);
  });
});

describe('members that vanish', () => {
  it('hands the messages of a dead member to another, and refuses later outcomes of the dead one', async () => {
    const [publisher, first] = [await start(), await start(400)];
    const [began, release] = [signal(), signal()];
    await subscribe(first, { topic: Single, group: 'g' }, async () => {
      began.fire();
      await release.promise;
    });
    await publisher.publisher.publish(Single, { value: 1 });
    await began.promise;
    first.vanish();

    const crashes: number[] = [];
    await subscribe(await start(400), { topic: Single, group: 'g' }, async (_: Single, ctx: DeliveryContext) => void crashes.push(ctx.crashes));
    await idle(publisher, Single, 'g');
    release.fire();
    expect(crashes).toEqual([1]);
    expect(await publisher.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 1, redelivered: 1, pending: 0 });
  });

  it('fences a member that was silent past its lease: its acknowledgement is refused and its signal aborts', async () => {
    const [slow, other] = [await start(300), await start(300)];
    const [began, lost] = [signal(), signal()];
    const fenced: string[] = [];
    const stopListening = listen('fenced', ({ group }) => fenced.push(group!));
    await subscribe(slow, { topic: Single, group: 'g' }, async () => {
      silence(slow);
      began.fire();
      await lost.promise;
    });
    await slow.publisher.publish(Single, { value: 1 });
    await began.promise;
    const taken = signal();
    const finish = signal();
    await subscribe(other, { topic: Single, group: 'g' }, async () => {
      taken.fire();
      await finish.promise;
    });
    await taken.promise;
    lost.fire();
    await waitFor(() => fenced.length === 1, { what: 'the refusal' });
    expect(await other.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 0, lag: 1, fenced: 1, pending: 1 });
    finish.fire();
    await idle(other, Single, 'g');
    stopListening();
    expect(await other.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 1, pending: 0 });
  });

  it('aborts ctx.signal when another member took the message', async () => {
    const [slow, other] = [await start(300), await start(300)];
    const [began, aborted] = [signal(), signal()];
    await subscribe(slow, { topic: Single, group: 'g' }, async (_: Single, ctx: DeliveryContext) => {
      began.fire();
      await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
      aborted.fire();
    });
    await slow.publisher.publish(Single, { value: 1 });
    await began.promise;
    const { log } = partitionKeys(prefix, 'test.single', 0);
    const [[entry]] = (await other.redis.control.call('XPENDING', log, 'g', '-', '+', 1)) as [[string]];
    await other.redis.control.call('XCLAIM', log, 'g', 'thief', 0, entry);
    await aborted.promise;
  });

  it('ends a message that takes every process down as a crash loop', async () => {
    const publisher = await start();
    await publisher.publisher.publish(Single, { value: 1 });
    for (let crash = 0; crash < 2; crash += 1) {
      const victim = await start(300);
      const began = signal();
      await subscribe(victim, { topic: Single, group: 'g', crashLimit: 2 }, async () => {
        began.fire();
        await new Promise(() => undefined);
      });
      await began.promise;
      victim.vanish();
    }
    await subscribe(await start(300), { topic: Single, group: 'g', crashLimit: 2 }, async () => undefined);
    await idle(publisher, Single, 'g');
    const [dead] = await publisher.streams.inspector.deadLetters(topicOf(Single), 'g');
    expect(dead).toMatchObject({ reason: 'CRASH_LOOP', crashes: 2, attempts: 1 });
  });

  it('does not end messages that only ran beside one that takes every process down', async () => {
    const publisher = await start();
    await publisher.publisher.publishMany(Single, [0, 1, 2, 3].map((value) => ({ payload: { value } })));
    const target = { topic: Single, group: 'g', concurrency: 4, crashLimit: 8 };
    for (let crash = 0; crash < 8; crash += 1) {
      const [victim, began] = [await start(300), signal()];
      await subscribe(victim, target, async ({ value }: Single) => {
        if (value === 2) began.fire();
        // Handlers beside that message are not done when the process goes down; alone, they soon are.
        await new Promise((resolve) => setTimeout(resolve, value === 2 ? 3_600_000 : 10).unref());
      });
      await began.promise;
      victim.vanish();
    }
    await subscribe(await start(300), target, async () => undefined);
    await idle(publisher, Single, 'g');
    const dead = await publisher.streams.inspector.deadLetters(topicOf(Single), 'g');
    expect(dead).toMatchObject([{ reason: 'CRASH_LOOP', crashes: 8, envelope: expect.stringContaining('{"value":2}') }]);
  });
});

describe('entries of several messages', () => {
  it('are handled message by message, and a redelivered entry without its settled messages', async () => {
    const publisher = await start(300, 8);
    const victim = await start(300);
    const stuck = signal();
    const first: number[] = [];
    await subscribe(victim, { topic: Single, group: 'g', retry: { attempts: 2, backoff: fixed('1h'), deadLetterOn: [] } }, async ({ value }: Single) => {
      first.push(value);
      if (value === 3) throw new Error('later');
      if (value < 6) return;
      if (first.length === 8) stuck.fire();
      await new Promise(() => undefined);
    });
    await publisher.publisher.publishMany(Single, Array.from({ length: 8 }, (_, value) => ({ payload: { value } })));
    await stuck.promise;
    await waitFor(async () => (await publisher.streams.inspector.group(topicOf(Single), 'g')).lag === 3, { what: 'five to be settled' });
    victim.vanish();

    const second: number[] = [];
    await subscribe(await start(300), { topic: Single, group: 'g' }, async ({ value }: Single) => void second.push(value));
    await waitFor(async () => (await publisher.streams.inspector.group(topicOf(Single), 'g')).lag === 1, { what: 'all but one to be settled' });
    expect(second.sort()).toEqual([6, 7]);
    expect(await publisher.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 7, retried: 1, retrying: 1, lag: 1 });
  });
});

describe('stopping', () => {
  it('starts no handler after stop, finishes those at work, and puts the rest back without counting an attempt', async () => {
    const process = await start();
    const stopping = await start();
    const [began, finish] = [signal(), signal()];
    let started = 0;
    const subscription = await subscribe(stopping, { topic: Single, group: 'g', concurrency: 1 }, async () => {
      started += 1;
      began.fire();
      await finish.promise;
    });
    await process.publisher.publishMany(Single, [1, 2, 3].map((value) => ({ payload: { value } })));
    await began.promise;
    const stopped = subscription.stop(10_000);
    finish.fire();
    await stopped;
    expect(started).toBe(1);
    expect(await process.streams.inspector.group(topicOf(Single), 'g')).toMatchObject({ handled: 1, lag: 2, pending: 0, retried: 0 });
    const attempts: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async (_: Single, ctx: DeliveryContext) => void attempts.push(ctx.attempt));
    await idle(process, Single, 'g');
    expect(attempts).toEqual([1, 1]);
  });
});

describe('Redis forgets', () => {
  it('goes on after FLUSHALL: the topic and its groups are made again', async () => {
    const process = await start();
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void seen.push(value));
    await process.publisher.publish(Single, { value: 1 });
    await waitFor(() => seen.length === 1, { what: 'the first' });
    await process.redis.control.call('FLUSHALL');
    await process.redis.control.call('SCRIPT', 'FLUSH');
    await process.publisher.publish(Single, { value: 2 });
    await waitFor(() => seen.length === 2, { what: 'the second', timeoutMs: 15_000 });
    expect(seen).toEqual([1, 2]);
  });

  it('does not know a group that never subscribed', async () => {
    const process = await start();
    await process.publisher.publish(Single, { value: 1 });
    await expect(process.streams.inspector.group(topicOf(Single), 'nobody')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
  });

  it('refuses a topic that is stored with another number of partitions', async () => {
    const process = await start();
    await process.streams.declare(topicOf(Single));
    await expect(process.streams.declare({ ...topicOf(Single), partitions: 4 })).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' });
  });
});
