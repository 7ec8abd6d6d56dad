import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { type LocalSentinels, onServer, type RedisConnectOptions, type SentinelTarget, type Topology } from '@millrace/redis';
import { freePort, SentinelSite, startTestRedis, waitFor } from '@millrace/testing';
import { closeAll, connect, failure } from './connecting.js';

const [PASSWORD, SENTINEL_PASSWORD] = ['of servers', 'of sentinels'];
const KEY = 'spec:key';

let site: SentinelSite;
let all: LocalSentinels;
let target: SentinelTarget;

beforeAll(async () => {
  site = await SentinelSite.start({ appendonly: 'always', password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD });
  all = site.all;
  target = { sentinel: { ...site.target.sentinel, password: SENTINEL_PASSWORD }, password: PASSWORD };
});
afterEach(async () => {
  closeAll();
  await all.whenOk();
});
afterAll(() => site.stop());

/** Resolves when the key can be written, on a server that is a primary. */
function written(topology: Topology, value: string): Promise<unknown> {
  const write = (): Promise<unknown> => topology.publishFor(KEY).call('SET', KEY, value);
  return waitFor(async () => (await write()) === 'OK', { what: 'a primary to take a write', timeoutMs: 30_000 });
}

async function storedAt(server: { readonly port: number }): Promise<unknown> {
  return onServer({ port: server.port, password: PASSWORD }, (call) => call('GET', KEY));
}

