import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobHandler, JobQueue, MillraceError, MillraceModule, type MillraceOptions, Publisher, Subscribe } from '@millrace/nestjs';
import { connectServer, type ServerTarget, freePort } from '@millrace/redis';
import { Authority, type Pair, startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { readSettings, type Settings } from '../src/config/settings.js';
import { failureOf, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

/** Every character that means something in a URL, and one that is not ASCII. */
const PASSWORD = 'se#c/r?t@:%41[ ]\\"\u00e9\u20ac';

let authority: Authority;
let stranger: Authority;
let server: Pair;
let client: Pair;
let redis: TestRedis;
let port: number;

beforeAll(async () => {
  authority = new Authority();
  stranger = new Authority();
  server = authority.sign('server', 'DNS:redis.test,IP:127.0.0.1');
  client = authority.sign('client', 'DNS:client.test');
  port = await freePort();
  const files = ['--tls-cert-file', server.cert, '--tls-key-file', server.key, '--tls-ca-cert-file', authority.ca];
  redis = await startTestRedis({ extra: ['--tls-port', String(port), ...files, '--tls-auth-clients', 'yes'] });
  const direct = await connectServer({ url: redis.url });
  await direct.control.call('ACL', 'SETUSER', 'shop', 'on', `>${PASSWORD}`, '~*', '&*', '+@all');
  direct.close();
});
afterAll(async () => {
  await redis.stop();
  authority.remove();
  stranger.remove();
});

function problemsOf(options: object, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    readSettings(options, env);
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'INVALID_OPTIONS') return error.problems.length > 0 ? error.problems : [error.message];
    throw error;
  }
  throw new Error('nothing was refused');
}

/** How Redis is reached by these settings. */
async function userOf({ redis: target }: Settings): Promise<unknown> {
  const connections = await connectServer(target as ServerTarget);
  const user = await connections.control.call('ACL', 'WHOAMI');
  connections.close();
  return user;
}

describe('the parts of where Redis is', () => {
  it('are a URL like any other, with defaults', () => {
    const targetOf = (parts: object): ServerTarget => readSettings({ redis: parts }, { REDIS_URL: 'redis://not-this' }).redis as ServerTarget;
    const urlOf = (parts: object): string => targetOf(parts).url;
    expect(urlOf({})).toBe('redis://127.0.0.1:6379/0');
    expect(urlOf({ host: '::1', port: 1, database: 3 })).toBe('redis://[::1]:1/3');
    expect(urlOf({ host: 'redis.example', password: 'a#b', tls: true })).toBe('rediss://:a%23b@redis.example:6379/0');
    expect(urlOf({ host: 'my_redis', username: 'u@x', password: 'p:' })).toBe('redis://u%40x:p%3A@my_redis:6379/0');
  });

  it('take a user and a password with any characters', async () => {
    const settings = readSettings({ redis: { port: redis.port, username: 'shop', password: PASSWORD } }, {});
    expect(await userOf(settings)).toBe('shop');
  });

  it('are refused with all problems at once, beside those of other options, and with the nearest names', () => {
    const parts = { hots: 'a', host: 'redis://a', port: 0, username: '', password: 7, database: -1, tls: { caa: 'x', ca: 5 } };
    expect(problemsOf({ prefix: ' ', redis: parts }, { MILLRACE_LEASE: 'soon' })).toEqual([
      expect.stringContaining('MillraceModule: prefix must be'),
      "The option redis: option 'hots' is not known: did you mean 'host'?",
      'The option redis: host must be a name or an address alone, such as redis.example or ::1',
      'The option redis: port must not be less than 1',
      'The option redis: username must be text, not empty and without half characters',
      'The option redis: password must be text, not empty and without half characters',
      'The option redis: database must not be less than 0',
      "The option redis.tls: option 'caa' is not known: did you mean 'ca'?",
      'The option redis.tls: ca must be text, and not empty',
      expect.stringContaining('The environment: MILLRACE_LEASE must be'),
    ]);
  });

  it.each(['redis.example:6379', 'a b', 'u:p@h', '[::1]', '', 'h/0', 7])('refuse the host %p', (host) => {
    expect(problemsOf({ redis: { host } }).join()).toContain('host must be a name or an address alone');
  });

  it.each([5, [], true])('are not %p', (wrong) => {
    expect(problemsOf({ redis: wrong }).join()).toContain('redis must be a URL, { host, port, username, password, database, tls }, { cluster: { nodes } }');
  });

  it.each(['yes', 1, []])('are encrypted or not, and not %p', (tls) => {
    expect(problemsOf({ redis: { tls } }).join()).toContain('tls must be true, false or { ca, cert, key, servername }');
  });

  it('keep passwords and keys out of every message', () => {
    const key = readFileSync(client.key, 'utf8');
    for (const parts of [
      { password: 'half-s3cret\ud800' }, { password: 's3cret', port: 'x' }, { password: ['s3cret'] },
      { tls: { cert: client.cert, key: key.replaceAll('A', 's3cret') } }, { password: 's3cret', tls: { key } },
    ]) {
      const text = problemsOf({ redis: parts }).join();
      expect(text).not.toMatch(/s3cret|PRIVATE KEY/);
    }
  });
});

