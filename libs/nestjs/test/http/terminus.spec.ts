import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { HealthCheck, type HealthCheckResult, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { JobHandler, MillraceHealthIndicator, MillraceModule, Subscribe } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';
import { OrderPlaced, SendConfirmation } from '../fixture.js';
import { PLATFORMS, serve } from './applications.js';

@Controller('health')
class HealthController {
  constructor(private readonly health: HealthCheckService, private readonly millrace: MillraceHealthIndicator) {}

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([() => this.millrace.isHealthy('events')]);
  }

  @Subscribe(OrderPlaced, { group: 'inventory' })
  reserve(): void {}

  @JobHandler(SendConfirmation)
  send(): void {}
}

let redis: TestRedis;
let app: INestApplication | undefined;

beforeAll(async () => void (redis = await startTestRedis({ appendonly: 'always' })));
afterAll(() => redis.stop());
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function start(adapter: AbstractHttpAdapter): Promise<string> {
  const options = { redis: redis.url, prefix: uniqueName('terminus'), shutdownTimeout: '1s' } as const;
  const terminus = TerminusModule.forRoot({ logger: false });
  const imports = [terminus, MillraceModule.forRoot(options), MillraceModule.forFeature([SendConfirmation])];
  const running = await serve({ imports, controllers: [HealthController] }, adapter);
  app = running.app;
  return running.url;
}

describe.each(PLATFORMS)('the health of an application with Terminus, on %s', (_, adapter) => {
  it('is up, down while Redis is away with what fails by name and without addresses, and up again', async () => {
    const url = await start(adapter());
    const ask = async (): Promise<{ status: number; body: { details?: unknown } }> => {
      const response = await fetch(`${url}/health`);
      return { status: response.status, body: (await response.json()) as object };
    };
    expect(await ask()).toMatchObject({ status: 200, body: { status: 'ok', details: { events: { status: 'up', state: 'running' } } } });
    await redis.kill();
    await waitFor(async () => JSON.stringify((await ask()).body).includes('shop.orders.placed/inventory'), { what: 'the group to be told as failing' });
    const { status, body } = await ask();
    const failing: unknown = expect.arrayContaining(['redis', 'shop.orders.placed/inventory']);
    expect({ status, body }).toMatchObject({ status: 503, body: { status: 'error', details: { events: { status: 'down', state: 'running', failing } } } });
    expect(JSON.stringify(body)).not.toContain('127.0.0.1');
    await redis.restart();
    await waitFor(async () => (await ask()).status === 200, { what: 'the application to be well again' });
  });
});
