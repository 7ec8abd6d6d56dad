import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { presentSpans } from '@millrace/core';
import { Publisher, type RunningWorker, startWorker, Subscribe, Telemetry } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Bench, OrderPlaced } from './fixture.js';

let bench: Bench;
let worker: RunningWorker | null = null;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await worker?.stop();
  worker = null;
});
afterAll(() => bench.stop());

@Injectable()
class Handlers {
  @Subscribe(OrderPlaced, { group: 'inventory' })
  handle(): void {
    // It is counted, whatever it does.
  }
}

@Module({})
class AppModule {}

async function start(options: Parameters<Bench['module']>[0]): Promise<RunningWorker> {
  const app: DynamicModule = { module: AppModule, imports: [bench.module(options)], providers: [Handlers] };
  worker = await startWorker(app, { logger: false, health: { port: 0 } });
  return worker;
}

const metrics = async (): Promise<Response> => fetch(`${worker!.healthUrl!}/metrics`);

describe('the telemetry of a worker', () => {
  it('has its metrics beside its health, and injectable', async () => {
    const { app } = await start({ metrics: true });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    const handled = 'millrace_handler_duration_seconds_count{topic="shop.orders.placed",group="inventory",outcome="ok"} 1';
    await waitFor(async () => (await (await metrics()).text()).includes(handled), { what: 'it to be counted' });
    expect((await metrics()).headers.get('content-type')).toContain('text/plain');
    const telemetry = app.get(Telemetry);
    expect([telemetry.hasMetrics, telemetry.contentType]).toEqual([true, expect.stringContaining('text/plain')]);
    expect(await telemetry.text()).toContain('millrace_published_total');
    expect(telemetry.registry.getSingleMetric('millrace_published_total')).toBeDefined();
  });

  it('is nothing by default', async () => {
    const { app } = await start({});
    expect((await metrics()).status).toBe(404);
    const telemetry = app.get(Telemetry);
    expect(telemetry.hasMetrics).toBe(false);
    await expect(telemetry.text()).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('option metrics') });
    expect(presentSpans()).toBeNull();
  });

  it('traces while it runs, where that is asked for', async () => {
    await start({ tracing: 'link' });
    expect(presentSpans()).not.toBeNull();
    await worker!.stop();
    expect(presentSpans()).toBeNull();
  });

  it('refuses another word for tracing', async () => {
    await expect(start({ tracing: 'yes' as never })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});
