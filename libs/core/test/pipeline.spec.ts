import { getMaxListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import {
  DeadLetter, type Delivery, DeliveryContext, deliveryPipeline, Discard, fixed, type InboxPort, type InboxResult, Lease,
  MillraceError, newMessageId, type Outcome, OwnerFencedError, type OwningSubscriber, Publisher, type RetryPolicy,
  type SqlTransaction, Topic, topicOf,
} from '@millrace/core';
import { Type } from 'class-transformer';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { weirdValues } from './weird-values.js';

class Line {
  @IsInt()
  count!: number;
}

@Topic('orders')
class Order {
  @IsString()
  id!: string;

  @ValidateNested() @Type(() => Line)
  line!: Line;
}

const retry: RetryPolicy = { attempts: 3, backoff: fixed('1s'), deadLetterOn: [] };
const good = { id: 'o1', line: { count: 1 } };

function deliveryOf(payload: unknown, given: Partial<Delivery> = {}): Delivery {
  const none = { expiresAt: null, type: null, schema: 1 };
  const message = { id: newMessageId(), key: 'c1', idempotencyKey: 'k1', headers: { trace: 't' }, ...none, payload };
  const place = { topic: 'orders', partition: 2, offset: 7, group: 'inventory' };
  const lease = given.lease ?? new Lease();
  return { message, ...place, attempt: 1, crashes: 0, replayed: false, lease, signal: lease.signal, ...given };
}

type Handle = (payload: object, context: DeliveryContext) => Promise<unknown>;

function run(handle: Handle, delivery: Delivery, given: { inbox?: InboxPort; timeoutMs?: number } = {}): Promise<Outcome> {
  const pipeline = deliveryPipeline({ topic: topicOf(Order), group: 'inventory', retry, ...given, handle });
  return pipeline(delivery);
}

/** An inbox in memory: like a real one, it rolls back what fails. */
class MemoryInbox implements InboxPort {
  readonly seen = new Set<string>();
  readonly subscribers: (string | OwningSubscriber)[] = [];
  readonly transaction: SqlTransaction = { query: () => Promise.resolve({ rows: [], rowCount: 0 }) };

  async run<T>(
    subscriber: string | OwningSubscriber,
    messageId: string,
    work: (sql: SqlTransaction) => Promise<T>,
  ): Promise<InboxResult<T>> {
    this.subscribers.push(subscriber);
    const entry = `${typeof subscriber === 'string' ? subscriber : subscriber.name} ${messageId}`;
    if (this.seen.has(entry)) return { duplicate: true };
    const value = await work(this.transaction);
    this.seen.add(entry);
    return { duplicate: false, value };
  }
}

/** Something happens before its transaction begins. */
class LateInbox extends MemoryInbox {
  constructor(readonly meanwhile: () => void) {
    super();
  }

  override async run<T>(...args: Parameters<InboxPort['run']>): Promise<InboxResult<T>> {
    this.meanwhile();
    return super.run(...args) as Promise<InboxResult<T>>;
  }
}

const lost = new MillraceError('STATE_LOST', 'another has it');

/** Hands its lease over to another while it is asked about. */
class StaleLease extends Lease {
  override confirm(): Promise<void> {
    this.giveUp(lost);
    return Promise.resolve();
  }
}

describe('the pipeline', () => {
  it('hands an instance and a context to the handler, and acknowledges what it returns', async () => {
    const handled: [object, DeliveryContext][] = [];
    const delivery = deliveryOf(good, { attempt: 2, crashes: 1 });
    const outcome = await run((payload, context) => Promise.resolve(handled.push([payload, context])), delivery);
    expect(outcome).toEqual({ kind: 'ack' });
    const [[payload, context]] = handled as [[Order, DeliveryContext]];
    expect(payload).toEqual(good);
    expect([payload, payload.line].map(({ constructor }) => constructor)).toEqual([Order, Line]);
    expect(context).toMatchObject({
      messageId: delivery.message.id, key: 'c1', idempotencyKey: 'k1', headers: { trace: 't' }, topic: 'orders', partition: 2, offset: 7, group: 'inventory',
      attempt: 2, crashes: 1, redelivered: true, signal: delivery.signal,
    });
    expect(Math.abs(Date.now() - context.publishedAt.getTime())).toBeLessThan(60_000);
  });

  it.each([[1, 0, false], [2, 0, true], [1, 1, true]])('knows whether it is a redelivery: attempt %i after %i crashes', async (attempt, crashes, expected) => {
    let redelivered: boolean | undefined;
    await run((_, context) => Promise.resolve((redelivered = context.redelivered)), deliveryOf(good, { attempt, crashes }));
    expect(redelivered).toBe(expected);
  });

  it('dead-letters at once what cannot be read, without the handler', async () => {
    let calls = 0;
    for (const payload of [null, [], 'text', { id: 1 }, { id: 'o', line: { count: 'x' } }, JSON.parse('['.repeat(9_000) + ']'.repeat(9_000)), { id: 'o', line: { constructor: 1 } }]) {
      const outcome = await run(() => Promise.resolve((calls += 1)), deliveryOf(payload));
      expect(outcome).toMatchObject({ kind: 'dead-letter', reason: 'INVALID_PAYLOAD', error: { code: 'INVALID_PAYLOAD', message: expect.stringContaining("topic 'orders'") } });
    }
    expect(calls).toBe(0);
  });

  it('retries when the handler publishes something invalid: its own message is not at fault', async () => {
    const publisher = new Publisher({ publish: () => Promise.reject(new Error('not reached')) });
    const outcome = await run(() => publisher.publish(Order, { id: 7 } as never), deliveryOf(good));
    expect(outcome).toMatchObject({ kind: 'retry', error: { code: 'INVALID_PAYLOAD' } });
  });

  it.each(weirdValues())('has an outcome when the handler throws %s', async (_, thrown) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- handlers are other people's code
    const rejecting = await run(() => Promise.reject(thrown), deliveryOf(good));
    const throwing = await run(() => { throw thrown; }, deliveryOf(good, { attempt: 3 }));
    expect(rejecting).toMatchObject({ kind: 'retry', delayMs: 1_000, error: { message: expect.any(String) } });
    expect(throwing).toMatchObject({ kind: 'dead-letter', reason: 'ATTEMPTS_EXHAUSTED' });
    expect(JSON.stringify(rejecting).length).toBeLessThan(40_000);
  });

  it('has an outcome when the payload itself is hostile', async () => {
    const hostile = new Proxy({}, { ownKeys: () => { throw new Error('keep out'); } });
    const outcome = await run(() => Promise.resolve(), deliveryOf(hostile));
    expect(outcome).toMatchObject({ kind: 'retry', error: { message: 'keep out' } });
  });

  it('refuses a transaction to handlers without an inbox', async () => {
    const outcome = await run((_, context) => context.transaction.query('SELECT 1'), deliveryOf(good));
    expect(outcome).toMatchObject({ kind: 'retry', error: { code: 'INBOX_NOT_CONFIGURED', message: expect.stringContaining('inbox: true') } });
  });
});

