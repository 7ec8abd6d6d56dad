import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import type { Queue } from '@millrace/jobs';
import { findDatabase, type RunningDatabase } from '@millrace/outbox';
import {
  type DeliveryContext,
  InjectDatabase,
  Inspector,
  type JobContext,
  JobHandler,
  JobQueue,
  MillraceModule,
  Publisher,
  type SqlDatabase,
  Subscribe,
} from '@millrace/nestjs';
import { topicOf } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Connections } from '../src/module/connections.js';
import { atOnce, Bench, failureOf, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
let database: RunningDatabase;
beforeAll(async () => {
  [bench, database] = await Promise.all([Bench.start(), findDatabase({ env: {} })]);
});
afterEach(() => bench.closeApps());
afterAll(async () => {
  await bench.stop();
  await database.stop();
});

@Injectable()
class Notes extends Journal {}

@Injectable()
class Stock {
  constructor(
    readonly notes: Notes,
    @InjectDatabase() readonly database: SqlDatabase,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.database.query('CREATE TABLE IF NOT EXISTS moved (id text, by text)');
  }

  @Subscribe(OrderPlaced, { group: 'inventory', inbox: true, retry: atOnce })
  async move({ orderId }: OrderPlaced, { transaction, attempt }: DeliveryContext): Promise<void> {
    await transaction.query('INSERT INTO moved VALUES ($1, $2)', [orderId, 'message']);
    this.notes.add(`message ${orderId} ${attempt}`);
    if (attempt === 1) throw new Error('rolled back');
  }

  @JobHandler(SendConfirmation, { inbox: true })
  async send({ orderId }: SendConfirmation, { transaction, attempt }: JobContext): Promise<void> {
    await transaction.query('INSERT INTO moved VALUES ($1, $2)', [orderId, 'job']);
    this.notes.add(`job ${orderId} ${attempt}`);
    if (attempt === 1) throw new Error('rolled back');
  }
}

describe('inbox: true', () => {
  it('makes the writes of messages and jobs take effect once, however often they are tried', async () => {
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const app = await bench.app({ imports, providers: [Notes, Stock] }, { database: database.url });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'b' });
    expect((await app.get(Notes).has(4)).sort()).toEqual(['job b 1', 'job b 2', 'message a 1', 'message a 2']);
    await app.close();
    const later = await bench.app({ imports, providers: [Notes, Stock] }, { database: database.url, handlers: 'none' });
    const { rows } = await later.get(Stock).database.query('SELECT id, by FROM moved ORDER BY id');
    expect(rows).toEqual([{ id: 'a', by: 'message' }, { id: 'b', by: 'job' }]);
  });

  it('refuses statements in a step of once, which would be undone with the attempt while the step counts as done', async () => {
    @Injectable()
    class Careless {
      constructor(readonly notes: Notes, @InjectDatabase() readonly database: SqlDatabase) {}

      async onModuleInit(): Promise<void> {
        await this.database.query('CREATE TABLE IF NOT EXISTS steps (id text)');
      }

      @Subscribe(OrderPlaced, { group: 'careless', inbox: true, retry: atOnce })
      async move({ orderId }: OrderPlaced, context: DeliveryContext): Promise<void> {
        await this.#write(orderId, context);
      }

      @JobHandler(SendConfirmation, { inbox: true })
      async send({ orderId }: SendConfirmation, context: JobContext): Promise<void> {
        await this.#write(orderId, context);
      }

      async #write(id: string, context: DeliveryContext | JobContext): Promise<void> {
        const { transaction, attempt } = context;
        const insert = (): Promise<unknown> => transaction.query('INSERT INTO steps VALUES ($1)', [id]);
        const code = await failureOf(context.once('write', insert)).then((error) => error.code, () => 'run');
        const other = await failureOf(context.once('get', () => context.transaction.own)).then((error) => error.code, () => 'run');
        if (code !== 'run') await insert();
        this.notes.add(`${id} ${code} ${other}`);
        if (attempt === 1) throw new Error('rolled back');
      }
    }
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const app = await bench.app({ imports, providers: [Notes, Careless] }, { database: database.url });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'b' });
    await app.get(Notes).has(4);
    await app.close();
    const later = await bench.app({ imports, providers: [Notes, Careless] }, { database: database.url, handlers: 'none' });
    const { rows } = await later.get(Careless).database.query('SELECT id FROM steps ORDER BY id');
    expect([app.get(Notes).entries.toSorted(), rows]).toEqual([
      ['a INVALID_INPUT INVALID_INPUT', 'a INVALID_INPUT INVALID_INPUT', 'b INVALID_INPUT INVALID_INPUT', 'b INVALID_INPUT INVALID_INPUT'],
      [{ id: 'a' }, { id: 'b' }],
    ]);
  });

  it('handles a job that BullMQ numbers as an earlier one, whose queue was emptied since', async () => {
    const notes = new Notes();
    @Injectable()
    class Mails {
      @JobHandler(SendConfirmation, { inbox: true, idempotency: true })
      async send({ orderId }: SendConfirmation, context: JobContext): Promise<void> {
        await context.once('note', () => notes.add(`${context.jobId} ${orderId}`));
        if (orderId === 'a') throw new Error('it is kept with its steps');
      }
    }
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const app = await bench.app({ imports, providers: [Mails] }, { database: database.url });
    const queue = app.get<Queue>(getQueueToken('emails'), { strict: false });
    await queue.add('send-confirmation', { orderId: 'a' });
    await waitFor(async () => (await queue.getFailedCount()) === 1, { what: 'the first to be given up' });
    await queue.obliterate({ force: true });
    await queue.add('send-confirmation', { orderId: 'b' });
    await waitFor(async () => (await queue.getCompletedCount()) === 1, { what: 'the second to be completed' });
    await queue.obliterate({ force: true });
    await queue.add('send-confirmation', { orderId: 'c' });
    await waitFor(async () => (await queue.getCompletedCount()) === 1, { what: 'the third to be completed' });
    expect(notes.entries).toEqual(['1 a', '1 b', '1 c']);
  });

  it('goes by as many connections as the application allows', async () => {
    const app = await bench.app({ providers: [Notes, Stock] }, { database: database.url, databaseConnections: 3 });
    expect((await app.get(Connections, { strict: false }).database()).connections).toBe(3);
  });

  it('forgets what was handled longer ago than the application says, and nothing else', async () => {
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const options = { database: database.url, inboxKeep: '30d' as const };
    const first = await bench.app({ imports, providers: [Notes, Stock] }, options);
    const { database: sql } = first.get(Stock);
    const row = "INSERT INTO millrace_inbox VALUES ('kept', $1, now() - interval '10 days'), ('kept', $2, now() - interval '40 days')";
    await sql.query(row, ['recent', 'old']);
    await bench.app({ imports, providers: [Notes, Stock] }, options);
    const kept = async (): Promise<unknown> => (await sql.query("SELECT message_id FROM millrace_inbox WHERE subscriber = 'kept'")).rows;
    await waitFor(async () => JSON.stringify(await kept()) === '[{"message_id":"recent"}]', { what: 'the old one to be forgotten' });
  });

  it('begins nothing that waits for a connection once the process stops: it goes back at once, and no attempt counts', async () => {
    let finish!: () => void;
    const held = new Promise<void>((resolve) => (finish = resolve));
    const begun: string[] = [];
    @Injectable()
    class Busy {
      @Subscribe(OrderPlaced, { group: 'busy', inbox: true })
      async move({ orderId }: OrderPlaced, { attempt }: DeliveryContext): Promise<void> {
        begun.push(`${orderId} ${attempt}`);
        await held;
      }

      @JobHandler(SendConfirmation, { inbox: true })
      async send({ orderId }: SendConfirmation, { attempt }: JobContext): Promise<void> {
        begun.push(`${orderId} ${attempt}`);
        await held;
      }
    }
    const prefix = bench.prefix();
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const options = { database: database.url, databaseConnections: 2, prefix };
    const watcher = await bench.app({ imports }, { prefix, handlers: 'none' });
    const app = await bench.app({ imports, providers: [Busy] }, options);
    const waiting = async (): Promise<unknown> => {
      const { pending } = await watcher.get(Inspector).group(topicOf(OrderPlaced), 'busy');
      const { active } = await watcher.get(JobQueue).counts('emails');
      return [pending, active];
    };
    for (const orderId of ['a', 'b', 'c']) await watcher.get(Publisher).publish(OrderPlaced, { orderId, amount: 1 });
    for (const orderId of ['d', 'e', 'f']) await watcher.get(JobQueue).enqueue(SendConfirmation, { orderId });
    await waitFor(async () => String(await waiting()) === '3,3' && begun.length > 0, { what: 'all to be in hand' });
    expect(begun).toHaveLength(1);
    const closing = app.close();
    await waitFor(async () => ['1,0', '0,1'].includes(String(await waiting())), { what: 'those that had not begun to go back', timeoutMs: 4_000 });
    finish();
    await closing;
    expect(begun).toHaveLength(1);
    await bench.app({ imports, providers: [Busy] }, options);
    await waitFor(() => begun.length === 6, { what: 'the others to be handled' });
    expect(begun.toSorted()).toEqual(['a 1', 'b 1', 'c 1', 'd 1', 'e 1', 'f 1']);
  });

  it('R18 has one effect of one message that lies in two entries, though both are in hand at once', async () => {
    @Injectable()
    class Slow {
      goOn!: () => void;
      readonly held = new Promise<void>((resolve) => (this.goOn = resolve));
      readonly begun: string[] = [];

      @Subscribe(OrderPlaced, { group: 'slow', inbox: true })
      async move({ orderId }: OrderPlaced): Promise<void> {
        this.begun.push(orderId);
        await this.held;
      }
    }
    const prefix = bench.prefix();
    const app = await bench.app({ providers: [Slow] }, { database: database.url, prefix });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'twin', amount: 1 });
    const redis = await connectServer({ url: bench.redis.url });
    try {
      const log = `${prefix}:{shop.orders.placed:0}:log`;
      const [[, [, message]]] = (await redis.control.call('XRANGE', log, '-', '+')) as [[string, string[]]];
      await redis.control.call('HSET', `${prefix}:{shop.orders.placed:0}:meta`, 'next', 2);
      await redis.control.call('XADD', log, `${Date.now()}-16`, 'm', message!);
      await redis.control.call('SPUBLISH', `${prefix}:{shop.orders.placed:0}:ring`, 'log by-hand');
      const inspector = app.get(Inspector);
      await waitFor(async () => (await inspector.group(OrderPlaced, 'slow')).pending === 2, { what: 'both to be in hand' });
      app.get(Slow).goOn();
      await waitFor(async () => (await inspector.group(OrderPlaced, 'slow')).lag === 0, { what: 'both to be done' });
      expect(await inspector.group(OrderPlaced, 'slow')).toMatchObject({ handled: 2, deduplicated: 1 });
      expect(app.get(Slow).begun).toEqual(['twin']);
    } finally {
      redis.close();
    }
  });

  it('is told by the Inspector, which is injected before there is a connection', async () => {
    const app = await bench.app({ providers: [Notes, Stock] }, { database: database.url });
    const inspector = app.get(Inspector);
    expect(inspector).toBeInstanceOf(Inspector);
    expect(await inspector.group(topicOf(OrderPlaced), 'inventory')).toMatchObject({ handled: 0, lag: 0 });
  });
});

