import { createHash } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen } from '@millrace/core';
import { connectServer, PROFILES, ServerConnection, redisConnection, type StandaloneTopology, RedisFailure, type RunnableScript } from '@millrace/redis';
import { freePort, startTestRedis, TcpProxy, type TestRedis, TypeScriptChild, uniqueName, waitFor } from '@millrace/testing';
import { Redis } from 'ioredis';
import { FakeServer } from './fake-server.js';

let redis: TestRedis;
let direct: StandaloneTopology;
let proxy: TcpProxy;
let key: string;
const opened: ServerConnection[] = [];
const events: EventMap['connection'][] = [];
let stopListening: () => void;

beforeAll(async () => {
  redis = await startTestRedis();
  direct = await connectServer({ url: redis.url });
});

beforeEach(async () => {
  proxy = await TcpProxy.start(redis.url);
  key = uniqueName('key');
  stopListening = listen('connection', (event) => events.push(event));
});

afterEach(async () => {
  stopListening();
  events.length = 0;
  for (const connection of opened.splice(0)) connection.close();
  await proxy.stop();
});

afterAll(async () => {
  direct.close();
  await redis.stop();
});

function connection(profile: 'publish' | 'control' | 'blocking' = 'publish', url = proxy.url): ServerConnection {
  const made = redisConnection({ url }, uniqueName('spec'), profile);
  opened.push(made);
  return made;
}

async function connected(profile?: 'publish' | 'control' | 'blocking'): Promise<ServerConnection> {
  const made = connection(profile);
  made.connect();
  expect(await made.whenReady(10_000)).toBe(true);
  return made;
}

