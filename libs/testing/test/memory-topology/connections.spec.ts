import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectServer, type RedisConnection, type RedisFailure, type StandaloneTopology } from '@millrace/redis';
import { connectMemory, MemoryServer, startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { createHash } from 'node:crypto';

let server: TestRedis;
const opened: StandaloneTopology[] = [];

beforeAll(async () => void (server = await startTestRedis()));
afterEach(() => opened.splice(0).forEach((topology) => topology.close()));
afterAll(() => server.stop());

interface Place {
  readonly topology: StandaloneTopology;
  readonly blockedClients: () => Promise<number>;
}

async function real(): Promise<Place> {
  const topology = await connectServer({ url: server.url });
  const { control } = topology;
  await control.call('FLUSHALL');
  return { topology, blockedClients: async () => Number(/blocked_clients:(\d+)/.exec(String(await control.call('INFO', 'clients')))![1]) };
}

async function inMemory(): Promise<Place> {
  const memory = new MemoryServer();
  return { topology: await connectMemory(memory), blockedClients: async () => memory.blockedClients };
}

/** The kind and the words of a failure. */
async function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.catch((error: unknown) => [(error as RedisFailure).kind, (error as RedisFailure).message]);
}

async function readerOf(topology: StandaloneTopology): Promise<RedisConnection> {
  const reader = topology.blockingFor('s', 'read');
  expect(await reader.whenReady(5_000)).toBe(true);
  return reader;
}

const read = (reader: RedisConnection, ms = 0): Promise<unknown> =>
  outcomeOf(reader.call('XREADGROUP', 'GROUP', 'g', 'm', 'BLOCK', ms, 'STREAMS', 's', 't', '>', '>'));

const kinds: [name: string, open: () => Promise<Place>][] = [['a server', real], ['a Redis in memory', inMemory]];

describe.each(kinds)('connections to %s', (_, open) => {
  let blockedClients: () => Promise<number>;

  async function opening(): Promise<StandaloneTopology> {
    const place = await open();
    const { topology } = place;
    blockedClients = place.blockedClients;
    opened.push(topology);
    for (const key of ['s', 't']) await topology.control.call('XGROUP', 'CREATE', key, 'g', '$', 'MKSTREAM');
    return topology;
  }

  const untilBlocked = (clients: number): Promise<unknown> => {
    return waitFor(async () => (await blockedClients()) === clients, { what: `${clients} clients to wait` });
  };

  const ends: [what: string, end: (control: RedisConnection, id: string) => Promise<unknown>, outcome: unknown][] = [
    ['an entry', (control) => control.call('XADD', 't', '1-1', 'f', 'v'), [['t', [['1-1', ['f', 'v']]]]]],
    ['an entry of a script', (control) => run(control, "return redis.call('XADD', 's', '2-1', 'f', 'v')"), [['s', [['2-1', ['f', 'v']]]]]],
    ['CLIENT UNBLOCK', (control, id) => control.call('CLIENT', 'UNBLOCK', id), null],
    ['CLIENT UNBLOCK and an error', (control, id) => control.call('CLIENT', 'UNBLOCK', id, 'ERROR'),
      ['unavailable', expect.stringContaining('UNBLOCKED client unblocked via CLIENT UNBLOCK')]],
    ['the end of its group', (control) => control.call('XGROUP', 'DESTROY', 't', 'g'),
      ['state-lost', expect.stringContaining('NOGROUP the consumer group this client was blocked on no longer exists')]],
    ['the end of its stream', (control) => control.call('DEL', 's'),
      ['state-lost', expect.stringContaining('UNBLOCKED the stream key no longer exists')]],
    ['the end of all data', (control) => control.call('FLUSHALL'),
      ['state-lost', expect.stringContaining('UNBLOCKED the stream key no longer exists')]],
  ];

  it.each(ends)('a read that waits ends with %s', async (_what, end, outcome) => {
    const topology = await opening();
    const reader = await readerOf(topology);
    const id = String(await reader.call('CLIENT', 'ID'));
    const reading = read(reader);
    const behind = reader.call('PING');
    await untilBlocked(1);
    await end(topology.control, id);
    expect(await reading).toEqual(outcome);
    expect(await behind).toBe('PONG');
    expect(await topology.control.call('CLIENT', 'UNBLOCK', id)).toBe(0);
  });

  it('a read that waits ends when its time is up; one of a missing group fails at once', async () => {
    const topology = await opening();
    const reader = await readerOf(topology);
    expect(await read(reader, 20)).toBeNull();
    await topology.control.call('XGROUP', 'DESTROY', 't', 'g');
    expect(await read(reader)).toEqual(['state-lost', expect.stringContaining('NOGROUP No such key')]);
  });

  it('one entry goes to the member that has waited longest', async () => {
    const topology = await opening();
    const first = read(await readerOf(topology));
    await untilBlocked(1);
    const second = read(await readerOf(topology));
    await untilBlocked(2);
    await topology.control.call('XADD', 's', '1-1', 'f', 'v');
    await topology.control.call('XADD', 's', '1-2', 'f', 'v');
    const replies = (await Promise.all([first, second])) as [string, [string][]][][];
    const ids = replies.flat().flatMap(([, rows]) => rows.map(([id]) => id));
    expect(ids).toEqual(['1-1', '1-2']);
  });

  it('a listener hears channels that it has subscribed to, from commands and from scripts', async () => {
    const topology = await opening();
    const { control } = topology;
    const listener = topology.listening('rings');
    const heard: string[] = [];
    listener.watch({ ready: () => undefined, lost: () => undefined, message: (channel, text) => heard.push(`${channel}:${text}`) });
    await listener.whenReady(5_000);
    await listener.subscribe(['a', 'b']);
    await control.call('SPUBLISH', 'a', '1');
    await run(control, "return redis.call('SPUBLISH', 'b', '2')");
    await listener.unsubscribe(['a']);
    await control.call('SPUBLISH', 'a', '3');
    await control.call('SPUBLISH', 'b', '4');
    await waitFor(() => heard.length >= 3, { what: 'the listener to hear' });
    expect(heard).toEqual(['a:1', 'b:2', 'b:4']);
  });

  it('WAIT tells how many replicas have it', async () => {
    expect(await (await opening()).control.call('WAIT', 1, 20)).toBe(0);
  });

  it('a script runs again after its digest was forgotten', async () => {
    const { control } = await opening();
    expect(await run(control, 'return 1')).toBe(1);
    await control.call('SCRIPT', 'FLUSH');
    expect(await run(control, 'return 1')).toBe(1);
  });

  it('a closed connection is lost, fails what is under way as indeterminate, and sends nothing more', async () => {
    const topology = await opening();
    const reader = await readerOf(topology);
    const events: string[] = [];
    reader.watch({ ready: () => events.push('ready'), lost: () => events.push('lost'), message: () => undefined });
    const { connectionEpoch } = reader;
    const reading = read(reader);
    await untilBlocked(1);
    reader.close();
    expect(await reading).toEqual(['indeterminate', expect.stringContaining('may have been executed')]);
    await waitFor(() => reader.connectionEpoch === connectionEpoch + 1, { what: 'the connection to be lost' });
    expect(events).toEqual(['lost']);
    expect(await outcomeOf(reader.call('PING'))).toEqual(['unsent', expect.stringContaining('it is closed')]);
  });
});

function run(connection: RedisConnection, source: string): Promise<unknown> {
  return connection.run({ name: 'spec.lua', source, sha: createHash('sha1').update(source).digest('hex') }, [], []);
}
