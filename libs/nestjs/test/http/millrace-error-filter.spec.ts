import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { STATUS_CODES } from 'node:http';
import {
  Body, Controller, Get, Headers, type INestApplication, Injectable, type LoggerService, Module, NotFoundException, Param, Post,
} from '@nestjs/common';
import { type AbstractHttpAdapter, APP_FILTER } from '@nestjs/core';
import { MessagePattern, Server } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { ERROR_CODES, type ErrorCode } from '@millrace/core';
import {
  MillraceError, MillraceErrorFilter, MillraceModule, Publisher, PublishManyError, type PublishResult, Subscribe,
} from '@millrace/nestjs';
import { lastValueFrom } from 'rxjs';
import { atOnce, Bench, Journal, OrderPlaced } from '../fixture.js';
import { PLATFORMS, serve } from './applications.js';

const STATUS: Record<ErrorCode, number> = {
  INVALID_OPTIONS: 400, INVALID_NAME: 400, INVALID_PAYLOAD: 400, UNSERIALIZABLE_PAYLOAD: 400, INVALID_HEADERS: 400,
  INVALID_INPUT: 400, UNKNOWN_MESSAGE_TYPE: 400,
  INVALID_CURSOR: 400, FORBIDDEN: 403, UNKNOWN_TOPIC: 404, UNKNOWN_MESSAGE: 404, UNKNOWN_JOB_QUEUE: 404, UNKNOWN_JOB: 404,
  UNKNOWN_GROUP: 404, GROUP_BUSY: 409,
  CONFIRMATION_REQUIRED: 409,
  CONFIRMATION_STALE: 409,
  REMOVED: 410, IDEMPOTENCY_MISMATCH: 409, TRANSACTION_ENDED: 409, PAYLOAD_TOO_LARGE: 413, BACK_PRESSURE: 503, LEDGER_FULL: 503,
  PUBLISH_INDEFINITE: 503,
  PUBLISH_REFUSED: 503, STATE_LOST: 503, REDIS_UNREACHABLE: 503, REDIS_FAILED: 503, DATABASE_UNREACHABLE: 503,
  OWNER_FENCED: 503, CLOSED: 503,
  AUDIT_FAILED: 503, DATABASE_FAILED: 500,
  NOT_A_CONTRACT: 500, UNKNOWN_SERVICE: 500,
  NOT_A_TOPIC: 500, NOT_A_JOB: 500, CONTRACT_CONFLICT: 500, DUPLICATE_SUBSCRIPTION: 500, DUPLICATE_JOB_HANDLER: 500,
  NO_IDEMPOTENCY_KEY: 500, MEMO_TOO_LARGE: 500, MEMO_FULL: 500, MEMO_NOT_CONFIGURED: 500,
  ORDERING_MISMATCH: 500, NO_KEY: 500, KEY_NOT_PARKED: 409, PARTITION_NOT_STOPPED: 409,
  UNKNOWN_QUEUE: 500, TOPIC_MISMATCH: 500, REDIS_UNSUPPORTED: 500, REDIS_NOT_FOUND: 500, INBOX_NOT_CONFIGURED: 500,
  FORWARD_REFUSED: 500, MALFORMED_ENVELOPE: 500, UNSUPPORTED_VERSION: 500, CRASH_LOOP: 500, TIMEOUT: 500, PORT_IN_USE: 500,
  CALL_TIMEOUT: 504, CALL_CANCELLED: 499, CALL_INDEFINITE: 504, NO_INSTANCE: 503, CIRCUIT_OPEN: 503, UNKNOWN_METHOD: 404,
  UNKNOWN_CALL: 404, REMOTE_FAILED: 502,
};

/** Thrown by an application of the user. */
let thrown: unknown;

@Controller()
class OrdersController {
  constructor(private readonly publisher: Publisher) {}

  @Post('orders')
  place(@Body() order: OrderPlaced, @Headers('idempotency-key') idempotencyKey?: string): Promise<PublishResult> {
    return this.publisher.publish(OrderPlaced, order, { idempotencyKey });
  }

  /** Orders of this many characters, at once. */
  @Post('orders/:size')
  placeTwo(@Param('size') size: string): Promise<PublishResult[]> {
    const order = { orderId: 'x'.repeat(Number(size)), amount: 1 };
    return Promise.all([this.publisher.publish(OrderPlaced, order), this.publisher.publish(OrderPlaced, order)]);
  }

  @Get('failing')
  fail(): never {
    throw thrown;
  }
}