describe('a handler with the inbox that takes too long', () => {
  it('is rolled back, and tried again', async () => {
    @Injectable()
    class Slow {
      constructor(readonly notes: Notes, @InjectDatabase() readonly database: SqlDatabase) {}

      async onModuleInit(): Promise<void> {
        await this.database.query('CREATE TABLE IF NOT EXISTS slow (attempt int)');
      }

      @Subscribe(OrderPlaced, { group: 'slow', inbox: true, retry: atOnce, timeout: '500ms' })
      async write(_: OrderPlaced, { transaction, attempt, signal }: DeliveryContext): Promise<void> {
        await transaction.query('INSERT INTO slow VALUES ($1)', [attempt]);
        this.notes.add(`attempt ${attempt}`);
        if (attempt > 1) return;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await transaction.query('INSERT INTO slow VALUES (0)');
      }
    }
    const app = await bench.app({ providers: [Notes, Slow] }, { database: database.url });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect(await app.get(Notes).has(2)).toEqual(['attempt 1', 'attempt 2']);
    await app.close();
    const later = await bench.app({ providers: [Notes, Slow] }, { database: database.url, handlers: 'none' });
    expect((await later.get(Slow).database.query('SELECT attempt FROM slow')).rows).toEqual([{ attempt: 2 }]);
  });
});

describe('the injected database', () => {
  it('says what to do where none is named', async () => {
    @Injectable()
    class Reports {
      constructor(@InjectDatabase() readonly database: SqlDatabase) {}
    }
    const app = await bench.app({ providers: [Reports] });
    const error = await failureOf(app.get(Reports).database.query('SELECT 1'));
    expect(error.code).toBe('INBOX_NOT_CONFIGURED');
    expect(error.message).toContain('set DATABASE_URL');
  });
});
