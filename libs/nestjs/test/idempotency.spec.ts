import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable, Module } from '@nestjs/common';
import type { Queue } from '@millrace/jobs';
import type { LedgerCounters } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import {
  type BatchContext, CallContext, type CallOptions, type DeliveryContext, fixed, Groups, Inspector, Job, type JobContext,
  JobHandler, JobQueue, Ledgers, MillraceModule, Publisher, RpcContract, RpcService, Subscribe, SubscribeBatch,
} from '@millrace/nestjs';
import { atOnce, Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Job('charge', { queue: 'payments', attempts: 3, backoff: fixed('1ms') })
class Charge {
  @IsString() orderId!: string;
}

class Receipt {
  @IsString() orderId!: string;
}

@RpcContract<Till>('till', { pay: { input: Charge, output: Receipt, idempotent: true } })
abstract class Till {
  abstract pay(charge: Charge, options?: CallOptions): Promise<Receipt>;
}

@Injectable()
class Notes extends Journal {}

@Module({ imports: [MillraceModule.forFeature([OrderPlaced, Charge, Till])], providers: [Notes], exports: [Notes] })
class Shop {}

/** How many memos there were while a step ran. */
@Injectable()
class Kept {
  readonly counts: number[] = [];
}

async function keptMemos(): Promise<number> {
  const redis = await connectServer({ url: bench.redis.url });
  try {
    return ((await redis.control.call('KEYS', '*{memo:queue:payments:charge:*')) as string[]).length;
  } finally {
    redis.close();
  }
}

describe('@Subscribe with idempotency', () => {
  it('handles messages with the same key once, and tells how many it knows', async () => {
    @Injectable()
    class Billing {
      readonly #tried = new Set<string>();

      constructor(readonly notes: Notes) {}

      /** The other message of the key may be the next one that is tried. */
      @Subscribe(OrderPlaced, { group: 'billing', retry: atOnce, idempotency: { key: ({ orderId }) => orderId, ttl: '1d' } })
      bill({ orderId }: OrderPlaced): void {
        const isFirst = !this.#tried.has(orderId);
        this.#tried.add(orderId);
        this.notes.add(`${orderId} ${isFirst ? 'failed' : 'billed'}`);
        if (isFirst) throw new Error('not yet');
      }

      @SubscribeBatch(OrderPlaced, { group: 'stock', idempotency: true })
      stock(orders: OrderPlaced[]): void {
        for (const { orderId } of orders) this.notes.add(`stock ${orderId}`);
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Billing] });
    const publisher = app.get(Publisher);
    for (const orderId of ['a', 'a', 'b']) await publisher.publish(OrderPlaced, { orderId, amount: 1 });
    const group = (name: string): Promise<unknown> => app.get(Inspector).group(OrderPlaced, name);
    const isDone = async (): Promise<boolean> => {
      const states = (await Promise.all(['billing', 'stock'].map(group))) as { lag: number; handled: number }[];
      return states.every(({ lag, handled }) => lag === 0 && handled === 3);
    };
    await waitFor(isDone, { what: 'all to be settled' });
    expect(app.get(Notes).entries.sort()).toEqual(['a billed', 'a failed', 'b billed', 'b failed', 'stock a', 'stock a', 'stock b']);
    expect(await group('billing')).toMatchObject({ deduplicated: 1 });
    expect(await app.get(Ledgers).states()).toEqual([
      { scope: 'topic:shop.orders.placed:billing', inProgress: 0, done: 2, counters: expect.objectContaining({ repeated: 1, completed: 2 }) },
      { scope: 'topic:shop.orders.placed:stock', inProgress: 0, done: 3, counters: expect.objectContaining({ repeated: 0, completed: 3 }) },
    ]);
    await app.get(Groups).seek(OrderPlaced, 'stock', { to: 'earliest' });
    await waitFor(async () => ((await group('stock')) as { deduplicated: number }).deduplicated === 3, { what: 'the replay to be skipped' });
    await app.get(Groups).seek(OrderPlaced, 'stock', { to: 'earliest', force: true });
    expect((await app.get(Notes).has(10)).slice(7).sort()).toEqual(['stock a', 'stock a', 'stock b']);
  });

  it('runs no second handler beside one that takes longer than the ttl', async () => {
    let end = (): void => undefined;
    const ends = new Promise<void>((resolve) => (end = resolve));
    @Injectable()
    class Billing {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'billing', idempotency: { key: ({ orderId }) => orderId, ttl: '1s' } })
      async bill({ amount }: OrderPlaced): Promise<void> {
        this.notes.add(`began ${amount}`);
        await ends;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Billing] });
    const [publisher, notes] = [app.get(Publisher), app.get(Notes)];
    await publisher.publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await notes.has(1);
    const begunAt = performance.now();
    await waitFor(() => performance.now() > begunAt + 1_500, { what: 'the ttl to be over' });
    await publisher.publish(OrderPlaced, { orderId: 'a', amount: 2 });
    const counters = async (): Promise<LedgerCounters> => (await app.get(Ledgers).states())[0]!.counters;
    await waitFor(async () => (await counters()).busy > 0 || notes.entries.length > 1, { what: 'the second one to be seen' });
    expect(notes.entries).toEqual(['began 1']);
    end();
    await waitFor(async () => (await counters()).completed + (await counters()).fenced > 0, { what: 'the first one to be recorded' });
    expect(await counters()).toMatchObject({ fenced: 0 });
  });

  it.each([
    [{ ttl: '0ms' as const }, 'ttl'],
    [{ maxEntries: 1 }, 'maxEntries'],
    [{ key: 'orderId' as never }, 'key'],
    ['yes' as never, 'idempotency'],
    [{ window: '1d' } as never, 'window'],
  ])('refuses %j at boot', async (idempotency, text) => {
    @Injectable()
    class Billing {
      @Subscribe(OrderPlaced, { group: 'billing', idempotency })
      bill(): void {
        // It is never called.
      }
    }
    const error = await failureOf(bench.app({ imports: [Shop], providers: [Billing] }));
    expect([error.code, error.message]).toEqual(['INVALID_OPTIONS', expect.stringContaining(text)]);
  });
});

