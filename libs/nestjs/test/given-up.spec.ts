import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { listen } from '@millrace/core';
import { findDatabase, type RunningDatabase } from '@millrace/outbox';
import {
  type BatchContext, DeadLetters, type DeliveryContext, InjectDatabase, Inspector, type JobContext, JobHandler, JobQueue,
  MillraceModule, Publisher, type SqlDatabase, Subscribe, SubscribeBatch,
} from '@millrace/nestjs';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Bench, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

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

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
}

/** Nothing else runs in this process meanwhile, its signs of life included: it has to ask what it holds still. */
function standStill(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const codeOf = ({ reason }: AbortSignal): string => (reason as { code: string }).code;
/** One attempt: were it counted, the message or the job would be given up. */
const once = { attempts: 1 };

@Injectable()
class Notes extends Journal {}

/** The first of each to come waits for its signal, and then ends as it should; the next does its work. */
@Injectable()
class Stock {
  constructor(
    readonly notes: Notes,
    @InjectDatabase() readonly database: SqlDatabase,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.database.query('CREATE TABLE IF NOT EXISTS moved_once (id text)');
  }

  @Subscribe(OrderPlaced, { group: 'inventory', inbox: true, retry: once })
  move({ orderId }: OrderPlaced, context: DeliveryContext): Promise<void> {
    return this.#work(`message ${orderId}`, context);
  }

  @JobHandler(SendConfirmation, { inbox: true })
  send({ orderId }: SendConfirmation, context: JobContext): Promise<void> {
    return this.#work(`job ${orderId}`, context);
  }

  async #work(what: string, { signal, attempt, crashes, transaction }: Pick<JobContext, 'signal' | 'attempt' | 'crashes' | 'transaction'>): Promise<void> {
    const isFirst = !this.notes.entries.some((entry) => entry.startsWith(what));
    await transaction.query('INSERT INTO moved_once VALUES ($1)', [what]);
    this.notes.add(`${what} begun ${attempt} ${crashes}`);
    if (!isFirst) return;
    await aborted(signal);
    this.notes.add(`${what} ${codeOf(signal)}`);
  }
}

async function moved(sql: SqlDatabase, what: string): Promise<number> {
  return (await sql.query('SELECT 1 FROM moved_once WHERE id = $1', [what])).rows.length;
}

