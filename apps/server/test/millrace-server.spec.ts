import { describe, expect, it } from '@jest/globals';
import { OPERATIONS } from '@millrace/admin';
import { Job, MillraceModule, Topic } from '@millrace/nestjs';
import { Body, Controller, Get, Post, RequestMethod, type Type } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { MillraceServerModule, type MillraceServerOptions } from '../src/index.js';
import { ADAPTERS, API, byHeader, portOf, PRINCIPALS, type Sent } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.faces')
class Faces {
  @IsInt() amount!: number;
}

@Job('test-faces', { queue: 'faces' })
class FacesJob {
  @IsInt() amount!: number;
}

/** A route of the application itself. */
@Controller('own')
class OwnController {
  @Get()
  fail(): never {
    throw new Error('inside');
  }

  @Post()
  echo(@Body() body: unknown): unknown {
    return { body };
  }
}

const TOKEN = 'a-token-that-is-longer-than-thirty-two';

const bed = new ServerBed('faces');

function applicationModule(options: MillraceServerOptions): Type {
  const imports = [DiscoveryModule, MillraceModule.forFeature([Faces, FacesJob]), MillraceServerModule.forRoot(options)];
  return bed.module({ imports, controllers: [OwnController] });
}

function start(adapter: string, options: MillraceServerOptions = byHeader): Promise<void> {
  return bed.start(applicationModule(options), { adapter });
}

interface Route {
  readonly method: string;
  readonly path: string;
}