describe('the pipeline with an inbox', () => {
  it('runs the handler inside its transaction, once a message and group', async () => {
    const inbox = new MemoryInbox();
    const delivery = deliveryOf(good);
    const transactions: SqlTransaction[] = [];
    const handle: Handle = (_, context) => Promise.resolve(transactions.push(context.transaction));
    expect(await run(handle, delivery, { inbox })).toEqual({ kind: 'ack' });
    expect(await run(handle, delivery, { inbox })).toEqual({ kind: 'ack', deduplicated: true });
    expect(transactions).toEqual([inbox.transaction]);
    expect([...inbox.seen]).toEqual([`orders/inventory ${delivery.message.id}`]);
  });

  it('records nothing of an attempt that fails, so that the next one runs', async () => {
    const inbox = new MemoryInbox();
    const delivery = deliveryOf(good);
    expect(await run(() => Promise.reject(new Error('x')), delivery, { inbox })).toMatchObject({ kind: 'retry' });
    expect(await run(() => Promise.reject(new Discard()), delivery, { inbox })).toEqual({ kind: 'ack', discarded: true });
    expect(await run(() => Promise.reject(new DeadLetter('x')), delivery, { inbox })).toMatchObject({ kind: 'dead-letter' });
    expect(inbox.seen.size).toBe(0);
    expect(await run(() => Promise.resolve(), delivery, { inbox })).toEqual({ kind: 'ack' });
  });

  it('does not begin what has lost its lease while it waited for the transaction', async () => {
    const lease = new Lease();
    const inbox = new LateInbox(() => lease.giveUp(lost));
    const begun: unknown[] = [];
    const handle: Handle = (payload) => Promise.resolve(begun.push(payload));
    const outcome = await run(handle, deliveryOf(good, { lease }), { inbox });
    expect(outcome).toEqual({ kind: 'release' });
    expect([begun, [...inbox.seen]]).toEqual([[], []]);
  });

  it('does not begin what has expired while it waited for the transaction', async () => {
    const delivery = deliveryOf(good);
    const message = { ...delivery.message, expiresAt: Date.now() + 3_600_000 };
    const begun: unknown[] = [];
    const handle: Handle = (payload) => Promise.resolve(begun.push(payload));
    const inbox = new LateInbox(() => void (message.expiresAt = Date.now()));
    expect(await run(handle, { ...delivery, message }, { inbox })).toEqual({ kind: 'ack', expired: true });
    expect(begun).toEqual([]);
  });

  it('does not ask for a transaction when nothing may begin any more', async () => {
    const inbox: InboxPort = { run: () => new Promise(() => undefined) };
    const delivery = deliveryOf(good, { paused: AbortSignal.abort() });
    expect(await run(() => Promise.resolve(), delivery, { inbox })).toEqual({ kind: 'release' });
  });

  it('does not ask the inbox about what cannot be read', async () => {
    const inbox: InboxPort = { run: () => Promise.reject(new Error('asked')) };
    expect(await run(() => Promise.resolve(), deliveryOf({ id: 7 }), { inbox })).toMatchObject({ reason: 'INVALID_PAYLOAD' });
  });

  it('has an outcome when the inbox itself fails, at once or later', async () => {
    const later: InboxPort = { run: () => Promise.reject(new Error('the database is away')) };
    const atOnce: InboxPort = { run: () => { throw new Error('no database'); } };
    expect(await run(() => Promise.resolve(), deliveryOf(good), { inbox: later })).toMatchObject({ kind: 'retry', error: { message: 'the database is away' } });
    expect(await run(() => Promise.resolve(), deliveryOf(good), { inbox: atOnce })).toMatchObject({ kind: 'retry', error: { message: 'no database' } });
  });

  it('is told of the owner of the partition, where there is one', async () => {
    const [inbox, owner] = [new MemoryInbox(), { member: 'm', epoch: 7 }];
    await run(() => Promise.resolve(), deliveryOf(good, { owner }), { inbox });
    await run(() => Promise.resolve(), deliveryOf(good), { inbox });
    expect(inbox.subscribers).toEqual([{ name: 'orders/inventory', partition: 2, owner }, 'orders/inventory']);
  });

  it('that knows another owner sends the message back, with the epoch that it knows, and counts no attempt', async () => {
    const inbox: InboxPort = { run: () => Promise.reject(new OwnerFencedError('another owns it', 9)) };
    const owner = { member: 'm', epoch: 7 };
    expect(await run(() => Promise.resolve(), deliveryOf(good, { owner, attempt: 3 }), { inbox })).toEqual({ kind: 'release', fencedBy: 9 });
    const lease = new Lease();
    lease.giveUp(lost);
    expect(await run(() => Promise.resolve(), deliveryOf(good, { owner, lease }), { inbox })).toEqual({ kind: 'release' });
  });
});

