import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { connectServer, redisConnection, type StandaloneTopology } from '@millrace/redis';
import { freePort, startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { FakeServer, infoReply } from './fake-server.js';
import { Sentinel } from './sentinel.js';

let redis: TestRedis;
let admin: StandaloneTopology;
let tls: Server;
const fakes: FakeServer[] = [];

beforeAll(async () => {
  redis = await startTestRedis();
  admin = await connectServer({ url: redis.url });
});

afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()));
});

afterAll(async () => {
  admin.close();
  await redis.stop();
});

async function fake(starting: Promise<FakeServer>): Promise<FakeServer> {
  const server = await starting;
  fakes.push(server);
  return server;
}

/** The error with which connecting fails. */
async function failure(url: string, name?: string): Promise<MillraceError> {
  try {
    (await connectServer({ url, name })).close();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error(`There was a Redis at ${url}.`);
}

function everythingIn(error: MillraceError): string {
  return JSON.stringify([error, error.message, error.stack, error.cause, (error.cause as Error | undefined)?.stack]);
}

describe('connectServer', () => {
  it('gives connections with names, and the facts about the server', async () => {
    const connections = await connectServer({ url: redis.url, name: 'spec' });
    expect(connections.server).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/), product: expect.stringMatching(/^(Redis|Valkey) \d+\.\d+\.\d+$/),
      evictionPolicy: 'noeviction', replicas: 0, capabilities: expect.any(Set), concerns: [],
    });
    const reader = connections.blockingFor('key', 'reader');
    expect(await reader.whenReady(5_000)).toBe(true);
    const clients = String(await admin.control.call('CLIENT', 'LIST'));
    expect([...clients.matchAll(/name=(spec:\w+)/g)].map(([, name]) => name).sort()).toEqual(['spec:control', 'spec:publish', 'spec:reader']);
    connections.close();
    await waitFor(async () => !String(await admin.control.call('CLIENT', 'LIST')).includes('name=spec'), { what: 'the clients to be gone' });
    expect(() => connections.blockingFor('key', 'late')).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    connections.close();
  });

  it('uses the database of the URL, and refuses one that is not there', async () => {
    const connections = await connectServer({ url: `${redis.url}/5` });
    await connections.publish.call('SET', 'where', 'five');
    connections.close();
    expect(await admin.control.call('GET', 'where')).toBeNull();
    expect(await failure(`${redis.url}/99`)).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('has no database 99') });
  });

  it.each(['', 'a b', 'a\nb', 'x'.repeat(101), 7 as unknown as string])('refuses %p as a name', async (name) => {
    expect(await failure(redis.url, name)).toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('refuses a text that is no URL of a Redis before anything connects', async () => {
    expect(await failure('redis://:secret/1@127.0.0.1')).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(await failure(undefined as unknown as string)).toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});

describe('where no Redis answers', () => {
  it('fails after a while with the words of the last attempt', async () => {
    const silent = await fake(FakeServer.start(() => undefined));
    const closing = await fake(FakeServer.start((socket) => socket.end()));
    const nowhere = await freePort();
    const cases = [
      [`redis://user:s3cret@127.0.0.1:${nowhere}`, `connect ECONNREFUSED 127.0.0.1:${nowhere}`],
      [`redis://localhost:${nowhere}`, 'ECONNREFUSED'],
      ['redis://no-such-host.invalid', 'ENOTFOUND'],
      ['unix:///nowhere/redis.sock', 'ENOENT'],
      [silent.url, 'Socket timeout'],
      [`rediss://127.0.0.1:${silent.port}`, 'connect ETIMEDOUT'],
      [closing.url, 'Connection is closed'],
    ] as const;
    const failures = await Promise.all(cases.map(([url]) => failure(url)));
    failures.forEach((error, index) => {
      const [url, said] = cases[index]!;
      expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining(`The last attempt said: `) });
      expect(error.message).toContain(`No Redis answers at ${url.replace('s3cret', '***')} within 5 s`);
      expect(error.message).toMatch(said === 'ENOTFOUND' ? /ENOTFOUND|EAI_AGAIN/ : said);
      expect(everythingIn(error)).not.toContain('s3cret');
    });
    await waitFor(() => silent.connections === 0 && closing.connections === 0, { what: 'no connection to be left' });
  });

  it.each([
    ['answers like a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['greets like SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['sends bytes', '\u0016\u0003\u0001\u0000'],
  ])('says at once that it is no Redis when something %s', async (_, text) => {
    const other = await fake(FakeServer.start((socket) => socket.write(text)));
    expect(await failure(other.url)).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: false, message: expect.stringContaining('is no Redis') });
    await waitFor(() => other.connections === 0, { what: 'no connection to be left' });
  });
});

describe('with TLS', () => {
  it.each([['localhost', 'localhost'], ['127.0.0.1', false]])('names the host that it wants: %s', async (host, expected) => {
    const hello = new Promise((resolve) => {
      const sniOf = (name: string, done: (error: null) => void): void => {
        resolve(name);
        done(null);
      };
      const server = createServer({ SNICallback: sniOf }, () => undefined);
      // Without a certificate no handshake succeeds; the name that the client wants is known before that.
      server.on('tlsClientError', (_, socket) => resolve(socket.servername));
      tls = server.listen(0, host);
    });
    await once(tls, 'listening');
    const { port } = tls.address() as AddressInfo;
    const connection = redisConnection({ url: `rediss://${host}:${port}` }, 'spec', 'control');
    connection.connect();
    expect((await hello) ?? false).toBe(expected);
    connection.close();
    tls.close();
  });
});