interface Answer {
  status: number;
  type: string;
  retryAfter: string | null;
  body: unknown;
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  return { status: response.status, type, retryAfter: response.headers.get('retry-after'), body: await response.json() };
}

const PROBLEM = 'application/problem+json';
const FAILED = 'The server failed; its log says why.';

let bench: Bench;
let app: INestApplication | undefined;

beforeAll(async () => void (bench = await Bench.start()));
afterAll(() => bench.stop());
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(adapter: AbstractHttpAdapter, options: object = {}, logger?: LoggerService): Promise<string> {
  const imports = [bench.module(options), MillraceModule.forFeature([OrderPlaced])];
  const running = await serve({ imports, controllers: [OrdersController] }, adapter, (it) => {
    it.useGlobalFilters(new MillraceErrorFilter());
    if (logger) it.useLogger(logger);
  });
  app = running.app;
  return running.url;
}

describe.each(PLATFORMS)('an HTTP application with the filter, on %s', (_, adapter) => {
  it('answers what Millrace refuses as a problem: 400, 409, 413, 503', async () => {
    const url = await start(adapter(), { publishBufferBytes: 65_536 });
    const place = (order: object, key = ''): Promise<Answer> => {
      const headers = { 'content-type': 'application/json', ...(key ? { 'idempotency-key': key } : {}) };
      return ask(`${url}/orders`, { method: 'POST', body: JSON.stringify(order), headers });
    };
    const order = { orderId: 'a', amount: 1 };
    expect(await place(order, 'k')).toMatchObject({ status: 201 });
    expect(await place({ ...order, amount: 2 }, 'k')).toMatchObject({ status: 409, type: PROBLEM, retryAfter: null, body: { status: 409, code: 'IDEMPOTENCY_MISMATCH' } });
    const invalid = { status: 400, code: 'INVALID_PAYLOAD', problems: [expect.stringContaining('amount')] };
    expect(await place({ orderId: 'a', amount: 'many' })).toMatchObject({ status: 400, type: PROBLEM, body: invalid });
    expect(await ask(`${url}/orders/1100000`, { method: 'POST' })).toMatchObject({ status: 413, type: PROBLEM, body: { code: 'PAYLOAD_TOO_LARGE' } });
    expect(await ask(`${url}/orders/70000`, { method: 'POST' })).toEqual({
      status: 503, type: PROBLEM, retryAfter: '5',
      body: { title: 'Service Unavailable', status: 503, detail: 'There is more to do than can be taken at the moment. Send it again later.', code: 'BACK_PRESSURE' },
    });
  });

  it('answers each code on purpose, and tells of faults that are not the client\'s nothing but the code', async () => {
    const url = await start(adapter());
    for (const code of ERROR_CODES) {
      thrown = new MillraceError(code, 'No redis://u:s3cret@10.0.0.7.', { cause: new Error('inside'), problems: ['one', 'two'] });
      const { status, type, retryAfter, body } = await ask(`${url}/failing`);
      const isOurs = STATUS[code] >= 500;
      expect({ code, status, type, retryAfter }).toEqual({ code, status: STATUS[code], type: PROBLEM, retryAfter: status === 503 ? '5' : null });
      const rest = isOurs ? { detail: expect.any(String) } : { detail: 'No redis://u:s3cret@10.0.0.7.', problems: ['one', 'two'] };
      expect(body).toEqual({ title: STATUS_CODES[status] ?? 'Client Closed Request', status, code, ...rest });
      if (isOurs) expect(JSON.stringify(body)).not.toMatch(/s3cret|10\.0\.0\.7|inside|\.ts/);
    }
  });

  it('does not say that nothing was stored when a part was', async () => {
    thrown = new PublishManyError('shop.orders', [{ status: 'rejected', reason: new Error('no') }]);
    const { status, body } = await ask(`${await start(adapter())}/failing`);
    expect({ status, body }).toEqual({ status: 503, body: { title: 'Service Unavailable', status: 503, detail: expect.stringContaining('A part of it was not stored'), code: 'PUBLISH_REFUSED' } });
  });

  it('leaves errors that are not of Millrace to Nest', async () => {
    const url = await start(adapter());
    thrown = new NotFoundException('no such order');
    const body = { statusCode: 404, message: 'no such order', error: 'Not Found' };
    expect(await ask(`${url}/failing`)).toMatchObject({ status: 404, type: 'application/json', body });
    thrown = new Error('at 10.0.0.7');
    expect(await ask(`${url}/failing`)).toMatchObject({ status: 500, body: { statusCode: 500, message: 'Internal server error' } });
    expect(await ask(`${url}/nowhere`)).toMatchObject({ status: 404, body: { statusCode: 404 } });
  });

  it('writes into the log what the client is not told: a line for what passes, a stack for the rest, no credentials', async () => {
    const logged: unknown[][] = [];
    const write = (level: string) => (...entry: unknown[]): void => void logged.push([level, ...entry]);
    const url = await start(adapter(), {}, { log: () => undefined, warn: write('warn'), error: write('error') });
    logged.splice(0);
    thrown = new MillraceError('REDIS_UNREACHABLE', 'No redis://u:s3cret@h.');
    await ask(`${url}/failing`);
    thrown = new MillraceError('TOPIC_MISMATCH', 'Topic x is not as it was.');
    expect((await ask(`${url}/failing`)).body).toEqual({ title: 'Internal Server Error', status: 500, detail: FAILED, code: 'TOPIC_MISMATCH' });
    expect(logged).toEqual([
      ['warn', 'MillraceError (REDIS_UNREACHABLE): No redis://***@h.', 'Millrace'],
      ['error', 'MillraceError (TOPIC_MISMATCH): Topic x is not as it was.', expect.stringContaining('millrace-error-filter.spec.ts'), 'Millrace'],
    ]);
  });
});

