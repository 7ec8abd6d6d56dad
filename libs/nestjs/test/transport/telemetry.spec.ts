import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { presentSpans } from '@millrace/core';
import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { waitFor } from '@millrace/testing';
import { lastValueFrom } from 'rxjs';
import { EventPattern, toolsOf, TransportBench } from './fixture.js';

let bench: TransportBench;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => bench.begin());
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

@Controller()
class Handlers {
  @EventPattern('shop.placed')
  placed(): void {
    // It is counted, whatever it does.
  }

  @MessagePattern('double')
  double(@Payload() value: number): number {
    return value * 2;
  }
}

describe('the telemetry of a server without MillraceModule', () => {
  it('counts its events and requests, and has the gauges of its topics', async () => {
    const app = await bench.listening([Handlers], { metrics: true });
    const client = bench.client();
    await lastValueFrom(client.emit('shop.placed', { value: 1 }));
    expect(await lastValueFrom(client.send('double', 2))).toBe(4);
    const { telemetry } = toolsOf(app);
    const has = (line: string): Promise<unknown> =>
      waitFor(async () => (await telemetry.text()).includes(line), { what: line, timeoutMs: 60_000 });
    const group = 'topic="shop.placed",group="shop"';
    await has('millrace_published_total{topic="shop.placed",outcome="ok"} 1');
    await has(`millrace_handler_duration_seconds_count{${group},outcome="ok"} 1`);
    await has(`millrace_settled_total{${group},outcome="ok"} 1`);
    await has('millrace_rpc_requests_total{service="shop",method="handle",code="ok"} 1');
    await has('millrace_rpc_served_total{service="shop",method="handle",code="ok"} 1');
    await has(`millrace_concurrency_limit{${group}} 16`);
    await has('millrace_exporter 1');
    await has('millrace_stream_length{topic="shop.placed"} 1');
    await has(`millrace_group_lag_entries{${group}} 0`);
  }, 120_000);

  it('is that of a client as well, in a process that has no server', async () => {
    const client = bench.client({ metrics: true });
    await lastValueFrom(client.emit('shop.placed', { value: 1 }));
    const { telemetry } = await client.connect().then(({ unwrapped }) => unwrapped);
    expect(await telemetry.text()).toContain('millrace_published_total{topic="shop.placed",outcome="ok"} 1');
  });

  it('is nothing by default, and traces while the server runs where that is asked for', async () => {
    const plain = await bench.listening([Handlers]);
    const { telemetry } = toolsOf(plain);
    expect([telemetry.hasMetrics, presentSpans()]).toEqual([false, null]);
    await expect(telemetry.text()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await bench.closeAll();
    const app = await bench.listening([Handlers], { tracing: 'parent' });
    expect(presentSpans()).not.toBeNull();
    await app.close();
    expect(presentSpans()).toBeNull();
  });

  it('is refused where the option is no boolean', () => {
    expect(() => bench.server({ metrics: 'yes' as never })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});
