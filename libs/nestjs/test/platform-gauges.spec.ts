import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { Publisher, type RunningWorker, startWorker, Subscribe, Telemetry, Topics } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Bench, OrderPlaced } from './fixture.js';

let bench: Bench;
const workers: RunningWorker[] = [];
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(() => bench.stop());

@Injectable()
class Handlers {
  @Subscribe(OrderPlaced, { group: 'inventory', retry: { attempts: 1 } })
  handle({ orderId }: OrderPlaced): void {
    if (orderId.startsWith('bad')) throw new Error('no such order');
  }
}

@Module({})
class AppModule {}

/** Processes with one prefix see the same topics. */
async function start(prefix: string): Promise<RunningWorker> {
  const app: DynamicModule = { module: AppModule, imports: [bench.module({ metrics: true, prefix })], providers: [Handlers] };
  const worker = await startWorker(app, { logger: false });
  workers.push(worker);
  return worker;
}

const textOf = ({ app }: RunningWorker): Promise<string> => app.get(Telemetry).text();

/** The value of a gauge; null when it is not there. */
function valueIn(text: string, gauge: string): number | null {
  const line = text.split('\n').find((each) => each.startsWith(`${gauge} `));
  return line === undefined ? null : Number(line.slice(gauge.length + 1));
}

const GROUP = '{topic="shop.orders.placed",group="inventory"}';

describe('the gauges of topics and groups', () => {
  it('are in the metrics of one process, and of the next one when that stops', async () => {
    const prefix = bench.prefix();
    const [first, second] = [await start(prefix), await start(prefix)];
    for (const orderId of ['bad-1', 'b', 'c']) await first.app.get(Publisher).publish(OrderPlaced, { orderId, amount: 1 });
    await waitFor(async () => valueIn(await textOf(first), `millrace_dlq_messages${GROUP}`) === 1, { what: 'the dead letter to be shown', timeoutMs: 30_000 });
    const text = await textOf(first);
    expect(valueIn(text, 'millrace_exporter')).toBe(1);
    expect(valueIn(text, 'millrace_stream_length{topic="shop.orders.placed"}')).toBe(3);
    expect(valueIn(text, `millrace_group_lag_entries${GROUP}`)).toBe(0);
    expect(valueIn(text, `millrace_group_members${GROUP}`)).toBe(2);
    const other = await textOf(second);
    expect([valueIn(other, 'millrace_exporter'), valueIn(other, `millrace_dlq_messages${GROUP}`)]).toEqual([0, null]);
    await first.stop();
    await waitFor(async () => valueIn(await textOf(second), 'millrace_exporter') === 1, { what: 'the other to take over', timeoutMs: 30_000 });
    expect(valueIn(await textOf(second), `millrace_dlq_messages${GROUP}`)).toBe(1);
  }, 90_000);

  it('are gone with their topic', async () => {
    const worker = await start(bench.prefix());
    await waitFor(async () => valueIn(await textOf(worker), 'millrace_exporter') === 1, { what: 'it to have them', timeoutMs: 30_000 });
    await worker.app.get(Topics).remove(OrderPlaced, { force: true });
    await waitFor(async () => valueIn(await textOf(worker), 'millrace_stream_length{topic="shop.orders.placed"}') === null, {
      what: 'the topic to be gone', timeoutMs: 30_000,
    });
  }, 90_000);
});

it('without Redis the other metrics are there all the same, and nothing waits for it', async () => {
  const worker = await start(bench.prefix());
  await worker.app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
  bench.redis.pause();
  try {
    const text = await textOf(worker);
    expect(valueIn(text, 'millrace_exporter')).toBe(0);
    expect(text).toContain('millrace_published_total{topic="shop.orders.placed",outcome="ok"} 1');
  } finally {
    bench.redis.resume();
  }
}, 90_000);