describe('@JobHandler with idempotency', () => {
  it('handles jobs with the same key once: one waits for the other without an attempt, and is completed without it', async () => {
    let end = (): void => undefined;
    const ends = new Promise<void>((resolve) => (end = resolve));
    @Injectable()
    class Payments {
      constructor(readonly notes: Notes) {}

      @JobHandler(Charge, { idempotency: { key: ({ orderId }) => orderId } })
      async charge({ orderId }: Charge, { attempt }: JobContext): Promise<string> {
        this.notes.add(`${orderId} ${attempt}`);
        await ends;
        return 'charged';
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments] });
    const jobs = app.get(JobQueue);
    const ids = [(await jobs.enqueue(Charge, { orderId: 'a' })).id];
    await app.get(Notes).has(1);
    ids.push((await jobs.enqueue(Charge, { orderId: 'a' })).id);
    const queue = app.get<Queue>(getQueueToken('payments'), { strict: false });
    const [ledger] = await app.get(Ledgers).states();
    expect(ledger).toMatchObject({ scope: 'queue:payments:charge', inProgress: 1 });
    await waitFor(async () => (await app.get(Ledgers).states())[0]!.counters.busy >= 2, { what: 'the second job to wait' });
    end();
    await waitFor(async () => (await queue.getCompletedCount()) === 2, { what: 'both jobs to be completed' });
    const done = await Promise.all(ids.map((id) => queue.getJob(id)));
    expect(done.map((job) => job?.returnvalue as unknown)).toEqual(['charged', 'deduplicated']);
    expect(done.map((job) => job?.attemptsMade)).toEqual([1, 1]);
    expect(app.get(Notes).entries).toEqual(['a 1']);
  });

  it('fails a job whose key cannot be told, at once', async () => {
    @Injectable()
    class Payments {
      @JobHandler(Charge, { idempotency: { key: () => '' } })
      charge(): void {
        // It is never called.
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments] });
    const { id } = await app.get(JobQueue).enqueue(Charge, { orderId: 'a' });
    const queue = app.get<Queue>(getQueueToken('payments'), { strict: false });
    await waitFor(async () => (await queue.getFailedCount()) === 1, { what: 'the job to fail' });
    const job = await queue.getJob(id);
    expect([job?.attemptsMade, job?.failedReason]).toEqual([1, expect.stringContaining('idempotency key')]);
  });
});