async function failureOf(call: Promise<unknown>): Promise<RedisFailure> {
  const error: unknown = await call.then(
    () => new Error('Nothing failed.'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof RedisFailure) return error;
  throw error;
}

/** Resolves when the connection has reported this state, counting from now. */
async function reported(name: string, state: EventMap['connection']['state']): Promise<void> {
  const from = events.length;
  await waitFor(() => events.slice(from).some((event) => event.name === name && event.state === state), { what: `${name} to be ${state}` });
}

/** A command that was sent before a PING came back has been executed. */
async function settled(made: ServerConnection): Promise<void> {
  expect(await made.whenReady(10_000)).toBe(true);
  expect(await made.call('PING')).toBe('PONG');
}

describe('a command in flight when the connection is cut', () => {
  it('is indeterminate, and never sent again: executed once when only its reply was lost', async () => {
    const made = await connected();
    const dropped = proxy.dropReplies();
    const failing = failureOf(made.call('INCR', key));
    await dropped;
    await proxy.pass();
    expect(await failing).toMatchObject({ kind: 'indeterminate', code: 'REDIS_UNREACHABLE', retryable: true });
    await settled(made);
    expect(await direct.control.call('GET', key)).toBe('1');
  });

  it('is indeterminate, and never sent again: not executed when it never arrived', async () => {
    const made = await connected();
    proxy.blackHole(['requests']);
    const failing = [made.call('INCR', key), ...Array.from({ length: 50 }, () => made.call('INCR', key))].map(failureOf);
    proxy.reset();
    await proxy.pass();
    expect(new Set((await Promise.all(failing)).map(({ kind }) => kind))).toEqual(new Set(['indeterminate']));
    await settled(made);
    expect(await direct.control.call('GET', key)).toBeNull();
  });

  it('is indeterminate when the server dies', async () => {
    const mortal = await startTestRedis();
    const made = connection('blocking', mortal.url);
    made.connect();
    await made.whenReady(10_000);
    const reading = failureOf(made.call('XREAD', 'BLOCK', 0, 'STREAMS', key, '$'));
    await mortal.kill();
    expect((await reading).kind).toBe('indeterminate');
    expect(await failureOf(made.call('GET', key))).toMatchObject({ kind: 'unsent' });
    await mortal.restart();
    await settled(made);
    await mortal.stop();
  });

  it('is indeterminate when we close the connection ourselves', async () => {
    const made = await connected('blocking');
    const reading = failureOf(made.call('XREAD', 'BLOCK', 0, 'STREAMS', key, '$'));
    made.close();
    expect(await reading).toMatchObject({ kind: 'indeterminate' });
  });
});

describe('a network that goes silent', () => {
  it.each(['publish', 'control'] as const)('fails the command, and the %s connection is made again', async (profile) => {
    const made = await connected(profile);
    proxy.blackHole();
    const lost = reported(made.name, 'lost');
    expect(await failureOf(made.call('SET', key, 'secret-payload'))).toMatchObject({ kind: 'indeterminate', cause: { message: 'Command timed out' } });
    await lost;
    expect(made.isReady).toBe(false);
    expect(await failureOf(made.call('GET', key))).toMatchObject({ kind: 'unsent' });
    await proxy.pass();
    await settled(made);
  });

  it('is noticed by a reader that waits, and its connection is made again', async () => {
    const made = await connected('blocking');
    const lost = reported(made.name, 'lost');
    proxy.blackHole();
    expect(await failureOf(made.call('XREAD', 'BLOCK', 2_000, 'STREAMS', key, '$'))).toMatchObject({ kind: 'indeterminate' });
    await lost;
    await proxy.pass();
    await settled(made);
  });

  it('does not end a reader that waits its time out on a network that works', async () => {
    const made = await connected('blocking');
    expect(await made.call('XREAD', 'BLOCK', 2_000, 'STREAMS', key, '$')).toBeNull();
    expect(made.isReady).toBe(true);
  });
});

describe('a connection that is not there', () => {
  it('fails commands at once as unsent, with the reason, and executes none of them later', async () => {
    const made = await connected();
    const lost = reported(made.name, 'lost');
    await proxy.refuse();
    await lost;
    await reported(made.name, 'failed');
    const failure = await failureOf(made.call('SET', key, 'secret-payload'));
    expect(failure).toMatchObject({ kind: 'unsent', code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining('ECONNREFUSED') });
    expect(await failureOf(made.run(add, [key], ['secret-payload']))).toMatchObject({ kind: 'unsent' });
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('secret-payload');
    await proxy.pass();
    await settled(made);
    expect(await direct.control.call('EXISTS', key)).toBe(0);
  });

  it('becomes ready by itself when it was opened too early', async () => {
    await proxy.refuse();
    const made = connection();
    expect(await failureOf(made.call('GET', key))).toMatchObject({ kind: 'unsent', message: expect.stringContaining('it is being made') });
    made.connect();
    await reported(made.name, 'failed');
    expect(await made.whenReady(1)).toBe(false);
    expect(made.lastError?.message).toContain('ECONNREFUSED');
    await proxy.pass();
    await settled(made);
    expect(made.lastError).toBeNull();
  });

  it('reports once that it was lost, and once that it is there again, however many attempts that took', async () => {
    const made = await connected();
    await proxy.refuse();
    for (let attempt = 0; attempt < 3; attempt += 1) await reported(made.name, 'failed');
    await proxy.pass();
    await settled(made);
    made.close();
    const states = events.filter(({ name }) => name === made.name).map(({ state }) => state);
    expect(states.filter((state) => state !== 'failed')).toEqual(['ready', 'lost', 'ready', 'closed']);
  });

  it('reports no failure with more than a text', async () => {
    await proxy.refuse();
    const made = connection('publish', proxy.url.replace('//', '//user:s3cret@'));
    made.connect();
    await reported(made.name, 'failed');
    expect(JSON.stringify(events)).toContain('ECONNREFUSED');
    expect(JSON.stringify(events) + inspect(made, { depth: 10, showHidden: true })).not.toContain('s3cret');
  });
});

const add = scriptOf("return redis.call('INCRBY', KEYS[1], ARGV[1])");

function scriptOf(body: string): RunnableScript {
  const source = `#!lua\n-- ${uniqueName('spec')}\n${body}`;
  return { name: 'spec.lua', source, sha: createHash('sha1').update(source).digest('hex') };
}

describe('a script', () => {
  it('runs on a server that does not know it, or no longer', async () => {
    const made = await connected();
    expect(await made.run(add, [key], [1])).toBe(1);
    expect(await made.run(add, [key], [2])).toBe(3);
    await direct.control.call('SCRIPT', 'FLUSH');
    expect(await made.run(add, [key], [3])).toBe(6);
  });

  it('runs once a call when many run at once after SCRIPT FLUSH', async () => {
    const made = await connected();
    await direct.control.call('SCRIPT', 'FLUSH');
    await Promise.all(Array.from({ length: 100 }, () => made.run(add, [key], [1])));
    expect(await direct.control.call('GET', key)).toBe('100');
  });

  it('that fails is not run a second time', async () => {
    const made = await connected();
    const failing = scriptOf("redis.call('INCR', KEYS[1]) return redis.error_reply('ERR on purpose')");
    await failureOf(made.run(failing, [key], []));
    expect(await failureOf(made.run(failing, [key], []))).toMatchObject({ kind: 'unknown', message: expect.stringContaining('spec.lua failed') });
    expect(await direct.control.call('GET', key)).toBe('2');
  });
});

describe('arguments', () => {
  it.each([
    ['a list', ['v', 'MAXLEN', '0', '*']],
    ['an object', {}],
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
    ['a bigint', 1n],
    ['bytes', Buffer.from('x')],
  ])('that are %s never reach ioredis', async (_, argument) => {
    const made = await connected();
    const refused = { code: 'INVALID_INPUT', message: expect.stringContaining('argument 2 is a value of type') as unknown };
    await expect(made.call('SET', key, argument as never)).rejects.toMatchObject(refused);
    await expect(made.run(add, [key], [argument as never])).rejects.toMatchObject(refused);
    await expect(made.run(add, ['k', argument as never], [])).rejects.toMatchObject(refused);
    expect(await direct.control.call('EXISTS', key)).toBe(0);
  });

  it('may be every text, and arrive as they are', async () => {
    const made = await connected();
    for (const text of ['', "redis.call('FLUSHALL')", '\0\r\n$3\r\n', '漢\u{1f600}', '__proto__', 'x'.repeat(1_000_000)]) {
      await made.call('SET', key, text);
      expect(await made.call('GET', key)).toBe(text);
    }
  });
});

describe('a connection to a server that has become a replica', () => {
  let next: TestRedis;
  beforeEach(async () => (next = await startTestRedis()));
  afterEach(async () => {
    await direct.control.call('REPLICAOF', 'NO', 'ONE');
    await next.stop();
  });

  it.each(['publish', 'blocking'] as const)('is made again, to where the address leads by then (%s)', async (profile) => {
    const made = await connected(profile);
    const { connectionEpoch } = made;
    proxy.retarget(next.url);
    await direct.control.call('REPLICAOF', '127.0.0.1', next.port);
    expect(await failureOf(made.call('SET', key, 'x'))).toMatchObject({ kind: 'unavailable' });
    await waitFor(() => made.call('SET', key, 'x'), { what: 'the new primary to take it' });
    expect(made.connectionEpoch).toBe(connectionEpoch + 1);
    expect(await made.call('INFO', 'server')).toContain(`tcp_port:${next.port}`);
  });

  it('is not made again and again while the address leads to a replica still', async () => {
    const made = await connected();
    const { connectionEpoch } = made;
    await direct.control.call('REPLICAOF', '127.0.0.1', next.port);
    await failureOf(made.call('SET', key, 'x'));
    await waitFor(() => made.connectionEpoch > connectionEpoch && made.isReady, { what: 'it to be made again' });
    for (let count = 0; count < 20; count += 1) await failureOf(made.call('SET', key, 'x'));
    expect(made.connectionEpoch).toBe(connectionEpoch + 1);
    expect(made.isReady).toBe(true);
  });
});

describe('whenReady', () => {
  it('is true for everybody who waits, as soon as the connection is there', async () => {
    await proxy.refuse();
    const made = connection();
    made.connect();
    const waiting = Array.from({ length: 1_000 }, () => made.whenReady(30_000));
    await proxy.pass();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
    expect(await made.whenReady(0)).toBe(true);
  });

  it('is false when its time is up, or its signal has aborted, and leaves no listener behind', async () => {
    await proxy.refuse();
    const made = connection();
    made.connect();
    const { signal } = new AbortController();
    for (let call = 0; call < 1_000; call += 1) expect(await made.whenReady(0, signal)).toBe(false);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    const stopping = new AbortController();
    const waiting = made.whenReady(3_600_000, stopping.signal);
    stopping.abort();
    expect(await waiting).toBe(false);
    expect(await made.whenReady(3_600_000, stopping.signal)).toBe(false);
    expect(getEventListeners(stopping.signal, 'abort')).toEqual([]);
  });

  it('is false on a closed connection when its time is up', async () => {
    const made = await connected();
    made.close();
    expect(await made.whenReady(1)).toBe(false);
    expect(await failureOf(made.call('GET', key))).toMatchObject({ kind: 'unsent', message: expect.stringContaining('it is closed') });
  });
});

describe('closing', () => {
  it('while connecting leaves nothing open, nothing unhandled, nothing printed', async () => {
    const silent = await FakeServer.start(() => undefined);
    const args = [redis.url, silent.url, `redis://127.0.0.1:${await freePort()}`];
    const child = new TypeScriptChild(new URL('./fixtures/close-while-connecting.ts', import.meta.url), { args });
    const errors: string[] = [];
    child.process.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
    expect(await child.line()).toBe('ready 1000');
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(errors.join('')).toBe('');
    expect(silent.connections).toBe(0);
    await silent.stop();
  });

  it('ends the connection on the server as well', async () => {
    const made = await connected();
    made.close();
    await waitFor(async () => !String(await direct.control.call('CLIENT', 'LIST')).includes(`name=${made.name}`), { what: 'the client to be gone' });
  });
});

describe('a client that has given up', () => {
  interface Made {
    readonly made: ServerConnection;
    readonly client: Redis;
  }

  async function connectedClient(): Promise<Made> {
    let client!: Redis;
    const { hostname, port } = new URL(redis.url);
    const made = new ServerConnection('spec', (reconnectOnError) => (client = new Redis(Number(port), hostname, { ...PROFILES.control, reconnectOnError })));
    opened.push(made);
    made.connect();
    expect(await made.whenReady(10_000)).toBe(true);
    return { made, client };
  }

  async function giveUp({ made, client }: Made): Promise<void> {
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
    expect(made.isReady).toBe(false);
  }

  it('is told to connect again, and rests when its connection is closed', async () => {
    const [closed, closedSince, open] = await Promise.all([connectedClient(), connectedClient(), connectedClient()]);
    const ended = once(closed.client, 'end');
    closed.made.close();
    await ended;
    await giveUp(closedSince);
    closedSince.made.close();
    await giveUp(open);
    // It ended last, so the others would have been told before it.
    expect(await open.made.whenReady(10_000)).toBe(true);
    expect(await open.made.call('PING')).toBe('PONG');
    expect([closed, closedSince].map(({ client }) => client.status)).toEqual(['end', 'end']);
  });
});
