import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { PGlite } from '@electric-sql/pglite';
import { Inject, Injectable } from '@nestjs/common';
import { topicOf } from '@millrace/core';
import { findDatabase, type RunningDatabase } from '@millrace/outbox';
import {
  type DeliveryContext, drizzleSource, InjectDatabase, type JobContext, JobHandler, JobQueue, MillraceModule, Publisher,
  type SqlDatabase, type SqlSource, Subscribe, typeormSource,
} from '@millrace/nestjs';
import { drizzle } from 'drizzle-orm/pglite';
import { pgTable, text } from 'drizzle-orm/pg-core';
import { DataSource, EntitySchema } from 'typeorm';
import { atOnce, Bench, failureOf, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

interface Moved {
  id: string;
  by: string;
}

const moved = pgTable('moved', { id: text().notNull(), by: text().notNull() });
const MovedEntity = new EntitySchema<Moved>({
  name: 'moved',
  columns: { id: { type: 'text', primary: true }, by: { type: 'text' } },
});

/** An application's own repository, in the words of its library. */
interface Library {
  readonly source: SqlSource<unknown>;
  write(context: DeliveryContext | JobContext, row: Moved): Promise<unknown>;
}

const LIBRARY = Symbol('library');

@Injectable()
class Notes extends Journal {}

@Injectable()
class Stock {
  constructor(
    readonly notes: Notes,
    @Inject(LIBRARY) readonly library: Library,
    @InjectDatabase() readonly database: SqlDatabase,
  ) {}

  @Subscribe(OrderPlaced, { group: 'inventory', inbox: true, retry: atOnce })
  async move({ orderId }: OrderPlaced, context: DeliveryContext): Promise<void> {
    await this.library.write(context, { id: orderId, by: 'message' });
    await this.#failAtFirst(`message ${orderId}`, context);
  }

  @JobHandler(SendConfirmation, { inbox: true })
  async send({ orderId }: SendConfirmation, context: JobContext): Promise<void> {
    await this.library.write(context, { id: orderId, by: 'job' });
    await this.#failAtFirst(`job ${orderId}`, context);
  }

  async #failAtFirst(what: string, { attempt, transaction }: DeliveryContext | JobContext): Promise<void> {
    const { rowCount } = await transaction.query('SELECT id FROM moved WHERE id = $1', [what.split(' ')[1]]);
    this.notes.add(`${what} ${attempt} ${rowCount}`);
    if (attempt === 1) throw new Error('rolled back');
  }
}

let bench: Bench;
let embedded: RunningDatabase;
let dataSource: DataSource;
let pglite: PGlite;
beforeAll(async () => {
  [bench, embedded, pglite] = await Promise.all([Bench.start(), findDatabase({ env: {} }), PGlite.create()]);
  dataSource = await new DataSource({ type: 'postgres', url: embedded.url, entities: [MovedEntity] }).initialize();
});
afterEach(() => bench.closeApps());
afterAll(async () => {
  await bench.stop();
  await dataSource.destroy();
  await embedded.stop();
  await pglite.close();
});

function typeormLibrary(): Library {
  const source = typeormSource(dataSource);
  return { source, write: (context, row) => context.transactionOf(source).getRepository(MovedEntity).insert(row) };
}

function drizzleLibrary(): Library {
  const source = drizzleSource(drizzle(pglite), { connections: 1 });
  return { source, write: (context, row) => context.transactionOf(source).insert(moved).values(row) };
}

describe.each([
  ['TypeORM', typeormLibrary],
  ['Drizzle', drizzleLibrary],
])('inbox: true in a transaction of %s', (_, libraryOf) => {
  const imports = [MillraceModule.forFeature([SendConfirmation])];
  const metadataOf = (library: Library) => ({ imports, providers: [Notes, Stock, { provide: LIBRARY, useValue: library }] });

  it('makes the writes of messages and jobs take effect once, however often they are tried', async () => {
    const library = libraryOf();
    await library.source.transaction((transaction) => library.source.within(transaction).query('CREATE TABLE moved (id text, by text)'));
    const app = await bench.app(metadataOf(library), { database: library.source });
    const { id } = await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'b' });
    expect((await app.get(Notes).has(4)).sort()).toEqual(['job b 1 1', 'job b 2 1', 'message a 1 1', 'message a 2 1']);
    await app.close();
    const later = await bench.app(metadataOf(library), { database: library.source, handlers: 'none' });
    const { database } = later.get(Stock);
    expect((await database.query('SELECT id, by FROM moved ORDER BY id')).rows).toEqual([{ id: 'a', by: 'message' }, { id: 'b', by: 'job' }]);
    const { rows } = await database.query('SELECT message_id FROM millrace_inbox WHERE subscriber = $1', [`${topicOf(OrderPlaced).name}/inventory`]);
    expect(rows).toEqual([{ message_id: id }]);
  });

  it('refuses statements in a step of once, which would be undone with the attempt while the step counts as done', async () => {
    const said = new Journal();
    @Injectable()
    class Careless {
      @Subscribe(OrderPlaced, { group: 'careless', inbox: true })
      async move(_: OrderPlaced, context: DeliveryContext): Promise<void> {
        const { transaction } = context;
        const own = context.transactionOf<{ execute?: (text: string) => Promise<unknown> }>();
        const query = failureOf(context.once('query', () => transaction.query('SELECT 1')));
        const get = failureOf(context.once('get', () => void context.transactionOf()));
        const execute = own.execute ? failureOf(context.once('execute', () => own.execute!('SELECT 1'))) : get;
        for (const failure of [query, get, execute]) said.add((await failure).code);
      }
    }
    const { source } = libraryOf();
    const app = await bench.app({ imports, providers: [Careless] }, { database: source });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect(await said.has(3)).toEqual(['INVALID_INPUT', 'INVALID_INPUT', 'INVALID_INPUT']);
  });

  it('refuses to start without tables that it may not make', async () => {
    const library = libraryOf();
    const inbox = { table: 'handled', createTables: false };
    const failure = await failureOf(bench.app(metadataOf(library), { database: library.source, inbox }));
    expect(failure).toMatchObject({ code: 'DATABASE_FAILED', message: expect.stringContaining('migrations/postgres/0001_inbox.sql') });
  });

  it('refuses to start when the library has no database', async () => {
    const source: SqlSource<unknown> = { ...libraryOf().source, transaction: () => Promise.reject(Object.assign(new Error('none'), { code: 'ECONNREFUSED' })) };
    const failure = await failureOf(bench.app(metadataOf({ ...libraryOf(), source }), { database: source }));
    expect(failure).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });
});
