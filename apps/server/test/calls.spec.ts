import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'node:http';
import { type CallContext, type CallOptions, MillraceModule, RpcContract, RpcService } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';
import { type INestApplication, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsInt, IsString, Max } from 'class-validator';
import { MillraceServerModule } from '../src/index.js';
import { ADAPTERS, API, byHeader, portOf, send } from './fixture.js';

class Charge {
  @IsString() orderId!: string;
  @IsInt() @Max(100) cents!: number;
}

class Charged {
  @IsString() chargeId!: string;
}

@RpcContract<PaymentsApi>('payments', {
  charge: { input: Charge, output: Charged, idempotent: true },
  ping: { output: Charged },
  note: { input: Charge, oneWay: true },
  slow: { output: Charged },
  list: { items: Charged },
})
abstract class PaymentsApi {
  abstract charge(charge: Charge, options?: CallOptions): Promise<Charged>;
  abstract ping(): Promise<Charged>;
  abstract note(charge: Charge): Promise<void>;
  abstract slow(): Promise<Charged>;
  abstract list(): AsyncIterable<Charged>;
}

@RpcContract<OtherApi>('others', { ping: { input: Charge, output: Charged } }, { version: '2' })
abstract class OtherApi {
  abstract ping(charge: Charge): Promise<Charged>;
}

@Injectable()
@RpcService(PaymentsApi)
class Payments {
  count = 0;
  readonly noted: string[] = [];
  aborted: Promise<unknown> | null = null;

  charge({ orderId, cents }: Charge): Charged {
    if (cents === 13) throw Object.assign(new Error('too much for one charge'), { code: 'LIMIT', data: { limit: 12 } });
    this.count += 1;
    return { chargeId: `${orderId}-${this.count}` };
  }

  ping(): Charged {
    return { chargeId: 'pong' };
  }

  note({ orderId }: Charge): void {
    this.noted.push(orderId);
  }

  slow(_: undefined, { signal }: CallContext): Promise<Charged> {
    this.aborted = new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('given up')), { once: true }));
  }

  async *list(): AsyncGenerator<Charged> {
    yield await Promise.resolve({ chargeId: 'a' });
  }
}

@Injectable()
@RpcService(OtherApi)
class Others {
  ping({ orderId }: Charge): Charged {
    return { chargeId: orderId };
  }
}

let redis: TestRedis;
const apps: INestApplication[] = [];

beforeAll(async () => void (redis = await startTestRedis()));
afterAll(() => redis.stop());
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close();
});

/** The server knows one of the contracts, and another process serves both. */
async function start(adapter: string, calls: boolean | undefined = true): Promise<{ app: INestApplication; payments: Payments }> {
  const root = MillraceModule.forRoot({ redis: redis.url, prefix: uniqueName('calls') });
  @Module({ imports: [root], providers: [Payments, Others] })
  class ServiceModule {}
  @Module({ imports: [root, MillraceModule.forFeature([PaymentsApi]), MillraceServerModule.forRoot({ ...byHeader, calls })] })
  class AppModule {}
  const service = await NestFactory.create(ServiceModule, { logger: false });
  await service.init();
  const app = await NestFactory.create(AppModule, ADAPTERS[adapter]!(), { logger: false });
  apps.push(app, service);
  await app.listen(0, '127.0.0.1');
  return { app, payments: service.get(Payments) };
}

const CHARGE = { orderId: 'o', cents: 1 };

