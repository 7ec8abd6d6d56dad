import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplicationContext, Provider } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { topicOf } from '@millrace/core';
import { JobQueue, MillraceModule, Publisher } from '@millrace/nestjs';
import { connectRedis, connectServer, type StandaloneTopology, type Topology } from '@millrace/redis';
import { createRpc } from '@millrace/rpc';
import { createStreams, type Streams } from '@millrace/streams';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { Desk, DeskApi, FILE, fileWithPasswords, Gone, Greet, Handlers, PAGE, passwordOf, Turn, type User, USERS, Visit } from './users.js';

type Feature = Parameters<typeof MillraceModule.forFeature>[0][number];

interface Process {
  readonly redis: Topology;
  readonly streams: Streams;
  readonly publisher: Publisher;
}

let folder: string;
let redis: TestRedis;
let root: StandaloneTopology;
let app: INestApplicationContext;
let handlers: Handlers;
const open: Process[] = [];

function urlOf(user: User): string {
  return `redis://${user}:${encodeURIComponent(passwordOf(user))}@127.0.0.1:${redis.port}`;
}

async function processOf(user: User): Promise<Process> {
  const own = await connectRedis({ url: urlOf(user) });
  const streams = createStreams({ redis: own, prefix: 'millrace', leaseMs: 500 });
  const process = { redis: own, streams, publisher: new Publisher(streams) };
  open.push(process);
  return process;
}

function appOf(username: User, features: Feature[], providers: Provider[] = []): Promise<INestApplicationContext> {
  const parts = { port: redis.port, username, password: passwordOf(username) };
  const imports = [MillraceModule.forRoot({ redis: parts, lease: '500ms' }), MillraceModule.forFeature(features)];
  return NestFactory.createApplicationContext({ module: class AppModule {}, imports, providers }, { logger: false });
}

async function denied(): Promise<unknown> {
  return root.control.call('ACL', 'LOG');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-users-'));
  redis = await startTestRedis({ extra: ['--aclfile', fileWithPasswords(folder)] });
  root = await connectServer({ url: redis.url });
  app = await appOf('consumer', [Visit, Turn, Greet, DeskApi], [Handlers, Desk]);
  handlers = app.get(Handlers);
});

afterEach(async () => {
  for (const { streams, redis: own } of open.splice(0)) {
    await streams.stop(200);
    own.close();
  }
  await root.control.call('ACL', 'LOG', 'RESET');
});

afterAll(async () => {
  await app.close();
  root.close();
  await redis.stop();
  rmSync(folder, { recursive: true });
});