describe('a primary that Sentinels watch', () => {
  it('is followed to its successor when it is killed, stands still, or is asked to step down', async () => {
    const topology = await connect(target);
    const { connectionEpoch } = topology.publishFor(KEY);
    for (const fault of ['kill', 'freeze', 'failover'] as const) {
      const before = await all.whoIsPrimary();
      if (fault === 'failover') await all.failover();
      else if (fault === 'kill') await before.kill();
      else before.freeze();
      if (fault !== 'failover') await all.untilPrimaryIsNot(before);
      const next = await all.whoIsPrimary();
      await waitFor(async () => (await written(topology, fault), (await storedAt(next)) === fault), { what: 'the next primary to have it', timeoutMs: 30_000 });
      if (fault === 'kill') await before.restart();
      if (fault === 'freeze') before.thaw();
      await all.whenOk();
    }
    expect(topology.publishFor(KEY).connectionEpoch).toBeGreaterThan(connectionEpoch);
  }, 300_000);

  it('is found while a Sentinel stands still, and while one is not there', async () => {
    all.sentinels[0]!.freeze();
    const nodes = [...target.sentinel.nodes, { host: '127.0.0.1', port: await freePort() }];
    expect(await written(await connect({ ...target, sentinel: { ...target.sentinel, nodes } }), 'found')).toBe(true);
    all.sentinels[0]!.thaw();
  });

  it('is found again by each of many connections, beside a Sentinel that never answers', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const nodes = [{ host: '127.0.0.1', port: (silent.address() as AddressInfo).port }, ...target.sentinel.nodes];
    const topology = await connect({ ...target, sentinel: { ...target.sentinel, nodes } });
    const connections = Array.from({ length: 20 }, (_, index) => topology.blockingFor(KEY, `read-${index}`));
    const areReady = (): Promise<boolean[]> => Promise.all(connections.map((connection) => connection.whenReady(30_000)));
    expect(new Set(await areReady())).toEqual(new Set([true]));
    const before = await all.whoIsPrimary();
    await before.kill();
    await all.untilPrimaryIsNot(before);
    expect(new Set(await areReady())).toEqual(new Set([true]));
    await before.restart();
    silent.close();
  });

  it('is left for its successor as soon as a Sentinel announces that, without a command that fails', async () => {
    const topology = await connect(target);
    const waiting = topology.blockingFor(KEY, 'read');
    expect(await waiting.whenReady(10_000)).toBe(true);
    const before = await all.whoIsPrimary();
    before.freeze();
    try {
      await all.untilPrimaryIsNot(before);
      const next = await all.whoIsPrimary();
      const clients = (): Promise<unknown> => onServer({ port: next.port, password: PASSWORD }, (call) => call('CLIENT', 'LIST'));
      const isThere = async (): Promise<boolean> => String(await clients()).includes('name=millrace:read ');
      await waitFor(isThere, { what: 'the connection to the successor', timeoutMs: 20_000 });
    } finally {
      before.thaw();
    }
  });

  it('is not taken for one where the Sentinels name a server that is a replica', async () => {
    const primary = await all.whoIsPrimary();
    const replica = all.servers.find((server) => server !== primary)!;
    const natMap = { [`127.0.0.1:${primary.port}`]: { host: '127.0.0.1', port: replica.port } };
    const error = await failure({ ...target, sentinel: { ...target.sentinel, natMap } });
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE' });
    expect(`${error.message} ${error.problems.join()}`).toContain(`The Sentinels name 127.0.0.1:${replica.port}, which is a replica`);
  });

  it('is asked for over one connection to each Sentinel, whatever the number of connections, and none stays', async () => {
    const ours = async (): Promise<number> => {
      const lists = await Promise.all(all.sentinels.map(({ at }) => onServer(at, (call) => call('CLIENT', 'LIST'))));
      return lists.join('\n').split('\n').filter((line) => line.includes('name=millrace:sentinel ')).length;
    };
    const topology = await connect(target);
    for (let index = 0; index < 5; index += 1) expect(await topology.blockingFor(KEY, `read-${index}`).whenReady(10_000)).toBe(true);
    await waitFor(async () => (await ours()) === all.sentinels.length, { what: 'one connection to each Sentinel' });
    topology.close();
    await waitFor(async () => (await ours()) === 0, { what: 'no connection to a Sentinel' });
  });

  it('is named to a user of the Sentinels that has the permissions of the guide', async () => {
    const guide = await readFile(new URL('../../../../docs/guides/redis-acl.md', import.meta.url), 'utf8');
    const [, channel, commands] = /needs the channel `(\S+)`, and\s+`([^`]+)`/.exec(guide)!;
    const rules = ['resetchannels', channel!, '-@all', ...commands!.split(' ')];
    for (const { at } of all.sentinels) await onServer(at, (call) => call('ACL', 'SETUSER', 'millrace', 'on', '>of the user', ...rules));
    const failed: unknown[] = [];
    const stop = listen('connection', (event) => event.state === 'failed' && failed.push(event));
    const topology = await connect({ ...target, sentinel: { ...target.sentinel, username: 'millrace', password: 'of the user' } });
    const before = await all.whoIsPrimary();
    await all.failover();
    await waitFor(async () => (await written(topology, 'user'), (await storedAt(await all.whoIsPrimary())) === 'user'), { what: 'the successor to have it', timeoutMs: 30_000 });
    expect(await all.whoIsPrimary()).not.toBe(before);
    const denied = await Promise.all(all.sentinels.map(({ at }) => onServer(at, (call) => call('ACL', 'LOG'))));
    expect(denied).toEqual(all.sentinels.map(() => []));
    expect(failed.map((event) => JSON.stringify(event)).filter((text) => /NOPERM|refuses/.test(text))).toEqual([]);
    stop();
  });

  it('has the database that is asked for, and is refused one that is not there', async () => {
    const topology = await connect({ ...target, database: 5 });
    await topology.publishFor(KEY).call('SET', KEY, 'five');
    expect(await storedAt(await all.whoIsPrimary())).not.toBe('five');
    expect(await failure({ ...target, database: 99 })).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('has no database 99') });
  });
});

describe('a start', () => {
  it('names the settings with which more is lost than must be', async () => {
    const primary = await all.whoIsPrimary();
    const set = (name: string, value: string): Promise<unknown> =>
      onServer({ port: primary.port, password: PASSWORD }, (call) => call('CONFIG', 'SET', name, value));
    expect((await connect(target)).server.concerns).toEqual([expect.stringContaining('takes writes without any replica')]);
    await set('min-replicas-to-write', '1');
    await set('appendonly', 'no');
    expect((await connect(target)).server.concerns).toEqual([expect.stringContaining('has no append-only file')]);
    await set('min-replicas-to-write', '0');
    await set('appendonly', 'yes');
  });

  it('says that the Sentinels watch no primary of that name', async () => {
    const error = await failure({ ...target, sentinel: { ...target.sentinel, primary: 'another' } });
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringMatching(/primary 'another' .* with that name.*REDIS_SENTINEL_PRIMARY/) });
  });

  it('says which password is refused, without showing it', async () => {
    const { password: _, ...open } = target.sentinel;
    const bySentinels = [await failure({ ...target, sentinel: open }), await failure({ ...target, sentinel: { ...open, password: 'wrong' } })];
    for (const error of bySentinels) expect(error).toMatchObject({ code: 'REDIS_FAILED', message: expect.stringContaining('REDIS_SENTINEL_PASSWORD') });
    const byServer = await failure({ ...target, password: 'wrong-one' });
    expect(byServer).toMatchObject({ code: 'REDIS_FAILED', message: expect.stringContaining('Check the user and the password') });
    expect(byServer.message).not.toContain('wrong-one');
  });

  it('says that the servers are no Sentinels, or do not answer', async () => {
    const server = await startTestRedis();
    const options = (port: number): RedisConnectOptions => ({ sentinel: { nodes: [{ host: '127.0.0.1', port }], primary: 'main' } });
    expect(await failure(options(server.port)).finally(() => server.stop())).toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringContaining('no Sentinels') });
    expect(await failure(options(await freePort()))).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining("primary 'main'") });
  });

  it('refuses a name that is missing, and wrong addresses, before anything connects', async () => {
    const { nodes } = target.sentinel;
    for (const sentinel of [{ nodes, primary: '' }, { nodes: [], primary: 'main' }]) {
      expect(await failure({ sentinel })).toMatchObject({ code: 'INVALID_OPTIONS' });
    }
  });
});