describe.each(Object.keys(ADAPTERS))('calls over HTTP on %s', (adapter) => {
  it('answer as the method does, once for each key', async () => {
    const { app, payments } = await start(adapter);
    const keyed = { as: 'sender', body: CHARGE, headers: { 'idempotency-key': 'k', 'millrace-timeout': '20s' } };
    expect(await send(app, `${API}/services/payments/charge/call`, keyed)).toMatchObject({ status: 200, body: { chargeId: 'o-1' } });
    expect(await send(app, `${API}/services/payments/charge/call`, keyed)).toMatchObject({ status: 200, body: { chargeId: 'o-1' } });
    expect(await send(app, `${API}/services/payments/ping/call`, { as: 'sender', body: 'null' })).toMatchObject({ status: 200, body: { chargeId: 'pong' } });
    expect(await send(app, `${API}/services/payments/note/call`, { as: 'sender', body: CHARGE })).toMatchObject({ status: 202, body: null });
    const other = { as: 'sender', body: CHARGE, headers: { 'millrace-version': '2' } };
    expect(await send(app, `${API}/services/others/ping/call`, other)).toMatchObject({ status: 200, body: { chargeId: 'o' } });
    expect(payments.count).toBe(1);
  });

  it('give the error of the method, and of what keeps it from being called', async () => {
    const { app, payments } = await start(adapter);
    const call = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<unknown> => send(app, `${API}/services/${path}/call`, { as: 'sender', body, headers });
    expect(await call('payments/charge', { orderId: 'o', cents: 13 })).toMatchObject({
      status: 502, body: { code: 'REMOTE_FAILED', remote: { message: 'too much for one charge', code: 'LIMIT', response: { limit: 12 } } },
    });
    expect(await call('payments/charge', { orderId: 'o', cents: 'many' })).toMatchObject({ status: 400, body: { code: 'INVALID_PAYLOAD' } });
    expect(await call('payments/charge', 'null')).toMatchObject({ status: 400, body: { code: 'INVALID_PAYLOAD' } });
    expect(await call('payments/ping', CHARGE)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(await call('payments/list', 'null')).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(await call('payments/none', 'null')).toMatchObject({ status: 404, body: { code: 'UNKNOWN_METHOD' } });
    expect(await call('payments/ping', 'null', { 'idempotency-key': 'k' })).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(await call('nobody/ping', 'null')).toMatchObject({ status: 503, body: { code: 'NO_INSTANCE' } });
    expect(await call('a*b/ping', 'null')).toMatchObject({ status: 400, body: { code: 'INVALID_NAME' } });
    expect(await call('payments/slow', 'null', { 'millrace-timeout': '200ms' })).toMatchObject({ status: 504, body: { code: 'CALL_TIMEOUT' } });
    for (const timeout of ['0ms', '2h', '5', 'soon', '-1s']) {
      expect(await call('payments/ping', 'null', { 'millrace-timeout': timeout })).toMatchObject({ status: 400, body: { code: 'INVALID_OPTIONS' } });
    }
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    for (const [path, body] of [['payments/charge', `{"orderId":${deep},"cents":1}`], ['others/ping', deep], ['nobody/ping', `{"a":${deep}}`]] as const) {
      expect(await call(path, body)).toMatchObject({ status: 400, body: { code: 'UNSERIALIZABLE_PAYLOAD', detail: expect.stringContaining('nests deeper than 64') } });
    }
    expect(payments.count).toBe(0);
  });

  it('are given up when the client goes away', async () => {
    const { app, payments } = await start(adapter);
    const path = `${API}/services/payments/slow/call`;
    const headers = { 'x-test': 'sender', 'content-type': 'application/json', 'millrace-timeout': '1m' };
    // No fetch: it opens another connection when one is broken off, for which the server waits at its stop.
    const asked = request({ host: '127.0.0.1', port: portOf(app), path, method: 'POST', headers });
    asked.on('error', () => undefined).end('null');
    await waitFor(() => payments.aborted !== null, { what: 'the method to begin' });
    asked.destroy();
    expect(await payments.aborted).toMatchObject({ code: 'CALL_CANCELLED' });
  });

  it('are for those who may send, and off unless the option says otherwise', async () => {
    const { app, payments } = await start(adapter, false);
    expect(await send(app, `${API}/services/payments/charge/call`, { as: 'sender', body: CHARGE })).toMatchObject({ status: 404, body: { code: 'HTTP_404' } });
    expect(await send(app, `${API}/services/payments/charge/call`, { as: 'viewer', body: CHARGE })).toMatchObject({ status: 403 });
    expect(payments.count).toBe(0);
  });
});