describe('the users of docker/users.acl', () => {
  it('are four, and none has a password until one is set', () => {
    const heads = FILE.split('\n').filter((line) => line !== '').map((line) => line.split(' ').slice(0, 4).join(' '));
    expect(heads).toEqual(USERS.map((user) => `user ${user} on #${'0'.repeat(64)}`));
  });

  it('give the admin all that docs/guides/redis-acl.md lists, but for the word that Redis 7.0 refuses', () => {
    const blocks = [...PAGE.matchAll(/```text\n([^]*?)```/g)].map(([, block = '']) => block);
    const listed = blocks.flatMap((block) => block.split(/\s/)).filter((word) => word.startsWith('+') && word !== '+waitaof');
    const given = FILE.split('\n').find((line) => line.startsWith('user admin '))!.split(' ').filter((word) => word.startsWith('+'));
    expect(new Set(given)).toEqual(new Set(listed));
  });

  it('let the publisher declare topics and publish in each way, and Redis denies nothing', async () => {
    const { streams, publisher } = await processOf('publisher');
    await streams.declare(topicOf(Visit));
    await publisher.publishMany(Visit, ['a', 'b', 'c', 'late', 'poison'].map((name) => ({ payload: { name }, idempotencyKey: name })));
    expect(await publisher.publish(Visit, { name: 'a' }, { idempotencyKey: 'a' })).toMatchObject({ duplicate: true });
    await publisher.publish(Visit, { name: 'delayed' }, { delay: '10ms' });
    const half = await publisher.publishHalf(Visit, { name: 'half' }, { idempotencyKey: 'half' });
    await half.commit();
    await (await publisher.publishHalf(Visit, { name: 'never' })).rollback();
    const checks = await streams.checkHalves({ topic: topicOf(Visit), concurrency: 1, timeoutMs: 1_000 }, () => Promise.resolve('rollback'));
    await publisher.publishHalf(Visit, { name: 'asked' }, { checkAfter: '1s' });
    const { streams: { inspector, halves } } = await processOf('monitor');
    await waitFor(async () => (await halves.state(Visit)).stored === 0, { what: 'the half message to be checked' });
    await checks.stop(100);
    await handlers.had('welcome a', 'index b', 'forget c', 'welcome delayed', 'gave up poison');
    await waitFor(() => handlers.calls.filter((call) => call === 'welcome late').length === 3, { what: 'the third attempt' });
    await publisher.publish(Visit, { name: 'held' });
    await handlers.had('welcome held');
    for (let count = 0; count < 30; count += 1) await publisher.publish(Visit, { name: `more ${count}` });
    await handlers.had('welcome more 29', 'index more 29');
    expect((await inspector.group(Visit, 'desk')).dropped).toBeGreaterThan(0);
    handlers.letGo();
    expect(await denied()).toEqual([]);
  });

  it.each([
    'UNLINK millrace:{users.visits:0}:ids:0', 'PEXPIRE millrace:{users.visits:0}:ids:1 1', 'HSET millrace:{users.visits:0}:removed desk 1',
    'UNLINK millrace:{users.visits:0}:group:desk:settled:65536', 'HSETNX millrace:{users.visits:0}:group:desk:body 1 x',
    'XSETID millrace:{users.visits:0}:log 1-1', 'WAIT 1 1',
  ])('let the publisher run what seldom comes: %s', async (line) => {
    expect(await root.control.call('ACL', 'DRYRUN', 'publisher', ...line.split(' '))).toBe('OK');
  });

  it('let the publisher reach ordered groups, where Redis denies no more than the short way to their owner', async () => {
    const { publisher } = await processOf('publisher');
    for (const name of ['a', 'b', 'c']) {
      await publisher.publish(Turn, { name });
      await handlers.had(`turn ${name}`);
    }
    for (const entry of (await denied()) as string[][]) expect(entry).toContain('pubsub|shardnumsub');
  });

  it('let the publisher hand over to owners of ordered groups with the words that the guide adds', async () => {
    const [, words = ''] = /`(\+pubsub[^`]*)`\s+in its line/.exec(PAGE) ?? [];
    const { publisher } = await processOf('publisher');
    await root.control.call('ACL', 'SETUSER', 'publisher', ...words.split(/ (?![+])/));
    for (const name of ['d', 'e', 'f']) {
      await publisher.publish(Turn, { name });
      await handlers.had(`turn ${name}`);
    }
    await root.control.call('ACL', 'LOAD');
    expect(await denied()).toEqual([]);
  });

  it('let the consumer subscribe, try again, give up, work on queues, call and serve, and Redis denies nothing', async () => {
    await app.get(Publisher).publish(Visit, { name: 'own' }, { delay: '10ms' });
    const jobs = app.get(JobQueue);
    await jobs.enqueueMany(Greet, ['a', 'late'].map((name) => ({ payload: { name } })));
    await handlers.had('welcome own', 'greet a');
    await waitFor(async () => (await jobs.counts('users-greetings')).completed === 2, { what: 'the jobs to be done' });
    const desk = app.get<DeskApi>(DeskApi);
    expect(await desk.book({ name: 'a' })).toEqual({ name: 'a' });
    expect(await denied()).toEqual([]);
  });

  it('let the monitor see topics, groups, lags, dead letters and instances, and Redis denies nothing', async () => {
    const { redis: own, streams: { inspector, deadLetters, orders, topics, presence } } = await processOf('monitor');
    expect((await inspector.topics()).map(({ name }) => name)).toContain('users.visits');
    expect((await inspector.groups(Visit)).map(({ name }) => name)).toEqual(['desk', 'index']);
    expect(await inspector.group(Visit, 'desk')).toMatchObject({ deadLetters: 1, deadLettered: 1, redelivered: 0 });
    expect(await inspector.silentMs(Visit, 'desk')).not.toBeNull();
    expect(await inspector.deadLetters(Visit, 'desk')).toHaveLength(1);
    expect(await deadLetters.list(Visit, 'desk')).toHaveLength(1);
    expect(await orders.parked(Turn, 'turns')).toEqual([]);
    expect(await topics.remove(Visit, { preview: true })).toMatchObject({ groups: [{ group: 'desk' }, { group: 'index' }] });
    const rpc = createRpc({ redis: own, presence, prefix: 'millrace' });
    expect(await rpc.instances.list()).toMatchObject([{ service: 'users-desk' }]);
    await rpc.stop(0);
    expect(await denied()).toEqual([]);
  });

  it('let the monitor count jobs, and Redis denies nothing', async () => {
    const own = await appOf('monitor', [Greet]);
    expect(await own.get(JobQueue).counts('users-greetings')).toMatchObject({ waiting: 0, completed: 2 });
    await own.close();
    expect(await denied()).toEqual([]);
  });

  it('let the admin redrive, pause, seek and remove, and Redis denies nothing', async () => {
    const { streams: { deadLetters, groups, topics, inspector } } = await processOf('admin');
    handlers.isIll = false;
    expect(await deadLetters.redrive(Visit, 'desk', { all: true })).toMatchObject({ redriven: 1 });
    await waitFor(async () => (await inspector.group(Visit, 'desk')).lag === 0, { what: 'the message to be handled' });
    await groups.pause(Visit, 'desk');
    expect(await groups.seek(Visit, 'desk', { to: 'earliest' })).toHaveLength(2);
    await groups.resume(Visit, 'desk');
    await handlers.had('welcome more 29 again');
    await groups.remove(Visit, 'index', { force: true });
    await topics.remove(Visit, { force: true });
    expect(await denied()).toEqual([]);
  });

  it('let the consumer begin no seek, so that none stops half way', async () => {
    const { streams: { groups, inspector } } = await processOf('consumer');
    await groups.pause(Turn, 'turns');
    const before = await inspector.group(Turn, 'turns');
    await expect(groups.seek(Turn, 'turns', { to: 'earliest' })).rejects.toThrow('seek.lua failed: Redis refuses the command');
    expect(await inspector.group(Turn, 'turns')).toEqual(before);
    await groups.resume(Turn, 'turns');
  });

  it('let a removed topic be declared anew by an admin, and not by a publisher', async () => {
    const [publisher, admin] = [await processOf('publisher'), await processOf('admin')];
    await publisher.streams.declare(topicOf(Gone));
    await admin.streams.topics.remove(Gone, { force: true });
    await expect(publisher.streams.declare(topicOf(Gone))).rejects.toThrow('remove.lua failed: Redis refuses the command');
    await admin.streams.declare(topicOf(Gone));
    await publisher.streams.declare(topicOf(Gone));
    expect(await publisher.publisher.publish(Gone, { name: 'a' })).toMatchObject({ duplicate: false });
  });

  it('let a log that Redis has lost be made again by an admin, and not by a publisher, while groups of it are known', async () => {
    const [publisher, admin] = [await processOf('publisher'), await processOf('admin')];
    const [log, meta, groups] = ['log', 'meta', 'groups'].map((key) => `millrace:{users.gone:0}:${key}`) as [string, string, string];
    await publisher.streams.declare(topicOf(Gone));
    await root.control.call('HSET', groups, 'all', 0);
    await root.control.call('DEL', log, meta);
    await expect(publisher.publisher.publish(Gone, { name: 'b' })).rejects.toThrow('Redis refuses the command');
    await admin.streams.declare(topicOf(Gone));
    expect(await publisher.publisher.publish(Gone, { name: 'b' })).toMatchObject({ duplicate: false });
  });
});

describe('the user default', () => {
  it('may ask whether Redis is there, and nothing else, with the line that docs/guides/redis-acl.md gives', async () => {
    const [, line = ''] = /`user (default on [^`]*)`/.exec(PAGE) ?? [];
    const own = await connectServer({ url: redis.url });
    await root.control.call('ACL', 'SETUSER', 'operator', 'on', 'nopass', '~*', '+@all');
    const operator = await connectServer({ url: `redis://operator:any@127.0.0.1:${redis.port}` });
    await operator.control.call('ACL', 'SETUSER', ...line.split(' '));
    expect(await own.control.call('PING')).toBe('PONG');
    await expect(own.control.call('GET', 'millrace:topics')).rejects.toThrow('NOPERM');
    await operator.control.call('ACL', 'SETUSER', 'default', '~*', '&*', '+@all');
    await root.control.call('ACL', 'DELUSER', 'operator');
    operator.close();
    own.close();
  });
});