/** A transport of microservices without a wire. */
class MemoryServer extends Server {
  listen(callback: () => void): void {
    callback();
  }

  close(): void {
    this.messageHandlers.clear();
  }

  on(): void {
    // It has no events.
  }

  unwrap<T>(): T {
    throw new Error('Nothing is inside.');
  }

  async failureOf(pattern: string): Promise<unknown> {
    const answer = this.transformToObservable(await this.getHandlerByPattern(pattern)!({}, {}));
    return lastValueFrom(answer).catch((failure: unknown) => failure);
  }
}

describe('the filter', () => {
  it('may be provided as APP_FILTER', async () => {
    @Module({ providers: [{ provide: APP_FILTER, useClass: MillraceErrorFilter }] })
    class ProblemsModule {}
    thrown = new MillraceError('UNKNOWN_TOPIC', 'There is no such topic.');
    const imports = [ProblemsModule, bench.module()];
    const running = await serve({ imports, controllers: [OrdersController] }, PLATFORMS[0]![1]());
    app = running.app;
    expect(await ask(`${running.url}/failing`)).toMatchObject({ status: 404, type: PROBLEM, body: { code: 'UNKNOWN_TOPIC' } });
  });

  it('answers the caller of a microservice, and tells no more than over HTTP', async () => {
    @Controller()
    class Remote {
      @MessagePattern('failing')
      fail(): never {
        throw thrown;
      }
    }
    const server = new MemoryServer();
    const module = await Test.createTestingModule({ controllers: [Remote] }).compile();
    const remote = module.createNestMicroservice({ strategy: server });
    remote.useGlobalFilters(new MillraceErrorFilter());
    remote.useLogger(false);
    await remote.init();
    const problems = ['id must be a string'];
    thrown = new MillraceError('INVALID_PAYLOAD', 'It is not valid.', { problems });
    const invalid = { status: 'error', message: 'It is not valid.', code: 'INVALID_PAYLOAD', problems };
    expect(await server.failureOf('failing')).toEqual(invalid);
    thrown = new MillraceError('DATABASE_FAILED', 'postgres://u:secret@db says no');
    expect(await server.failureOf('failing')).toEqual({ status: 'error', message: FAILED, code: 'DATABASE_FAILED' });
    await remote.close();
  });

  it('swallows no failure of a message handler when global filters surround those too', async () => {
    const attempts = new Journal<number>();
    @Injectable()
    class Inventory {
      @Subscribe(OrderPlaced, { group: 'inventory', retry: atOnce })
      reserve(): void {
        attempts.add(attempts.entries.length + 1);
        if (attempts.entries.length === 1) throw new MillraceError('PUBLISH_REFUSED', 'Not now.');
      }
    }
    const imports = [bench.module({ globalEnhancers: true }), MillraceModule.forFeature([OrderPlaced])];
    const filter = new MillraceErrorFilter();
    const running = await serve({ imports, providers: [Inventory] }, PLATFORMS[0]![1](), (it) => it.useGlobalFilters(filter));
    app = running.app;
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect(await attempts.has(2)).toEqual([1, 2]);
  });
});
