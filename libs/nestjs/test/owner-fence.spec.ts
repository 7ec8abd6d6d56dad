import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { deliveryPipeline, type EventMap, type InboxPort, listen, topicOf } from '@millrace/core';
import { connectDatabase, findDatabase, type SqlDatabase, SqlInbox } from '@millrace/outbox';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createStreams } from '@millrace/streams';
import { TcpProxy, uniqueName, waitFor } from '@millrace/testing';
import { DeadLetter, type DeliveryContext, Inspector, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { IsInt, IsString } from 'class-validator';
import { atOnce, Bench, Journal } from './fixture.js';

/** All meters in one partition. */
@Topic<Reading>('meters.read', { key: ({ meter }) => meter })
class Reading {
  @IsString() meter!: string;
  @IsInt() value!: number;
}

interface Place {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const serverUrl = process.env.MILLRACE_TEST_DATABASE_URL;
const kinds: { kind: string; start: () => Promise<Place> }[] = [
  { kind: 'PGlite', start: () => findDatabase({ env: {} }) },
  ...(serverUrl ? [{ kind: 'PostgreSQL', start: () => newDatabase(serverUrl) }] : []),
];

async function newDatabase(server: string): Promise<Place> {
  const name = uniqueName('fence').replaceAll('-', '_');
  const onServer = async (statement: string): Promise<void> => {
    const database = await connectDatabase({ url: server });
    await database.query(statement);
    await database.close();
  };
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return { url: url.href, stop: () => onServer(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** Handlers as `<meter>.<value> <attempt>/<crashes>`. */
const begun: string[] = [];

@Injectable()
class Ledger {
  @Subscribe(Reading, { group: 'ledger', ordering: 'key', inbox: true, retry: atOnce })
  async book({ meter, value }: Reading, { transaction, attempt, crashes }: DeliveryContext): Promise<void> {
    begun.push(`${meter}.${value} ${attempt}/${crashes}`);
    await transaction.query('INSERT INTO effects (what) VALUES ($1)', [`${meter}.${value}`]);
  }
}

@Injectable()
class Shared {
  @Subscribe(Reading, { group: 'shared', inbox: true, retry: atOnce })
  async book({ meter, value }: Reading, { transaction }: DeliveryContext): Promise<void> {
    await transaction.query('INSERT INTO effects (what) VALUES ($1)', [`${meter}.${value}`]);
  }
}

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterAll(() => bench.stop());

describe.each(kinds)('an ordered group with the inbox in $kind', ({ start }) => {
  let place: Place;
  let sql: SqlDatabase;
  let redis: StandaloneTopology;
  let prefix: string;
  const fenced: EventMap['owner-fenced'][] = [];
  const ends: (() => unknown)[] = [];

  beforeAll(async () => {
    place = await start();
    sql = await connectDatabase({ url: place.url });
    redis = await connectServer({ url: bench.redis.url });
    await sql.query('CREATE TABLE effects (number serial, what text)');
    await new SqlInbox({ database: sql }).prepare();
  });
  beforeEach(async () => {
    prefix = bench.prefix();
    fenced.length = 0;
    begun.length = 0;
    ends.push(listen('owner-fenced', (event) => fenced.push(event)));
    await sql.query('TRUNCATE effects, millrace_inbox, millrace_owner');
  });
  afterEach(async () => {
    await bench.closeApps();
    for (const end of ends.splice(0).reverse()) await end();
  });
  afterAll(async () => {
    redis.close();
    await sql.close();
    await place.stop();
  });

  const control = (group = 'ledger'): string => `${prefix}:{meters.read:0}:group:${group}:control`;
  const effects = async (): Promise<string[]> =>
    (await sql.query<{ what: string }>('SELECT what FROM effects ORDER BY number')).rows.map(({ what }) => what);
  const known = async (): Promise<number[]> =>
    (await sql.query<{ epoch: number }>('SELECT epoch::int FROM millrace_owner')).rows.map(({ epoch }) => epoch);

  async function app(providers = [Ledger]): Promise<INestApplicationContext> {
    return bench.app({ providers }, { database: place.url, prefix });
  }

  async function publish(readings: Reading[]): Promise<void> {
    const publisher = await bench.app({}, { prefix, handlers: 'none' });
    await publisher.get(Publisher).publishMany(Reading, readings.map((payload) => ({ payload })));
  }

  async function handled(of: INestApplicationContext, count: number, group = 'ledger'): Promise<void> {
    const state = async (): Promise<{ handled: number }> => of.get(Inspector).group(Reading, group);
    await waitFor(async () => (await state()).handled === count, { what: `${count} to be handled` });
  }

  /** Two owners, one after the other, with a message each. */
  async function ownedTwice(): Promise<void> {
    for (const value of [1, 2]) {
      const one = await app();
      await one.get(Publisher).publish(Reading, { meter: 'a', value });
      await handled(one, value);
      await bench.closeApps();
    }
    expect(await known()).toEqual([2]);
  }

  it.each([
    ['to the one before', '1', 2],
    ['to the first', '0', 1],
    ['altogether', null, 1],
  ])('goes above the epoch that the database knows when a failover has taken it back %s, and handles each message once', async (_, epoch, taken) => {
    await ownedTwice();
    await redis.control.call('HDEL', control(), 'owner', 'epoch');
    if (epoch !== null) await redis.control.call('HSET', control(), 'epoch', epoch);
    begun.length = 0;
    await publish(['a', 'b', 'c', 'd', 'e'].flatMap((meter) => [{ meter, value: 3 }, { meter, value: 4 }]));
    const next = await app();
    await handled(next, 12);
    expect(begun.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e'].flatMap((meter) => [`${meter}.3 1/0`, `${meter}.4 1/0`]));
    expect((await effects()).toSorted()).toEqual(['a.1', 'a.2', ...begun.toSorted().map((line) => line.split(' ')[0]!)]);
    expect(fenced).toEqual([{ topic: 'meters.read', partition: 0, group: 'ledger', messageId: expect.any(String), epoch: taken, knownEpoch: 2 }]);
    expect([await known(), await redis.control.call('HGET', control(), 'epoch')]).toEqual([[3], '3']);
    expect(await next.get(Inspector).group(Reading, 'ledger')).toMatchObject({ retried: 0, deadLettered: 0, redelivered: 0, fenced: 0, lag: 0 });
  });

  it('writes nothing late for an owner that stood still, and whose partition another has taken over', async () => {
    const topic = topicOf(Reading);
    const [began, goesOn] = [new Journal(), new Journal()];
    const inbox = new SqlInbox({ database: sql });
    // It stands still between its read and its first statement.
    const late: InboxPort = {
      run: async (...turn) => {
        began.add('');
        await goesOn.has(1);
        return inbox.run(...turn);
      },
    };
    const subscribe = async (url: string, own: InboxPort, name: string): Promise<Publisher> => {
      const topology = await connectServer({ url });
      const streams = createStreams({ redis: topology, prefix, leaseMs: 1_000 });
      ends.push(async () => {
        await streams.stop(200);
        topology.close();
      });
      const handle = async (payload: object, { transaction }: DeliveryContext): Promise<void> => {
        const { value } = payload as Reading;
        if (name === 'next' && value === 1) throw new DeadLetter('not to be booked');
        await transaction.query('INSERT INTO effects (what) VALUES ($1)', [`${value} by ${name}`]);
      };
      const retry = { ...atOnce, deadLetterOn: [] };
      const definition = { topic, group: 'ledger', concurrency: 4, crashLimit: 10, ordering: { by: 'key' } } as const;
      await streams.subscribe(definition, deliveryPipeline({ topic, group: 'ledger', retry, inbox: own, handle }));
      return new Publisher(streams);
    };
    const proxy = await TcpProxy.start(bench.redis.url);
    ends.push(() => proxy.stop());
    const publisher = await subscribe(proxy.url, late, 'the one that stood still');
    await publisher.publish(Reading, { meter: 'a', value: 1 });
    await began.has(1);
    await publisher.publish(Reading, { meter: 'a', value: 2 });
    proxy.blackHole();
    await subscribe(bench.redis.url, inbox, 'next');
    await waitFor(async () => (await effects()).length > 0, { what: 'the next owner to handle what follows' });
    goesOn.add('');
    await waitFor(() => fenced.length > 0, { what: 'the late transaction to be refused' });
    expect(fenced).toMatchObject([{ epoch: 1, knownEpoch: 2 }]);
    await proxy.pass();
    expect([await effects(), await known()]).toEqual([['2 by next'], [2]]);
  });

  it('keeps no owners of a group without an order', async () => {
    const one = await app([Shared]);
    await one.get(Publisher).publish(Reading, { meter: 'a', value: 1 });
    await handled(one, 1, 'shared');
    expect([await effects(), await known()]).toEqual([['a.1'], []]);
  });
});
