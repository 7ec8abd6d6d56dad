import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineTopic, Topic, withTraceContext } from '@millrace/core';
import { createTables, migrations, Outbox } from '@millrace/outbox';
import type { TestSqlServer } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { type OpenSource, sourceKinds } from './sources.js';

@Topic<OrderPlaced>('outbox.orders', { key: ({ customer }) => customer, ttl: '1h' })
class OrderPlaced {
  @IsInt() number!: number;
  @IsString() customer!: string;
}
const Anything = defineTopic('outbox.anything');

describe.each(sourceKinds)('an outbox in $kind', ({ start, connect }) => {
  let server: TestSqlServer;
  let db: OpenSource;
  let outbox: Outbox;
  beforeAll(async () => {
    server = await start();
    db = await connect(server.url);
    outbox = new Outbox({ source: db.source });
    await outbox.prepare();
  });
  beforeEach(() => db.query('DELETE FROM millrace_outbox'));
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  const rows = () => db.query('SELECT id, kind, target, message_key, envelope, payload, state, attempts FROM millrace_outbox ORDER BY position');

  it('stores a message as it is to be published: its topic, key, payload, and the trace of the caller', async () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const { id } = await db.source.transaction((tx) =>
      withTraceContext({ traceparent }, () => outbox.publish(tx, OrderPlaced, { number: 1, customer: 'Zoë 💐' }, { delay: '2s' })),
    );
    const [row] = await rows();
    expect(row).toMatchObject({
      id, kind: 'message', target: 'outbox.orders', message_key: 'Zoë 💐', payload: '{"number":1,"customer":"Zoë 💐"}', state: 'pending', attempts: 0,
    });
    expect(JSON.parse(String(row!['envelope']))).toEqual({
      headers: { traceparent }, due: { inMs: 2_000 }, expiresAt: expect.any(Number),
    });
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  it('stores nothing of a transaction that is rolled back', async () => {
    const work = db.source.transaction(async (tx) => {
      await outbox.publish(tx, Anything, 1);
      await outbox.publishAll(tx, Anything, [{ payload: 2 }, { payload: 3 }]);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await rows()).toEqual([]);
  });

  it('stores many messages in their order, with their own options, and more than one statement carries', async () => {
    const itemAt = (at: number) => ({ payload: { number: at, customer: `c${at % 3}` }, ...(at === 7 && { key: 'own' }) });
    const items = Array.from({ length: 1_500 }, (_, at) => itemAt(at));
    const receipts = await db.source.transaction((tx) => outbox.publishAll(tx, OrderPlaced, items));
    const stored = await rows();
    const numbers = stored.map(({ payload }) => (JSON.parse(String(payload)) as OrderPlaced).number);
    expect(numbers).toEqual(items.map(({ payload }) => payload.number));
    expect(stored.map(({ id }) => id)).toEqual(receipts.map(({ id }) => id));
    expect(stored[7]).toMatchObject({ message_key: 'own' });
  });

  it.each<[string, unknown, object, string]>([
    ['a payload that is not valid', { number: 'one', customer: 'c' }, {}, 'INVALID_PAYLOAD'],
    ['an unknown option', { number: 1, customer: 'c' }, { dealy: '1s' }, 'INVALID_OPTIONS'],
    ['a deadline', { number: 1, customer: 'c' }, { deadline: '1s' }, 'INVALID_OPTIONS'],
    ['a key that no SQL text can have', { number: 1, customer: 'c' }, { key: 'a\0b' }, 'INVALID_OPTIONS'],
    ['a header with a line break', { number: 1, customer: 'c' }, { headers: { a: 'b\nc' } }, 'INVALID_HEADERS'],
  ])('refuses %s before any statement, so that the transaction can go on', async (_, payload, options, code) => {
    await db.source.transaction(async (tx) => {
      await expect(outbox.publish(tx, OrderPlaced, payload as OrderPlaced, options)).rejects.toMatchObject({ code });
      const many = [{ payload: { number: 1, customer: 'c' } }, { payload: payload as OrderPlaced, ...options }];
      await expect(outbox.publishAll(tx, OrderPlaced, many)).rejects.toMatchObject({ code });
      await outbox.publish(tx, Anything, 'goes on');
    });
    expect(await rows()).toMatchObject([{ payload: '"goes on"' }]);
  });

  it('says so when it has no port for jobs', async () => {
    const work = db.source.transaction((tx) => outbox.enqueue(tx, OrderPlaced, { number: 1, customer: 'c' }));
    await expect(work).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('has a table of another name, made by its migration, where it may make none itself', async () => {
    const place = { table: 'other_outbox' };
    const other = new Outbox({ source: db.source, ...place, createTables: false });
    const [, migration] = migrations(db.source.dialect, { outbox: place });
    await expect(other.prepare()).rejects.toThrow(`migrations/${db.source.dialect}/${migration!.name}.sql`);
    for (let round = 0; round < 2; round += 1) for (const statement of migration!.statements) await db.query(statement);
    await other.prepare();
    await db.source.transaction((tx) => other.publish(tx, Anything, 1));
    expect(await other.counts()).toMatchObject({ pending: 1, waiting: 0, dead: 0, oldestMs: expect.any(Number) });
    expect(await outbox.counts()).toEqual({ pending: 0, waiting: 0, dead: 0, oldestMs: null });
  });

  it('is made by several processes at the same time', async () => {
    await db.query('DROP TABLE millrace_outbox');
    await db.query('DROP TABLE millrace_outbox_lane');
    await Promise.all(Array.from({ length: 6 }, (_, at) => (at % 2 === 0 ? outbox.prepare() : createTables(db.source))));
    expect(await db.query('SELECT lane FROM millrace_outbox_lane')).toHaveLength(64);
  });

  it.each(['Outbox', 'out"box', '', 'a'.repeat(41), '1outbox'])('refuses the table name %p', (table) => {
    expect(() => new Outbox({ source: db.source, table })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