describe('a handler whose lease is given up', () => {
  const ends: [string, () => Promise<unknown>][] = [
    ['returns', () => Promise.resolve()],
    ['throws', () => Promise.reject(new Error('x'))],
    ['discards', () => Promise.reject(new Discard())],
    ['dead-letters', () => Promise.reject(new DeadLetter('x'))],
  ];

  it.each(ends)('decides nothing, and records nothing: it %s', async (_, end) => {
    for (const timeoutMs of [undefined, 60_000]) {
      const [lease, inbox] = [new Lease(), new MemoryInbox()];
      const handle: Handle = () => {
        lease.giveUp(lost);
        return end();
      };
      const delivery = deliveryOf(good, { lease, attempt: 3 });
      const limit = timeoutMs === undefined ? {} : { timeoutMs };
      expect(await run(handle, delivery, { inbox, ...limit })).toEqual({ kind: 'release' });
      expect(await run(end, delivery, limit)).toEqual({ kind: 'release' });
      expect(inbox.seen.size).toBe(0);
    }
  });

  it('is rolled back at once, though it does not end', async () => {
    const [lease, inbox] = [new Lease(), new MemoryInbox()];
    const handle: Handle = () => {
      setImmediate(() => lease.giveUp(lost));
      return new Promise(() => undefined);
    };
    expect(await run(handle, deliveryOf(good, { lease }), { inbox })).toEqual({ kind: 'release' });
    expect(inbox.seen.size).toBe(0);
  });

  it('is rolled back when that turns out as its transaction is to be committed', async () => {
    const inbox = new MemoryInbox();
    const delivery = deliveryOf(good, { lease: new StaleLease() });
    expect(await run(() => Promise.resolve(), delivery, { inbox })).toEqual({ kind: 'release' });
    expect(inbox.seen.size).toBe(0);
  });

  it('does not wait for its transaction any more', async () => {
    const lease = new Lease();
    const inbox: InboxPort = { run: () => new Promise(() => setImmediate(() => lease.giveUp(lost))) };
    expect(await run(() => Promise.resolve(), deliveryOf(good, { lease }), { inbox })).toEqual({ kind: 'release' });
  });
});