describe('ctx.once', () => {
  it('begins no step in an attempt whose time is over, while the next one does the work', async () => {
    let goOn = (): void => undefined;
    const slow = new Promise<void>((resolve) => (goOn = resolve));
    const ends: Promise<unknown>[] = [];
    @Injectable()
    class Payments {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'payments', retry: atOnce, timeout: '50ms' })
      pay({ orderId }: OrderPlaced, context: DeliveryContext): Promise<void> {
        return this.#pay(`message ${orderId}`, context);
      }

      @JobHandler(Charge, { timeout: '50ms' })
      charge({ orderId }: Charge, context: JobContext): Promise<void> {
        return this.#pay(`job ${orderId}`, context);
      }

      async #pay(what: string, context: DeliveryContext | JobContext): Promise<void> {
        if (context.attempt === 1) await slow;
        const paid = context.once('pay', () => this.notes.add(what));
        if (context.attempt === 1) ends.push(failureOf(paid).then(({ code }) => code, () => 'run'));
        await paid;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments] });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(Charge, { orderId: 'b' });
    await app.get(Notes).has(2);
    const isDone = async (): Promise<boolean> => {
      const { handled } = await app.get(Inspector).group(OrderPlaced, 'payments');
      return handled === 1 && (await app.get(JobQueue).counts('payments')).completed === 1;
    };
    await waitFor(isDone, { what: 'both to be done' });
    goOn();
    await waitFor(() => ends.length === 2, { what: 'the first attempts to go on' });
    expect(await Promise.all(ends)).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(app.get(Notes).entries.sort()).toEqual(['job b', 'message a']);
  });

  it('begins no step when the handler has ended', async () => {
    let goOn = (): void => undefined;
    const slow = new Promise<void>((resolve) => (goOn = resolve));
    const late: Promise<string>[] = [];
    @Injectable()
    class Payments {
      constructor(readonly notes: Notes) {}

      @Subscribe(OrderPlaced, { group: 'payments', retry: atOnce })
      async pay({ orderId }: OrderPlaced, context: DeliveryContext): Promise<void> {
        const paid = slow.then(() => context.once('pay', () => this.notes.add(orderId)));
        late.push(failureOf(paid).then(({ code }) => code, () => 'run'));
        if (context.attempt === 1) throw new Error('what was begun goes on');
        goOn();
        await paid;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments] });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(Notes).has(1);
    expect(await Promise.all(late)).toEqual(['CLOSED', 'run']);
    expect(app.get(Notes).entries).toEqual(['a']);
  });

  it('begins no step when the handler of a batch, a job or a method has ended', async () => {
    let goOn = (): void => undefined;
    const slow = new Promise<void>((resolve) => (goOn = resolve));
    const late: Promise<string>[] = [];
    const laterIn = (context: Pick<DeliveryContext, 'once'>): void => {
      const step = slow.then(() => context.once('pay', () => 'paid'));
      late.push(failureOf(step).then(({ code }) => code, () => 'run'));
    };
    @Injectable()
    @RpcService(Till)
    class Payments {
      @SubscribeBatch(OrderPlaced, { group: 'payments', retry: atOnce })
      collect(_: OrderPlaced[], { items }: BatchContext): void {
        laterIn(items[0]!);
      }

      @JobHandler(Charge)
      charge(_: Charge, context: JobContext): void {
        laterIn(context);
      }

      pay(charge: Charge, context: CallContext): Receipt {
        laterIn(context);
        return charge;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments] });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(Charge, { orderId: 'b' });
    await app.get<Till>(Till).pay({ orderId: 'c' });
    const isDone = async (): Promise<boolean> => {
      const { handled } = await app.get(Inspector).group(OrderPlaced, 'payments');
      return handled === 1 && (await app.get(JobQueue).counts('payments')).completed === 1;
    };
    await waitFor(isDone, { what: 'message and job to be done' });
    goOn();
    expect(await Promise.all(late)).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
  });

  it('skips in the next attempt of a job what is done, until the job is completed', async () => {
    @Injectable()
    class Payments {
      constructor(readonly notes: Notes, readonly kept: Kept) {}

      @JobHandler(Charge)
      async charge(_: Charge, context: JobContext): Promise<string> {
        const paid = await context.once('pay', () => {
          this.notes.add('pay');
          return { at: context.attempt };
        });
        await context.once('mail', async () => {
          this.kept.counts.push(await keptMemos());
          this.notes.add('mail');
          if (context.attempt < 3) throw new Error('not yet');
        });
        return `paid at ${paid.at}`;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [Payments, Kept] });
    const { id } = await app.get(JobQueue).enqueue(Charge, { orderId: 'a' });
    expect(await app.get(Notes).has(4)).toEqual(['pay', 'mail', 'mail', 'mail']);
    const queue = app.get<Queue>(getQueueToken('payments'), { strict: false });
    await waitFor(async () => (await queue.getCompletedCount()) === 1, { what: 'the job to be completed' });
    expect((await queue.getJob(id))?.returnvalue).toBe('paid at 1');
    expect(app.get(Kept).counts).toEqual([1, 1, 1]);
    await waitFor(async () => (await keptMemos()) === 0, { what: 'the memo to be dropped' });
  });

  it('skips what is done when a request of an idempotent method is sent again', async () => {
    @Injectable()
    @RpcService(Till)
    class OwnTill {
      constructor(readonly notes: Notes) {}

      async pay({ orderId }: Charge, context: CallContext): Promise<Receipt> {
        const paid = await context.once('pay', () => {
          this.notes.add('pay');
          return { orderId };
        });
        this.notes.add('mail');
        if (this.notes.entries.length < 4) throw new Error('not yet');
        return paid;
      }
    }
    const app = await bench.app({ imports: [Shop], providers: [OwnTill] });
    const till = app.get<Till>(Till);
    await expect(till.pay({ orderId: 'a' }, { requestId: 'r1' })).rejects.toThrow('not yet');
    await expect(till.pay({ orderId: 'a' }, { requestId: 'r1' })).rejects.toThrow('not yet');
    expect(await till.pay({ orderId: 'a' }, { requestId: 'r1' })).toEqual({ orderId: 'a' });
    expect(app.get(Notes).entries).toEqual(['pay', 'mail', 'mail', 'mail']);
  });
});