describe('certificates for Redis', () => {
  const encrypted = (tls: object): object => ({ redis: { port, username: 'shop', password: PASSWORD, tls } });

  it('are taken as paths and as text', async () => {
    const { cert, key } = client;
    expect(await userOf(readSettings(encrypted({ ca: authority.ca, cert, key }), {}))).toBe('shop');
    const text = (path: string): string => readFileSync(path, 'utf8');
    expect(await userOf(readSettings(encrypted({ ca: text(authority.ca), cert: text(cert), key: text(key) }), {}))).toBe('shop');
  });

  it('come from the environment, too, for a URL and for parts', async () => {
    const env = { MILLRACE_REDIS_CA: authority.ca, MILLRACE_REDIS_CERT: client.cert, MILLRACE_REDIS_KEY: client.key };
    const url = `rediss://shop:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
    expect(await userOf(readSettings({}, { ...env, REDIS_URL: url }))).toBe('shop');
    expect(await userOf(readSettings({ redis: url }, { ...env, MILLRACE_REDIS_SERVERNAME: 'redis.test' }))).toBe('shop');
    expect(await userOf(readSettings(encrypted({ servername: 'redis.test' }), env))).toBe('shop');
    expect(await userOf(readSettings({ redis: { port, username: 'shop', password: PASSWORD, tls: true } }, env))).toBe('shop');
  });

  it.each<[string, () => object, string, RegExp]>([
    ['an authority that did not sign', () => ({ ca: stranger.ca }), 'self-signed certificate', /do not trust each other.*tls\.ca/],
    ['no authority', () => ({}), 'self-signed certificate', /do not trust each other.*tls\.ca/],
    ['another name', () => ({ ca: authority.ca, servername: 'other.test' }), 'altnames', /do not trust each other.*tls\.servername/],
  ])('that are not to be trusted are told at once, with what to do: %s', async (_, tls, why, advice) => {
    const target = readSettings(encrypted({ ...client, ...tls() }), {}).redis as ServerTarget;
    const error = await failureOf(connectServer(target));
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringContaining(why) });
    expect(error.message).toMatch(advice);
    expect(error.message).not.toContain('se%23c');
  });

  it.each<[string, () => object, string]>([
    ['a file that is not there', () => ({ ca: '/nowhere.pem' }), 'ca must be PEM text, or the path of a file that holds it: reading it failed (ENOENT)'],
    ['a file of something else', () => ({ ca: notPem() }), 'which holds no PEM text'],
    ['text that is no certificate', () => ({ ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }), 'ca cannot be used'],
    ['a certificate without its key', () => ({ cert: client.cert }), 'cert and key must be given together'],
    ['a key without its certificate', () => ({ key: client.key }), 'cert and key must be given together'],
    ['a key of another certificate', () => ({ cert: client.cert, key: server.key }), 'cert and key cannot be used'],
  ])('are refused before anything connects: %s', (_, tls, problem) => {
    expect(problemsOf(encrypted(tls())).join()).toContain(problem);
  });

  it('are refused where nothing would be encrypted', () => {
    const env = { MILLRACE_REDIS_CA: authority.ca };
    expect(problemsOf({}, env).join()).toContain('Write rediss://');
    expect(problemsOf({ redis: redis.url }, env).join()).toContain('Write rediss://');
    expect(() => readSettings({ redis: { host: 'a' } }, env)).not.toThrow();
  });
});

function notPem(): string {
  const path = join(authority.folder, 'not.pem');
  writeFileSync(path, 'binary');
  return path;
}

describe('an application whose Redis speaks TLS', () => {
  let app: INestApplicationContext | undefined;
  afterEach(() => app?.close());

  it('publishes, subscribes, enqueues and works there, over TLS alone', async () => {
    const journal = new Journal();
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'inventory' })
      reserve({ orderId }: OrderPlaced): void {
        journal.add(`message ${orderId}`);
      }

      @JobHandler(SendConfirmation)
      send({ orderId }: SendConfirmation): void {
        journal.add(`job ${orderId}`);
      }
    }
    const parts: MillraceOptions['redis'] = { port, username: 'shop', password: PASSWORD, tls: { ca: authority.ca, ...client } };
    const root = MillraceModule.forRoot({ redis: parts, prefix: uniqueName('tls') });
    const imports = [root, MillraceModule.forFeature([SendConfirmation])];
    const module = { module: class AppModule {}, imports, providers: [Handlers] };
    app = await NestFactory.createApplicationContext(module, { logger: false });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'b' });
    expect((await journal.has(2)).sort()).toEqual(['job b', 'message a']);
  });
});
