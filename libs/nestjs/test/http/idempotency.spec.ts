import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  BadRequestException, Body, type CanActivate, ClassSerializerInterceptor, ConflictException, Controller, type ExecutionContext,
  Get, Header, HttpCode, type INestApplication, type NestInterceptor, Post, Query, Redirect, Res, StreamableFile, UseGuards,
} from '@nestjs/common';
import { type AbstractHttpAdapter, Reflector } from '@nestjs/core';
import { Idempotent, type MillraceOptions } from '@millrace/nestjs';
import { connectServer } from '@millrace/redis';
import { Exclude } from 'class-transformer';
import { map } from 'rxjs';
import { Bench, Journal } from '../fixture.js';
import { PLATFORMS, serve } from './applications.js';

class Account {
  constructor(readonly name: string, secret: string) {
    this.secret = secret;
  }

  @Exclude() readonly secret: string;
}

interface PassthroughResponse {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

/** The user whom a request names; a real guard would check it. */
class NamedUser implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    if (request.headers.user) request.user = { id: request.headers.user };
    return true;
  }
}

let ran: Journal;
/** Requests wait for it. */
let gate: Promise<void>;
let failure: Error | null;

@Controller('orders')
@UseGuards(NamedUser)
class OrdersController {
  @Post()
  @Idempotent()
  async place(@Body() order: { id: string }, @Query('dry') dry?: string): Promise<object> {
    ran.add(order.id + (dry ?? ''));
    await gate;
    if (failure) throw failure;
    return { placed: order.id, number: ran.entries.length, at: new Date(0) };
  }

  @Post('strict')
  @Idempotent({ required: true, ttl: '1m', by: ({ headers }: { headers: Record<string, string> }) => headers.tenant })
  @HttpCode(202)
  @Header('Location', '/orders/1')
  strict(@Res({ passthrough: true }) response: PassthroughResponse): string {
    ran.add('strict');
    response.header('X-Number', String(ran.entries.length));
    response.header('Set-Cookie', 'session=secret');
    return `number ${ran.entries.length}`;
  }

  @Post('status')
  @Idempotent()
  status(@Res({ passthrough: true }) response: PassthroughResponse): void {
    ran.add('status');
    response.status(207);
  }

  @Post('redirect')
  @Idempotent()
  @Redirect()
  redirect(): object {
    ran.add('redirect');
    return { url: `/orders/${ran.entries.length}`, statusCode: 303 };
  }

  @Post('account')
  @Idempotent()
  account(): Account {
    ran.add('account');
    return new Account(`number ${ran.entries.length}`, 's3cret');
  }

  @Post('file')
  @Idempotent()
  file(): StreamableFile {
    ran.add('file');
    return new StreamableFile(Readable.from([Buffer.from('bytes')]));
  }

  @Post('large')
  @Idempotent()
  large(): object {
    ran.add('large');
    return { text: 'x'.repeat(70_000) };
  }

  @Post('objection')
  @Idempotent()
  objection(): void {
    ran.add('objection');
    throw new ConflictException('x'.repeat(70_000));
  }

  @Get()
  @Idempotent({ required: true })
  list(): number {
    ran.add('list');
    return ran.entries.length;
  }
}

interface Answer {
  status: number;
  type: string | null;
  replayed: boolean;
  headers: Headers;
  body: unknown;
}

let bench: Bench;
let apps: INestApplication[] = [];

beforeAll(async () => void (bench = await Bench.start()));
afterAll(() => bench.stop());
beforeEach(() => {
  ran = new Journal();
  gate = Promise.resolve();
  failure = null;
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
});

type Names = Pick<MillraceOptions, 'prefix' | 'application'>;

/** Applications share what they know when they are given the same names. */
async function start(adapter: AbstractHttpAdapter, options: Names = {}, around: NestInterceptor[] = []): Promise<string> {
  const { app, url } = await serve({ imports: [bench.module(options)], controllers: [OrdersController] }, adapter, (it) => {
    it.useGlobalInterceptors(new ClassSerializerInterceptor(it.get(Reflector)), ...around);
  });
  apps.push(app);
  return url;
}

interface Sent {
  readonly body?: object;
  readonly headers?: object;
}

async function post(url: string, key?: string, { body = { id: 'a' }, headers = {} }: Sent = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST', body: JSON.stringify(body), redirect: 'manual',
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }), ...headers },
  });
  const text = await response.text();
  const type = response.headers.get('content-type')?.split(';')[0] ?? null;
  return {
    status: response.status, type, replayed: response.headers.get('idempotency-replayed') === 'true', headers: response.headers,
    body: type?.includes('json') ? JSON.parse(text) : text,
  };
}

/** All texts and hashes that Redis holds. */
async function stored(): Promise<string> {
  const redis = await connectServer({ url: bench.redis.url, name: 'reader' });
  const ask = async (name: string, ...args: string[]): Promise<string[]> => {
    const reply = await redis.control.call(name, ...args);
    return [reply].flat().map(String);
  };
  const texts: string[] = [];
  for (const key of await ask('KEYS', '*')) {
    const [type] = await ask('TYPE', key);
    if (type === 'string') texts.push(...(await ask('GET', key)));
    if (type === 'hash') texts.push(...(await ask('HGETALL', key)));
  }
  redis.close();
  return texts.join(' ');
}