describe('a lease', () => {
  it('lets any number of handlers listen: the messages of an entry share one, and all of a broadcast', () => {
    expect(getMaxListeners(new Lease().signal)).toBe(Infinity);
  });
});

describe('the time limit', () => {
  const timeout = { kind: 'retry', error: { name: 'HandlerTimeoutError', code: 'TIMEOUT', message: expect.stringContaining('within 5 ms') } };

  it('fails the attempt and aborts the signal with the reason', async () => {
    let given: AbortSignal | undefined;
    const never: Handle = (_, { signal }) => new Promise(() => (given = signal));
    expect(await run(never, deliveryOf(good), { timeoutMs: 5 })).toMatchObject(timeout);
    expect(given!.reason).toMatchObject({ code: 'TIMEOUT' });
  });

  it.each(['returns', 'throws'])('counts as exceeded when the handler %s at the abort', async (how) => {
    const handle: Handle = (_, { signal }) =>
      new Promise((resolve, reject) => signal.addEventListener('abort', () => (how === 'returns' ? resolve(1) : reject(new Discard()))));
    expect(await run(handle, deliveryOf(good), { timeoutMs: 5 })).toMatchObject(timeout);
  });

  it('passes on that the lease was lost, before the handler began or after', async () => {
    const lease = new Lease();
    const seen: unknown[] = [];
    const handle: Handle = async (_, { signal }) => {
      lease.giveUp(lost);
      seen.push(signal.reason);
    };
    const delivery = deliveryOf(good, { lease });
    await run(handle, delivery, { timeoutMs: 60_000 });
    await run(handle, delivery, { timeoutMs: 60_000 });
    expect(seen).toEqual([lost, lost]);
  });

  it('leaves nothing on the signal of the lease', async () => {
    const { signal } = new AbortController();
    const listening = new Set<unknown>();
    const listen = signal.addEventListener.bind(signal);
    signal.addEventListener = (type: string, listener: never) => {
      listening.add(listener);
      listen(type, listener);
    };
    signal.removeEventListener = (_: string, listener: unknown) => void listening.delete(listener);
    let during = 0;
    await run(() => Promise.resolve((during = listening.size)), deliveryOf(good, { signal }), { timeoutMs: 60_000 });
    expect([during, listening.size]).toEqual([1, 0]);
  });

  it('rolls back what the inbox recorded', async () => {
    const inbox = new MemoryInbox();
    const delivery = deliveryOf(good);
    expect(await run(() => new Promise(() => undefined), delivery, { inbox, timeoutMs: 5 })).toMatchObject(timeout);
    expect(inbox.seen.size).toBe(0);
    expect(await run(() => Promise.resolve(), delivery, { inbox, timeoutMs: 60_000 })).toEqual({ kind: 'ack' });
  });
});
