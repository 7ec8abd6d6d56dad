import { describe, expect, it } from '@jest/globals';
import {
  BatchContext, batchPipeline, DeadLetter, type Delivery, DeliveryContext, Discard, fixed, Lease, MillraceError, newMessageId,
  type Outcome, RetryLater, Topic, topicOf,
} from '@millrace/core';
import { IsInt } from 'class-validator';

@Topic('counted')
class Counted {
  @IsInt() value!: number;
}

const retry = { attempts: 3, backoff: fixed('1s'), deadLetterOn: [] };
const ack = { kind: 'ack' };
const lost = new MillraceError('STATE_LOST', 'another has it');

function deliveryOf(value: unknown, given: Partial<Delivery> = {}): Delivery {
  const about = { key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
  const message = { id: newMessageId(), ...about, payload: { value } };
  const lease = given.lease ?? new Lease();
  return { message, topic: 'counted', partition: 0, offset: 0, group: 'g', attempt: 1, crashes: 0, replayed: false, lease, signal: lease.signal, ...given };
}

type Handle = (counted: Counted[], context: BatchContext) => Promise<unknown>;

function run(handle: Handle, deliveries: readonly Delivery[], timeoutMs: number | null = null): Promise<readonly Outcome[]> {
  return batchPipeline({ topic: topicOf(Counted), group: 'g', retry, timeoutMs, handle: handle as never })(deliveries);
}

const deliveries = (count: number): Delivery[] => Array.from({ length: count }, (_, value) => deliveryOf(value));

describe('a batch', () => {
  it('is handed over as instances with one context each, in their order, and acknowledged together', async () => {
    const batch = [deliveryOf(1), deliveryOf(2, { attempt: 2 })];
    let given: unknown[] = [];
    expect(await run((...all) => Promise.resolve((given = all)), batch)).toEqual([ack, ack]);
    const [payloads, context] = given as Parameters<Handle>;
    expect(payloads).toEqual([{ value: 1 }, { value: 2 }]);
    expect(payloads.every((payload) => payload instanceof Counted)).toBe(true);
    expect(context).toBeInstanceOf(BatchContext);
    expect(context.items.every((item) => item instanceof DeliveryContext)).toBe(true);
    const facts = batch.map(({ message, attempt }) => ({ messageId: message.id, attempt }));
    expect(context.items).toMatchObject(facts);
  });

  it('fails where the handler says so, and there alone', async () => {
    const outcomes = await run(async (_, context) => {
      context.fail(0, new Error('first'));
      context.fail(2, new RetryLater('7m'));
      context.fail(3, new DeadLetter('no'));
      context.fail(4, new Error('not the last word'));
      context.fail(4, new Discard());
      context.fail(5, new Error('last attempt'));
    }, [...deliveries(5), deliveryOf(5, { attempt: 3 })]);
    expect(outcomes).toMatchObject([
      { kind: 'retry', delayMs: 1_000, error: { message: 'first' } }, ack, { kind: 'retry', delayMs: 420_000 },
      { kind: 'dead-letter', reason: 'DEAD_LETTERED_BY_HANDLER' }, { kind: 'ack', discarded: true },
      { kind: 'dead-letter', reason: 'ATTEMPTS_EXHAUSTED' },
    ]);
  });

  it('fails as a whole when the handler throws, but for what it marked', async () => {
    const outcomes = await run(async (_, context) => {
      context.fail(1, new Discard());
      throw new Error('all');
    }, deliveries(3));
    expect(outcomes).toMatchObject([{ kind: 'retry', error: { message: 'all' } }, { discarded: true }, { kind: 'retry', error: { message: 'all' } }]);
  });

  it('is handed over without what does not validate, which fails alone', async () => {
    let given: Counted[] = [];
    const outcomes = await run(async (payloads, context) => {
      given = payloads;
      context.fail(1, new Error('the second of those that are valid'));
    }, [deliveryOf(1), deliveryOf('x'), deliveryOf(3)]);
    expect(given).toEqual([{ value: 1 }, { value: 3 }]);
    expect(outcomes).toMatchObject([ack, { kind: 'dead-letter', reason: 'INVALID_PAYLOAD' }, { kind: 'retry' }]);
  });

  it('does not reach the handler when nothing in it is valid', async () => {
    const outcomes = await run(() => Promise.reject(new Error('called')), [deliveryOf('x')]);
    expect(outcomes).toMatchObject([{ reason: 'INVALID_PAYLOAD' }]);
  });

  it.each([-1, 2, 0.5, Number.NaN, undefined, '0', {}])('has no payload %p to fail', async (index) => {
    const outcomes = await run(async (_, context) => context.fail(index as number, new Error('x')), deliveries(2));
    expect(outcomes).toMatchObject([{ kind: 'retry', error: { code: 'INVALID_INPUT' } }, { kind: 'retry' }]);
  });
});

describe('a message of a batch whose lease is given up', () => {
  it('goes back uncounted, whatever became of the batch; the others are settled', async () => {
    const leases = [new Lease(), new Lease(), new Lease()];
    const outcomes = await run(async (_, context) => {
      leases[0]!.giveUp(lost);
      leases[1]!.giveUp(lost);
      context.fail(0, new Error('own'));
    }, leases.map((lease) => deliveryOf(1, { lease })));
    expect(outcomes).toEqual([{ kind: 'release' }, { kind: 'release' }, { kind: 'ack' }]);
  });
});

describe('the signal of a batch', () => {
  it('aborts when the last lease is lost, and not before', async () => {
    const leases = [new Lease(), new Lease()];
    const aborted: boolean[] = [];
    await run(async (_, { signal, items }) => {
      for (const lease of leases) {
        aborted.push(signal.aborted);
        lease.giveUp(lost);
      }
      aborted.push(signal.aborted, items[0]!.signal.aborted);
    }, leases.map((lease) => deliveryOf(1, { lease })));
    expect(aborted).toEqual([false, false, true, true]);
  });

  it('leaves nothing on the signals of the leases', async () => {
    const lease = new Lease();
    const { signal } = lease;
    const listening = new Set<unknown>();
    signal.addEventListener = (_: string, listener: unknown) => void listening.add(listener);
    signal.removeEventListener = (_: string, listener: unknown) => void listening.delete(listener);
    let during = 0;
    await run(() => Promise.resolve((during = listening.size)), [deliveryOf(1, { lease }), deliveryOf(2, { lease })]);
    expect([during, listening.size]).toEqual([1, 0]);
  });

  it('aborts when the time is over; what was marked by then keeps its own failure', async () => {
    let given: AbortSignal | undefined;
    const outcomes = await run((_, context) => {
      given = context.signal;
      context.fail(0, new Error('own'));
      return new Promise(() => undefined);
    }, deliveries(2), 5);
    expect(outcomes).toMatchObject([{ kind: 'retry', error: { message: 'own' } }, { kind: 'retry', error: { code: 'TIMEOUT' } }]);
    expect(given!.reason).toMatchObject({ code: 'TIMEOUT' });
  });
});
