import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
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

  it('is told by the Inspector, which is injected before there is a connection', async () => {
    const app = await bench.app({ providers: [Notes, Stock] }, { database: database.url });
    const inspector = app.get(Inspector);
    expect(inspector).toBeInstanceOf(Inspector);
    expect(await inspector.group(topicOf(OrderPlaced), 'inventory')).toMatchObject({ handled: 0, lag: 0 });
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