const PROBLEM = 'application/problem+json';

describe.each(PLATFORMS)('@Idempotent on %s', (_, adapter) => {
  it('executes a request once for its key, and gives the stored answer to each that is the same', async () => {
    const url = `${await start(adapter())}/orders`;
    const first = await post(url, 'k-1');
    expect(first).toMatchObject({ status: 201, replayed: false, body: { placed: 'a', number: 1, at: '1970-01-01T00:00:00.000Z' } });
    for (const key of ['k-1', '"k-1"']) expect(await post(url, key)).toMatchObject({ status: 201, replayed: true, body: first.body, type: first.type });
    expect(await post(url, 'k-2')).toMatchObject({ replayed: false, body: { number: 2 } });
    expect(ran.entries).toEqual(['a', 'a']);
  });

  it('answers 422 to another body or address under the same key, and executes nothing', async () => {
    const url = `${await start(adapter())}/orders`;
    await post(url, 'k');
    const reused = { status: 422, type: PROBLEM, body: { title: 'Unprocessable Entity', status: 422, code: 'IDEMPOTENCY_KEY_REUSED', detail: expect.stringContaining('Take a new key') } };
    expect(await post(url, 'k', { body: { id: 'b' } })).toMatchObject(reused);
    expect(await post(`${url}?dry=1`, 'k')).toMatchObject(reused);
    expect(await post(url, 'k')).toMatchObject({ status: 201, replayed: true });
    expect(ran.entries).toEqual(['a']);
  });

  it('answers 409 while a request with the key is being executed, in any process', async () => {
    const prefix = bench.prefix();
    const urls = [await start(adapter(), { prefix }), await start(adapter(), { prefix })];
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const running = post(`${urls[0]}/orders`, 'k');
    await ran.has(1);
    for (const url of urls) {
      const busy = await post(`${url}/orders`, 'k');
      expect(busy).toMatchObject({ status: 409, type: PROBLEM, body: { code: 'IDEMPOTENCY_IN_PROGRESS' } });
      expect(busy.headers.get('retry-after')).toBe('1');
    }
    open();
    const { body } = await running;
    expect(await post(`${urls[1]}/orders`, 'k')).toMatchObject({ status: 201, replayed: true, body });
    expect(ran.entries).toEqual(['a']);
  });

  it('executes one of many that come at once', async () => {
    const url = `${await start(adapter())}/orders`;
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(url, 'k')));
    expect(ran.entries).toEqual(['a']);
    expect(new Set(answers.map(({ status }) => status)).size).toBeLessThanOrEqual(2);
    for (const { status } of answers) expect([201, 409]).toContain(status);
  });

  it('keeps the answer when its client has gone', async () => {
    const url = `${await start(adapter())}/orders`;
    let open = (): void => undefined;
    gate = new Promise((resolve) => (open = resolve));
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k' };
    const request = httpRequest(url, { method: 'POST', headers });
    request.on('error', () => undefined);
    const gone = new Promise((resolve) => request.once('close', resolve));
    request.end(JSON.stringify({ id: 'a' }));
    await ran.has(1);
    request.destroy();
    await gone;
    open();
    let answer = await post(url, 'k');
    for (let tries = 0; answer.status === 409 && tries < 100; tries += 1) answer = await post(url, 'k');
    expect(answer).toMatchObject({ status: 201, replayed: true, body: { placed: 'a', number: 1 } });
    expect(ran.entries).toEqual(['a']);
  });

  it('frees the key when the handler failed, and keeps a refusal that will not pass', async () => {
    const url = `${await start(adapter())}/orders`;
    for (const thrown of [new Error('down'), new BadRequestException('no')]) {
      failure = thrown;
      expect((await post(url, 'k')).status).toBe(thrown instanceof BadRequestException ? 400 : 500);
    }
    failure = new ConflictException({ reason: 'sold out' });
    expect(await post(url, 'k')).toMatchObject({ status: 409, replayed: false, body: { reason: 'sold out' } });
    failure = null;
    expect(await post(url, 'k')).toMatchObject({ status: 409, replayed: true, body: { reason: 'sold out' } });
    expect(ran.entries).toHaveLength(3);
  });

  it('repeats status and headers of the handler, but no cookie', async () => {
    const url = `${await start(adapter())}/orders`;
    const [first, again] = [await post(`${url}/strict`, 'k'), await post(`${url}/strict`, 'k')];
    for (const answer of [first, again]) {
      expect(answer).toMatchObject({ status: 202, body: 'number 1' });
      expect([answer.headers.get('location'), answer.headers.get('x-number')]).toEqual(['/orders/1', '1']);
    }
    expect([first.headers.get('set-cookie'), again.headers.get('set-cookie')]).toEqual(['session=secret', null]);
    expect([(await post(`${url}/status`, 'k')).status, (await post(`${url}/status`, 'k')).status]).toEqual([207, 207]);
    for (const replayed of [false, true]) {
      const redirect = await post(`${url}/redirect`, 'k');
      expect([redirect.status, redirect.headers.get('location'), redirect.replayed]).toEqual([303, '/orders/3', replayed]);
    }
    expect(ran.entries).toEqual(['strict', 'status', 'redirect']);
  });

  it('refuses a missing key where one is required, and one that can be none', async () => {
    const url = `${await start(adapter())}/orders`;
    expect(await post(`${url}/strict`)).toMatchObject({ status: 400, type: PROBLEM, body: { code: 'IDEMPOTENCY_KEY_REQUIRED' } });
    for (const key of ['', '""', 'x'.repeat(256), 'caf\u00e9', '"open']) {
      expect(await post(`${url}/strict`, key)).toMatchObject({ status: 400, type: PROBLEM, body: { code: 'IDEMPOTENCY_INVALID_KEY' } });
    }
    expect(ran.entries).toEqual([]);
    expect([await post(url), await post(url)]).toMatchObject([{ body: { number: 1 } }, { body: { number: 2 } }]);
  });

  it('never gives the answer of one client to another', async () => {
    const url = `${await start(adapter())}/orders`;
    await post(url, 'k', { headers: { user: 'ann' } });
    expect(await post(url, 'k', { headers: { user: 'bob' } })).toMatchObject({ replayed: false, body: { number: 2 } });
    expect(await post(url, 'k', { headers: { user: 'ann' } })).toMatchObject({ replayed: true, body: { number: 1 } });
    await post(`${url}/strict`, 'k', { headers: { tenant: 'a' } });
    expect(await post(`${url}/strict`, 'k', { headers: { tenant: 'b' } })).toMatchObject({ replayed: false });
    expect(ran.entries).toHaveLength(4);
  });

  it('never gives the answer of one application to the clients of another under the same prefix', async () => {
    const prefix = bench.prefix();
    for (const application of ['sales', 'billing']) {
      const url = `${await start(adapter(), { prefix, application })}/orders`;
      for (const replayed of [false, true]) expect(await post(url, 'k')).toMatchObject({ status: 201, replayed });
    }
    expect(ran.entries).toEqual(['a', 'a']);
  });

  it('gives first and repeated answers through the same interceptors, without what decorators exclude', async () => {
    const wrap: NestInterceptor = { intercept: (_context, next) => next.handle().pipe(map((data: unknown) => ({ data }))) };
    const url = `${await start(adapter(), {}, [wrap])}/orders/account`;
    for (const replayed of [false, true]) {
      expect(await post(url, 'k')).toMatchObject({ replayed, body: { data: { name: 'number 1' } } });
    }
    expect(await stored()).toContain('number 1');
    expect(await stored()).not.toContain('s3cret');
  });

  it('says that an answer was not kept: a stream, and one that is too large', async () => {
    const url = `${await start(adapter())}/orders`;
    expect(await post(`${url}/file`, 'k')).toMatchObject({ status: 201, body: 'bytes' });
    expect((await post(`${url}/large`, 'k')).status).toBe(201);
    for (const path of ['file', 'large']) {
      expect(await post(`${url}/${path}`, 'k')).toMatchObject({ status: 410, type: PROBLEM, body: { code: 'IDEMPOTENCY_ANSWER_NOT_KEPT' } });
    }
    expect(ran.entries).toEqual(['file', 'large']);
  });

  it('refuses a key of another request with 422 also where the answer was not kept', async () => {
    const url = `${await start(adapter())}/orders`;
    for (const path of ['file', 'large', 'objection']) {
      const first = await post(`${url}/${path}`, 'k', { body: { id: 'a' } });
      expect(await post(`${url}/${path}`, 'k', { body: { id: 'b' } })).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
      expect([first.status, (await post(`${url}/${path}`, 'k', { body: { id: 'a' } })).status]).toEqual([path === 'objection' ? 409 : 201, 410]);
    }
    expect(ran.entries).toEqual(['file', 'large', 'objection']);
  });

  it('leaves requests alone that change nothing', async () => {
    const url = `${await start(adapter())}/orders`;
    const list = async (): Promise<string> => (await fetch(url, { headers: { 'idempotency-key': 'k' } })).text();
    expect([await list(), await list()]).toEqual(['1', '2']);
  });
});

it('executes nothing while Redis is away, and says so with 503', async () => {
  const own = await Bench.start();
  const { app, url } = await serve({ imports: [own.module()], controllers: [OrdersController] }, PLATFORMS[0]![1]());
  try {
    await post(`${url}/orders`, 'k');
    await own.redis.kill();
    const away = await post(`${url}/orders`, 'k-2');
    expect(away).toMatchObject({ status: 503, type: PROBLEM, body: { code: 'IDEMPOTENCY_UNAVAILABLE' } });
    expect(ran.entries).toEqual(['a']);
  } finally {
    await app.close();
    await own.stop();
  }
});

it('refuses options that are wrong where the decorator stands', () => {
  expect(() => Idempotent({ ttl: '1s' })).toThrow(/ttl/);
  expect(() => Idempotent({ by: 'user' as never })).toThrow(/by/);
});