/** Every route of our controllers that the running application has. */
function routes(): Route[] {
  const scanner = new MetadataScanner();
  const found = bed.app.get(DiscoveryService).getControllers().filter(({ metatype }) => metatype !== OwnController);
  return found.flatMap(({ instance }) => {
    const prototype = Object.getPrototypeOf(instance) as Record<string, object>;
    const own = Reflect.getMetadata('path', prototype['constructor']!) as string;
    return scanner.getAllMethodNames(prototype).flatMap((name) => {
      const path: unknown = Reflect.getMetadata('path', prototype[name]!);
      if (typeof path !== 'string') return [];
      const method = RequestMethod[Reflect.getMetadata('method', prototype[name]!) as number]!;
      return [{ method, path: `/${own}/${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1') }];
    });
  });
}

const filled = (path: string): string => API + path.replace(':partition', '0').replace(':offset', '0').replace(/:topic/, 'test.faces').replace(/:\w+/g, 'none');

/** Those that may use a route, as this test knows it by itself. */
function allowed({ method, path }: Route): readonly string[] {
  const row = OPERATIONS.find((operation) => operation.method === method && operation.path === path);
  if (path.startsWith('/health/')) return [...Object.keys(PRINCIPALS), 'a stranger'];
  if (['/metrics', '/live', '/openapi.json', '/asyncapi.json'].includes(path)) return ['viewer', 'viewer of payloads', 'operator', 'operator who sends', 'admin'];
  if (!row) return ['operator who sends', 'sender'];
  if (row.sends) return ['operator who sends'];
  if (row.role === 'viewer') return ['viewer', 'viewer of payloads', 'operator', 'operator who sends', 'admin'];
  return row.role === 'operator' ? ['operator', 'operator who sends', 'admin'] : ['admin'];
}

describe.each(Object.keys(ADAPTERS))('on %s', (adapter) => {
  it('every route there is lets in whom it should, and nobody else', async () => {
    await start(adapter);
    const found = routes();
    const rows = OPERATIONS.map(({ method, path }) => `${method} ${path}`);
    const others = [
      'GET /health/live', 'GET /health/ready', 'GET /metrics', 'POST /jobs/:job', 'POST /topics/:topic/messages', 'GET /live', 'GET /openapi.json',
      'GET /asyncapi.json', 'POST /services/:service/:method/call',
    ];
    expect(found.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([...rows, ...others].sort());
    for (const route of found) {
      const admitted: string[] = [];
      for (const as of Object.keys(PRINCIPALS)) {
        const { status } = await bed.send(filled(route.path), { method: route.method, as, ...(route.method === 'POST' ? { body: '[]' } : {}) });
        if (status !== 401 && status !== 403) admitted.push(as);
      }
      const stranger = await bed.send(filled(route.path), { method: route.method, from: '127.0.0.2' });
      if (stranger.status === 200) admitted.push('a stranger');
      else expect([401, 429]).toContain(stranger.status);
      expect({ route, admitted }).toEqual({ route, admitted: [...allowed(route)] });
    }
  });

  it('answers the use cases as the table says, in the name of the principal', async () => {
    await start(adapter);
    expect(await bed.send(`${API}/topics/test.faces/messages`, { body: { amount: 1 }, as: 'sender' })).toMatchObject({ status: 201, body: { offset: 0 } });
    expect(await bed.send(`${API}/jobs/test-faces`, { body: { amount: 1 }, as: 'sender' })).toMatchObject({ status: 201 });
    expect(await bed.send(`${API}/topics?limit=1&prefix=test`, { as: 'viewer' })).toMatchObject({
      status: 200, body: { items: [{ name: 'test.faces' }] }, headers: {
        'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      },
    });
    expect(await bed.send(`${API}/topics/test.faces/messages/0/0`, { as: 'viewer of payloads' })).toMatchObject({ status: 200, body: { payload: { amount: 1 } } });
    expect(await bed.send(`${API}/topics/test.faces/messages/0/9`, { as: 'viewer of payloads' })).toMatchObject({ status: 404, body: { code: 'HTTP_404' } });
    expect(await bed.send(`${API}/queues`, { as: 'viewer' })).toMatchObject({ status: 200, body: { items: [{ queue: 'faces', counts: { waiting: 1 } }] } });
    expect(await bed.send(`${API}/topics/test.more/create`, { body: {}, as: 'operator' })).toMatchObject({ status: 200, body: { dryRun: false, audited: true } });
    expect(await bed.send(`${API}/audit`, { as: 'admin' })).toMatchObject({ body: { items: [{ actor: 'otto' }, { actor: 'otto' }] } });
    expect(await bed.send(`${API}/topics/test.more/create`, { body: { actor: 'anna' }, as: 'operator' })).toMatchObject({ status: 400, body: { detail: expect.stringContaining('actor') } });
    expect(await bed.send(`${API}/metrics`, { as: 'viewer' })).toMatchObject({ status: 404 });
    expect(await bed.send(`${API}/health/ready`)).toMatchObject({ status: 200, body: { ok: true } });
  });

  it.each<[string, string, string]>([
    ['/groups/test.faces/none/seek', 'to', "to must be 'earliest', 'latest', a valid Date (over HTTP an ISO 8601 time with its zone: \"2026-12-24T18:00:00Z\") from 1970 on, or { \"offset\": 42 }"],
    ['/topics/test.faces/purge', 'before', 'before must be a valid Date (over HTTP an ISO 8601 time with its zone: "2026-12-24T18:00:00Z") from 1970 on'],
  ])('%s says of a time what JSON can have', async (path, name, problem) => {
    await start(adapter);
    expect(await bed.send(API + path, { body: { [name]: '-15m' }, as: 'admin' })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS', problems: [problem] } });
    expect(await bed.send(API + path, { body: { [name]: '2026-12-24T18:00:00Z' }, as: 'admin' })).not.toMatchObject({ status: 400 });
  });

  it.each([
    '/topics?limit=1&limit=2', '/topics?prefix=a&prefix=b', '/topics?__proto__=1', '/topics?constructor=1', '/topics/test.faces?limit=1', '/topics?token=x',
    '/topics?limit=many', '/topics?limit[]=1', '/topics/a%2Fb', '/topics/%2e%2e%2fetc', '/topics/a%00b', '/topics/a%0d%0ab', '/topics/a*b', '/topics/%7Ba%7D',
    `/topics/${'a'.repeat(99)}!`, '/topics/%E2%80%AEabc', '/trace?header=%7B%22__proto__%22%3A1%7D', '/topics/%20',
  ])('%s is 400 or 404 as a problem', async (path) => {
    await start(adapter);
    const { status, headers, body } = await bed.send(API + path, { as: 'viewer of payloads' });
    expect([400, 404]).toContain(status);
    expect(headers['content-type']).toContain('application/problem+json');
    expect(JSON.stringify(body)).not.toMatch(/\.ts|node_modules|\n/);
  });

  it.each<[number, string, Sent]>([
    [415, '{}', { headers: { 'content-type': 'text/plain' } }], [415, '{}', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    [400, '', {}], [400, '{not json', {}], [400, '[]', {}], [400, 'null', {}], [400, '"text"', {}], [400, '{"__proto__":{"dryRun":true}}', {}],
    [400, '{"constructor":1}', {}], [400, '{"partitions":["v"]}', {}], [400, '{"partitions":9007199254740993}', {}],
    [413, `{"confirm":"${'x'.repeat(3_000_000)}"}`, {}], [400, `${'['.repeat(20_000)}${']'.repeat(20_000)}`, {}],
  ])('answers %i to a bad body, and does nothing', async (status, body, sent) => {
    await start(adapter);
    const answer = await bed.send(`${API}/topics/test.bad/create`, { body, as: 'admin', ...sent });
    expect(answer).toMatchObject({ status, headers: { 'content-type': expect.stringContaining('application/problem+json') } });
    expect(await bed.send(`${API}/topics/test.bad`, { as: 'viewer' })).toMatchObject({ status: 404 });
    expect(({} as { dryRun?: unknown }).dryRun).toBeUndefined();
  });

  it('refuses pages of other sites, by where the browser says that they are', async () => {
    await start(adapter);
    const foreign: Record<string, string>[] = [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, { origin: 'https://evil.example' }, { origin: 'null' }];
    for (const headers of foreign) {
      expect(await bed.send(`${API}/topics/test.faces/messages`, { body: { amount: 1 }, as: 'sender', headers })).toMatchObject({ status: 403 });
    }
    const own = { 'sec-fetch-site': 'same-origin', origin: `http://127.0.0.1:${portOf(bed.app)}` };
    expect(await bed.send(`${API}/topics/test.faces/messages`, { body: { amount: 1 }, as: 'sender', headers: own })).toMatchObject({ status: 201 });
  });

  it('answers 429 to an address that guesses, and lets in whoever has the token', async () => {
    await start(adapter, { token: TOKEN });
    const statuses: unknown[] = [];
    for (let guess = 0; guess < 21; guess += 1) statuses.push((await bed.send(`${API}/topics`, { headers: { authorization: `Bearer ${guess}` } })).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), 429]);
    expect((await bed.send(`${API}/topics`)).headers['retry-after']).toMatch(/^\d+$/);
    expect(await bed.send(`${API}/topics`, { headers: { authorization: `Bearer ${TOKEN}` } })).toMatchObject({ status: 200 });
  });

  it('does not read the body of a stranger', async () => {
    await start(adapter, { token: TOKEN });
    expect(await bed.send(`${API}/topics/test.faces/messages`, { body: '{not json' })).toMatchObject({ status: 401 });
    expect(await bed.send(`${API.toUpperCase()}/topics/test.faces/messages`, { body: { amount: 1 } })).not.toMatchObject({ status: 201 });
  });

  it('leaves the own routes of the application alone', async () => {
    await start(adapter);
    expect(await bed.send('/own')).toMatchObject({ status: 500, body: { message: 'Internal server error' } });
    expect(await bed.send('/own', { body: { a: 1 } })).toMatchObject({ status: 201, body: { body: { a: 1 } } });
  });

  it('lives under another path, and a prefix of the application', async () => {
    await bed.start(applicationModule({ ...byHeader, path: 'ops' }), { adapter, prepare: (app) => app.setGlobalPrefix('internal') });
    expect(await bed.send('/internal/ops/api/v1/topics', { as: 'viewer' })).toMatchObject({ status: 200 });
    expect(await bed.send('/internal/ops/api/v1/topics/test.faces/messages', { body: { amount: 9_007_199_254 }, as: 'sender' })).toMatchObject({ status: 201 });
    expect(await bed.send('/internal/ops/api/v1/topics')).toMatchObject({ status: 401 });
  });

  it('works in an application of a test, whose own parser reads the bodies', async () => {
    const made = await Test.createTestingModule({ imports: [applicationModule(byHeader)] }).compile();
    await bed.listen(made.createNestApplication(ADAPTERS[adapter]!(), { logger: false }));
    expect(await bed.send(`${API}/topics/test.faces/messages`, { body: { amount: 1 }, as: 'sender' })).toMatchObject({ status: 201 });
    expect(await bed.send(`${API}/topics/test.more/create`, { body: {}, as: 'operator' })).toMatchObject({ status: 200 });
    expect(await bed.send(`${API}/topics/test.more/create`, { body: {}, as: 'viewer' })).toMatchObject({ status: 403 });
  });

  it('without rights lets in this machine alone, under a name of it', async () => {
    await start(adapter, {});
    expect(await bed.send(`${API}/topics`, { headers: { host: 'localhost:3000' } })).toMatchObject({ status: 200 });
    expect(await bed.send(`${API}/topics`, { headers: { host: 'evil.example' } })).toMatchObject({ status: 401 });
  });
});

describe('the options of the module', () => {
  it('say who may do what in production, or it does not start', () => {
    const env = process.env['NODE_ENV'];
    process.env['NODE_ENV'] = 'production';
    try {
      expect(() => MillraceServerModule.forRoot()).toThrow('MillraceServerModule.forRoot({ token: process.env.ADMIN_TOKEN })');
      expect(() => MillraceServerModule.forRoot({ token: TOKEN })).not.toThrow();
    } finally {
      process.env['NODE_ENV'] = env;
    }
  });

  it('are refused when they are wrong', () => {
    expect(() => MillraceServerModule.forRoot({ token: 'short' })).toThrow('token must have 32 to 512');
    expect(() => MillraceServerModule.forRoot({ path: 'a/b' })).toThrow('path must be');
    expect(() => MillraceServerModule.forRoot({ token: TOKEN, authorize: () => null })).toThrow('Give one of them');
    expect(() => MillraceServerModule.forRoot({ user: 'x' } as never)).toThrow('user');
  });
});