const LOG = 'millrace:{users.turns:0}:log';
const CONTROL = 'millrace:{users.turns:0}:group:turns:control';
/** Nobody may run them. */
const NOBODYS = ['FLUSHALL', 'KEYS *', 'SCAN 0', 'CONFIG SET maxmemory 1', 'ACL LIST', 'SHUTDOWN', 'GET another', 'SPUBLISH another x', 'SCRIPT FLUSH'];
const WRITING = `EVAL redis.call('XADD',KEYS[1],'*','m','[]') 1 ${LOG}`;
const DENIED: Record<User, readonly string[]> = {
  admin: [...NOBODYS, `XADD another * m []`],
  consumer: [...NOBODYS, `XGROUP SETID ${LOG} turns 0`, `SETRANGE millrace:{users.turns:0}:group:turns:settled:0 0 x`, 'CONFIG GET requirepass'],
  publisher: [
    ...NOBODYS, `XREADGROUP GROUP turns x STREAMS ${LOG} >`, `DEL ${LOG}`, `UNLINK ${LOG}`, `XDEL ${LOG} 0-1`, `XCLAIM ${LOG} turns x 0 0-1`,
    `XREAD STREAMS ${LOG} 0`, `HSET ${CONTROL} paused 1`, `XADD millrace:{users.turns:0}:group:turns:dead * m []`,
    `SET millrace:{presence}:x 1`, 'SSUBSCRIBE millrace:{users.turns:0}:ring', 'GET {millrace}:users-greetings:id',
    `EVAL redis.call('DEL',KEYS[1]) 1 ${LOG}`,
  ],
  monitor: [
    ...NOBODYS, `XADD ${LOG} * m []`, `HSET ${CONTROL} paused 1`, `DEL ${LOG}`, `XREADGROUP GROUP turns x STREAMS ${LOG} >`, `XTRIM ${LOG} MAXLEN 0`,
    `SET millrace:{presence}:x 1`, `SPUBLISH millrace:{users.turns:0}:ring x`, 'LPUSH {millrace}:users-greetings:wait x', WRITING,
  ],
};

describe.each(USERS)('the user %s of docker/users.acl', (user) => {
  it.each(DENIED[user])('may not run %s', async (line) => {
    const own = await connectServer({ url: urlOf(user) });
    const [command = '', ...args] = line.split(' ');
    await expect(own.control.call(command, ...args)).rejects.toMatchObject({ message: expect.stringMatching(/NOPERM|can't run this command/) });
    own.close();
    expect(await denied()).toHaveLength(1);
  });
});
