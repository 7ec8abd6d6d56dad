import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate, ConflictException, Controller, type ExecutionContext, type INestApplication, Next, Post, Res, UseGuards,
} from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { Idempotent } from '@millrace/nestjs';
import { Bench, Journal } from '../fixture.js';
import { PLATFORMS, serve } from './applications.js';

interface OwnResponse {
  status(code: number): OwnResponse;
  send(body: unknown): unknown;
}

let ran: Journal;

class NumberedUser implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: object }>();
    if (request.headers.user) request.user = { id: BigInt(request.headers.user) };
    return true;
  }
}

@Controller('orders')
@UseGuards(NumberedUser)
class OrdersController {
  @Post('own')
  @Idempotent()
  own(@Res() response: OwnResponse): void {
    ran.add('own');
    setImmediate(() => response.status(201).send({ number: ran.entries.length }));
  }

  @Post('next')
  @Idempotent()
  next(@Next() _next: () => void, @Res() response: OwnResponse): void {
    ran.add('next');
    response.status(201).send({ number: ran.entries.length });
  }

  @Post('objection')
  @Idempotent()
  objection(): void {
    ran.add('objection');
    throw new ConflictException({ order: 7n });
  }

  @Post()
  @Idempotent()
  place(): number {
    ran.add('place');
    return ran.entries.length;
  }
}

let bench: Bench;
let apps: INestApplication[] = [];

beforeAll(async () => void (bench = await Bench.start()));
afterAll(() => bench.stop());
beforeEach(() => void (ran = new Journal()));
afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  apps = [];
});

async function start(adapter: AbstractHttpAdapter): Promise<string> {
  const { app, url } = await serve({ imports: [bench.module()], controllers: [OrdersController] }, adapter);
  apps.push(app);
  return `${url}/orders`;
}

async function post(url: string, given: { body?: string; headers?: object } = {}): Promise<[status: number, body: string]> {
  const headers = { 'idempotency-key': 'k', ...given.headers };
  const response = await fetch(url, { method: 'POST', body: given.body ?? null, headers, signal: AbortSignal.timeout(10_000) });
  return [response.status, await response.text()];
}

describe.each(PLATFORMS)('@Idempotent on %s', (_, adapter) => {
  it.each(['own', 'next'])('answers 410 to a repetition where the route sends its answer itself (%s)', async (route) => {
    const url = `${await start(adapter())}/${route}`;
    expect(await post(url)).toEqual([201, '{"number":1}']);
    expect(await post(url)).toEqual([410, expect.stringContaining('IDEMPOTENCY_ANSWER_NOT_KEPT')]);
    expect(ran.entries).toEqual([route]);
  });

  it('keeps no key in progress where a refusal is no JSON', async () => {
    const url = `${await start(adapter())}/objection`;
    const [status] = await post(url);
    expect(status).toBeGreaterThanOrEqual(409);
    expect(await post(url)).toEqual([410, expect.stringContaining('IDEMPOTENCY_ANSWER_NOT_KEPT')]);
  });

  it('tells users apart whose ids are bigints', async () => {
    const url = await start(adapter());
    expect(await post(url, { headers: { user: '9007199254740993' } })).toEqual([201, '1']);
    expect(await post(url, { headers: { user: '9007199254740992' } })).toEqual([201, '2']);
    expect(await post(url, { headers: { user: '9007199254740993' } })).toEqual([201, '1']);
  });

  it('takes a body that nobody has read before the route for another one when its length differs', async () => {
    const url = await start(adapter());
    const headers = { 'content-type': 'text/plain' };
    expect(await post(url, { body: 'three', headers })).toEqual([201, '1']);
    expect(await post(url, { body: 'three', headers })).toEqual([201, '1']);
    expect(await post(url, { body: 'of another length', headers })).toEqual([422, expect.stringContaining('IDEMPOTENCY_KEY_REUSED')]);
  });
});
