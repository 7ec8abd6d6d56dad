import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Delivery, TopicDefinition } from '@millrace/core';
import { Outbox } from '@millrace/outbox';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import {
  expectNoChildren, seededRandom, seedOf, startTestRedis, type TestRedis, type TestSqlServer, TypeScriptChild, waitFor,
} from '@millrace/testing';
import { databaseKinds, openDatabase, type RelayDatabase } from './relay-databases.js';
import { Loose, type Step, Steps } from './topics.js';

const RELAY = new URL('./relay-process.ts', import.meta.url);
const KEYS = 200;
/** Multiples of the number of keys. */
const ROWS = Number(process.env.MILLRACE_RELAYED_ROWS ?? 4_000);
const ROWS_IN = { PostgreSQL: ROWS, MariaDB: ROWS / 4 };
const WRITERS = 4;
const KILLS = 10;

interface Stats {
  readonly published: number;
  readonly listening: boolean;
}

describe.each(databaseKinds)('relays of an outbox in $kind, as processes', ({ kind, start }) => {
  const rows = ROWS_IN[kind];
  let server: TestSqlServer;
  let redis: TestRedis;
  let topology: StandaloneTopology;
  let streams: Streams;
  let database: RelayDatabase;
  let outbox: Outbox<never>;
  const running = new Set<TypeScriptChild>();

  const begin = async (options: object = {}): Promise<TypeScriptChild> => {
    const child = new TypeScriptChild(RELAY, { args: [redis.url, server.url, JSON.stringify(options)] });
    running.add(child);
    expect(await child.line()).toBe('ready');
    return child;
  };
  const statsOf = async (child: TypeScriptChild): Promise<Stats> => {
    child.tell('stats');
    return JSON.parse(await child.line()) as Stats;
  };
  const kill = async (child: TypeScriptChild): Promise<void> => {
    running.delete(child);
    await child.kill('SIGKILL');
  };
  const publish = (topic: typeof Steps, ...steps: Step[]) =>
    database.source.transaction((tx) => outbox.publishAll(tx, topic, steps.map((payload) => ({ payload }))));
  const drained = (timeoutMs = 60_000) =>
    waitFor(async () => (await outbox.counts()).pending === 0, { what: 'the outbox to be empty', timeoutMs });

  /** All that the topic holds, by a group that is new, which handles each stored message once. */
  async function stored(topic: TopicDefinition, count: number): Promise<Delivery[]> {
    await Promise.all([topology.publishFor(), topology.controlFor()].map((connection) => connection.whenReady(10_000)));
    const found: Delivery[] = [];
    const group = `check${Math.random().toString(36).slice(2)}`;
    const subscription = await streams.subscribe(
      { topic, group, concurrency: 64, crashLimit: 10, ordering: { by: 'partition' } },
      async (delivery) => {
        found.push({ ...delivery, message: delivery.message });
        return { kind: 'ack' };
      },
    );
    const isDone = async () => found.length >= count && (await streams.inspector.group(topic, group)).lag === 0;
    await waitFor(isDone, { what: `the group to have handled ${count} messages`, timeoutMs: 60_000 });
    await subscription.stop(5_000);
    return found;
  }

  beforeAll(async () => {
    [server, redis] = await Promise.all([start(), startTestRedis({ appendonly: 'always' })]);
    topology = await connectServer({ url: redis.url, name: 'check' });
    streams = createStreams({ redis: topology, prefix: 'outbox', leaseMs: 15_000 });
    database = await openDatabase(server.url, 12);
    outbox = new Outbox({ source: database.source });
    await outbox.prepare();
    for (const topic of [Steps, Loose]) await streams.declare(topic);
  });
  afterEach(async () => {
    await Promise.all([...running].map(kill));
    await database.query('DELETE FROM millrace_outbox');
  });
  afterAll(async () => {
    await streams?.stop(1_000);
    topology?.close();
    await database?.close();
    await Promise.all([server?.stop(), redis?.stop()]);
    await expectNoChildren();
  });

  it('publish each row once and in the order of its key, though they are killed again and again', async () => {
    const seed = seedOf();
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    let isWritten = false;
    const isIdle = async () => isWritten && (await outbox.counts()).pending === 0;
    let kills = 0;
    /** Transactions of one writer follow one another, and each key has one writer: so each key has an order. */
    const write = async (writer: number): Promise<void> => {
      const keys = Array.from({ length: KEYS / WRITERS }, (_, at) => `key${at * WRITERS + writer}`);
      for (let step = 0; step < rows / KEYS; step += 1) {
        for (let from = 0; from < keys.length; from += 10) {
          await publish(Steps, ...keys.slice(from, from + 10).map((key) => ({ key, step })));
        }
      }
    };
    const tend = async (): Promise<void> => {
      while (kills < KILLS) {
        const child = await begin();
        const enough = 1 + Math.floor(random() * 600);
        const isEnough = async () => (await statsOf(child)).published >= enough || isIdle();
        await waitFor(isEnough, { what: 'the relay to publish', timeoutMs: 60_000 });
        await kill(child);
        kills += 1;
      }
    };
    const writing = Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer))).then(() => (isWritten = true));
    await Promise.all([writing, tend(), tend(), tend()]);
    await begin();
    await drained();
    const found = await stored(Steps, rows);
    console.log(`N=${rows} kills=${kills} stored=${found.length} ids=${new Set(found.map(({ message }) => message.id)).size}`);
    expect(found).toHaveLength(rows);
    const byKey = new Map<string | null, number[]>();
    for (const { message } of found) byKey.set(message.key, [...(byKey.get(message.key) ?? []), (message.payload as Step).step]);
    expect(byKey.size).toBe(KEYS);
    for (const steps of byKey.values()) expect(steps).toEqual(Array.from({ length: rows / KEYS }, (_, at) => at));
  }, 240_000);

  it('wait while Redis is away, count no attempt, and go on when it is back', async () => {
    const child = await begin({ attempts: 1 });
    await publish(Loose, { key: 'a', step: 0 });
    await drained();
    await redis.kill();
    await publish(Loose, { key: 'a', step: 1 }, { key: 'a', step: 2 });
    const before = (await statsOf(child)).published;
    await waitFor(async () => (await statsOf(child) as unknown as { problem: string | null }).problem !== null, {
      what: 'the relay to report a problem', timeoutMs: 60_000,
    });
    expect(await outbox.counts()).toMatchObject({ pending: 2, waiting: 0, dead: 0 });
    expect((await statsOf(child)).published).toBe(before);
    await redis.restart();
    await drained();
    expect((await stored(Loose, 3)).map(({ message }) => (message.payload as Step).step)).toEqual([0, 1, 2]);
  }, 120_000);

  (kind === 'PostgreSQL' ? it : it.skip)('publish at once what they hear of, and go on when the connection on which they listen is cut', async () => {
    const child = await begin({ poll: '1h' });
    const isListening = () => waitFor(async () => (await statsOf(child)).listening, { what: 'the relay to listen' });
    await isListening();
    const before = (await statsOf(child)).published;
    await publish(Loose, { key: 'b', step: 0 });
    await drained();
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace-outbox-listen'`;
    expect(await database.query(cut)).toHaveLength(1);
    await publish(Loose, { key: 'b', step: 1 });
    await drained();
    await isListening();
    await publish(Loose, { key: 'b', step: 2 });
    await drained();
    expect((await statsOf(child)).published).toBe(before + 3);
  }, 60_000);
});