describe('where Redis refuses the user', () => {
  it('says so at once, and never the password', async () => {
    await admin.control.call('CONFIG', 'SET', 'requirepass', 'right-pw');
    try {
      const wrong = await failure(`redis://:wr0ng-p%40w@127.0.0.1:${redis.port}`);
      expect(wrong).toMatchObject({ code: 'REDIS_FAILED', kind: 'fatal', retryable: false, message: expect.stringMatching(/:\*\*\*@.*WRONGPASS/) });
      expect(everythingIn(wrong)).not.toMatch(/wr0ng|p@w|p%40w/);
      const user = await failure(`redis://nobody:wr0ng-pw@127.0.0.1:${redis.port}`);
      expect(user).toMatchObject({ code: 'REDIS_FAILED', message: expect.stringMatching(/nobody:\*\*\*@/) });
      expect(everythingIn(user)).not.toContain('wr0ng');
      expect(await failure(redis.url)).toMatchObject({ code: 'REDIS_FAILED', message: expect.stringContaining('NOAUTH') });
      (await connectServer({ url: `redis://:right-pw@127.0.0.1:${redis.port}` })).close();
    } finally {
      await admin.control.call('CONFIG', 'SET', 'requirepass', '');
    }
  });

  it('says so when the user may not read the facts about the server, or not use the database', async () => {
    // ioredis prints that it could not look.
    const warn = jest.spyOn(console, 'warn').mockReturnValue();
    await admin.control.call('ACL', 'SETUSER', 'blind', 'on', '>pw', '~*', '+@all', '-info');
    expect(await failure(`redis://blind:pw@127.0.0.1:${redis.port}`)).toMatchObject({ kind: 'fatal', message: expect.stringContaining("'info' command") });
    await admin.control.call('ACL', 'SETUSER', 'bound', 'on', '>pw', '~*', '+@all', '-select');
    expect(await failure(`redis://bound:pw@127.0.0.1:${redis.port}/3`)).toMatchObject({ kind: 'fatal', message: expect.stringContaining("'select' command") });
    warn.mockRestore();
  });
});

describe('the kind of the server', () => {
  const speaking = (info: Record<string, string>): Promise<FakeServer> =>
    fake(FakeServer.speaking((command) => (command === 'INFO' ? infoReply(info) : '+OK\r\n')));

  it.each(['6.2.14', '5.0.7', '6.9.99', 'nonsense'])('refuses version %s', async (version) => {
    const { url } = await speaking({ redis_version: version });
    expect(await failure(url)).toMatchObject({
      code: 'REDIS_UNSUPPORTED', retryable: false, message: expect.stringMatching(`is Redis ${version}; Millrace needs Redis 7.0 or newer`),
    });
  });

  it('refuses one that does not say', async () => {
    const { url } = await speaking({ some: 'thing' });
    expect(await failure(url)).toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringContaining('does not say which version') });
  });

  it.each(['7.0.0', '7.2.4', '8.2.1', '10.0.0', '255.255.255'])('takes version %s', async (version) => {
    const { url } = await speaking({ redis_version: version, maxmemory_policy: 'allkeys-lru' });
    const connections = await connectServer({ url });
    expect(connections.server).toEqual({ version, product: `Redis ${version}`, evictionPolicy: 'allkeys-lru', replicas: connections.server.replicas, capabilities: new Set(), concerns: [] });
    connections.close();
  });

  it.each(['', '/0', '/3'])('refuses a node of a Redis Cluster (its URL ends with %p)', async (database) => {
    const node = await startTestRedis({ extra: ['--cluster-enabled', 'yes'] });
    try {
      const error = await failure(`${node.url}${database}`);
      expect(error).toMatchObject({ code: 'REDIS_UNSUPPORTED', retryable: false, message: expect.stringContaining(`${node.url}${database} is a node of a Redis Cluster`) });
      expect(error.message).toContain('a Redis without cluster-enabled is needed here');
    } finally {
      await node.stop();
    }
  });

  it.each(['', '/0'])('refuses a Sentinel (its URL ends with %p)', async (database) => {
    const sentinel = await Sentinel.start(redis.port);
    try {
      const error = await failure(`${sentinel.url}${database}`);
      expect(error).toMatchObject({ code: 'REDIS_UNSUPPORTED', retryable: false, message: expect.stringContaining(`${sentinel.url}${database} is a Sentinel`) });
      expect(error.message).toContain('in REDIS_SENTINELS and REDIS_SENTINEL_PRIMARY');
    } finally {
      await sentinel.stop();
    }
  });

  it('refuses a replica, for now: a failover may make it the primary', async () => {
    const replica = await startTestRedis({ extra: ['--replicaof', '127.0.0.1', String(redis.port)] });
    try {
      const message = `The server at ${replica.url} is a replica of 127.0.0.1:${redis.port}, and takes no writes. Set REDIS_URL, or the option redis, to the primary, `;
      expect(await failure(replica.url)).toMatchObject({ code: 'REDIS_UNSUPPORTED', retryable: true, message: expect.stringContaining(message) });
    } finally {
      await replica.stop();
    }
  });

  it('says that it may be loading when it never gets ready', async () => {
    const { url } = await speaking({ redis_version: '7.0.0', loading: '1', loading_eta_seconds: '1' });
    expect(await failure(url)).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringContaining('it may be loading its data') });
  });

  it('waits while it loads its data, and goes on soon after', async () => {
    let asked = 0;
    const server = await fake(
      FakeServer.speaking((command) => {
        if (command !== 'INFO') return '+OK\r\n';
        asked += 1;
        return infoReply({ redis_version: '7.0.0', ...(asked <= 4 ? { loading: '1', loading_eta_seconds: '3600' } : { loading: '0' }) });
      }),
    );
    (await connectServer({ url: server.url })).close();
    expect(asked).toBeGreaterThan(4);
  });
});