/** The embedded database has one transaction at a time, so each kind of handler is looked at on its own. */
describe.each(['message', 'job'] as const)('a handler of a %s with the inbox that obeys its signal', (kind) => {
  const imports = [MillraceModule.forFeature([SendConfirmation])];

  async function send(app: INestApplicationContext, orderId: string): Promise<string> {
    if (kind === 'job') return (await app.get(JobQueue).enqueue(SendConfirmation, { orderId })).id;
    return (await app.get(Publisher).publish(OrderPlaced, { orderId, amount: 1 })).id;
  }

  /** Handled or completed; the rest of what is known about it says how. */
  async function done(app: INestApplicationContext): Promise<number> {
    if (kind === 'job') return (await app.get(JobQueue).counts('emails')).completed;
    return (await app.get(Inspector).group(OrderPlaced, 'inventory')).handled;
  }

  it('has recorded nothing when the stop deadline passes: another process does the work, at the same attempt, and it takes effect once', async () => {
    const [prefix, notes] = [bench.prefix(), new Journal()];
    const providers = [{ provide: Notes, useValue: notes }, Stock];
    const app = await bench.app({ imports, providers }, { database: database.url, prefix, shutdownTimeout: '1ms' });
    await send(app, 'stop');
    await notes.has(1);
    await app.close();
    const later = await bench.app({ imports, providers }, { database: database.url, prefix });
    expect(await notes.has(3)).toEqual([`${kind} stop begun 1 0`, `${kind} stop CLOSED`, `${kind} stop begun 1 0`]);
    await waitFor(async () => (await done(later)) === 1, { what: 'the work to be done' });
    expect(await moved(later.get(Stock).database, `${kind} stop`)).toBe(1);
    expect(await later.get(Inspector).group(OrderPlaced, 'inventory')).toMatchObject({ deduplicated: 0, retried: 0, deadLettered: 0 });
  });

  it('has recorded nothing when its lease is lost', async () => {
    const prefix = bench.prefix();
    const app = await bench.app({ imports, providers: [Notes, Stock] }, { database: database.url, prefix, lease: '500ms' });
    const fenced = new Journal();
    const stopListening = listen('fenced', ({ messageId }) => fenced.add(messageId));
    const id = await send(app, 'lost');
    await app.get(Notes).has(1);
    await steal(prefix, id);
    expect(await app.get(Notes).has(2)).toEqual([`${kind} lost begun 1 0`, `${kind} lost STATE_LOST`]);
    expect(await fenced.has(1)).toEqual([id]);
    stopListening();
    const { database: sql } = app.get(Stock);
    expect(await moved(sql, `${kind} lost`)).toBe(0);
    expect((await sql.query('SELECT 1 FROM millrace_inbox WHERE message_id = $1', [id])).rows).toEqual([]);
    expect(await done(app)).toBe(0);
  });

  async function steal(prefix: string, id: string): Promise<void> {
    const redis = await connectServer({ url: bench.redis.url });
    if (kind === 'job') await redis.control.call('SET', `{${prefix}}:emails:${id}:lock`, 'thief');
    else {
      const log = `${prefix}:{shop.orders.placed:0}:log`;
      const [[entry]] = (await redis.control.call('XPENDING', log, 'inventory', '-', '+', 1)) as [[string]];
      await redis.control.call('XCLAIM', log, 'inventory', 'thief', 0, entry);
      standStill(500);
    }
    redis.close();
  }
});

describe('a handler without the inbox at the stop deadline', () => {
  it.each(['returns', 'throws'])('decides nothing when it %s: one message, a batch, a job on its only attempt', async (end) => {
    const notes = new Journal();
    const wait = async (what: string, signal: AbortSignal): Promise<void> => {
      const isFirst = !notes.entries.includes(what);
      notes.add(what);
      if (!isFirst) return;
      await aborted(signal);
      if (end === 'throws') throw new Error('gives up as well');
    };
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'one', retry: once })
      one(_: OrderPlaced, { signal, attempt }: DeliveryContext): Promise<void> {
        return wait(`one ${attempt}`, signal);
      }

      @SubscribeBatch(OrderPlaced, { group: 'many', retry: once, batch: { size: 1, wait: '1ms' } })
      many(_: OrderPlaced[], { signal, items }: BatchContext): Promise<void> {
        return wait(`many ${items[0]!.attempt}`, signal);
      }

      @JobHandler(SendConfirmation)
      job(_: SendConfirmation, { signal, attempt }: JobContext): Promise<void> {
        return wait(`job ${attempt}`, signal);
      }
    }
    const prefix = bench.prefix();
    const imports = [MillraceModule.forFeature([SendConfirmation])];
    const app = await bench.app({ imports, providers: [Handlers] }, { prefix, shutdownTimeout: '1ms' });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'a' });
    await notes.has(3);
    await app.close();
    const later = await bench.app({ imports, providers: [Handlers] }, { prefix });
    expect((await notes.has(6)).slice(3).toSorted()).toEqual(['job 1', 'many 1', 'one 1']);
    for (const group of ['one', 'many']) {
      await waitFor(async () => (await later.get(Inspector).group(OrderPlaced, group)).lag === 0, { what: 'the message to be done' });
      expect(await later.get(Inspector).group(OrderPlaced, group)).toMatchObject({ handled: 1, retried: 0, redelivered: 0 });
      expect(await later.get(DeadLetters).list(OrderPlaced, group)).toEqual([]);
    }
  });
});
