import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { MillraceModule, Publisher, type RunningWorker, startWorker, Subscribe, Telemetry, Topic } from '@millrace/nestjs';
import { onServer, slotOf } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';

const WAIT = { timeoutMs: 60_000 };
const PARTITIONS = 6;

@Topic<Counted>('cluster.counted', { partitions: PARTITIONS, key: ({ value }) => String(value) })
class Counted {
  @IsInt() value!: number;
}

@Topic('cluster.other')
class Other {
  @IsInt() value!: number;
}

let site: ClusterSite;
let prefix = '';
let goOn: () => void;
let held: Promise<void>;
const workers: RunningWorker[] = [];
beforeAll(async () => void (site = await ClusterSite.start()));
beforeEach(() => {
  prefix = uniqueName('gauges');
  held = new Promise((resolve) => (goOn = resolve));
});
afterEach(async () => {
  goOn();
  await Promise.all(workers.splice(0).map((worker) => worker.stop()));
});
afterAll(() => site.stop());

@Injectable()
class Handlers {
  @Subscribe(Counted, { group: 'slow', retry: { attempts: 1 } })
  async handle({ value }: Counted): Promise<void> {
    await held;
    if (value === 0) throw new Error('as planned');
  }

  @Subscribe(Other, { group: 'quick' })
  pass(): void {
    // It is counted, whatever it does.
  }
}

@Module({})
class AppModule {}

async function start(): Promise<RunningWorker> {
  const millrace = MillraceModule.forRoot({ redis: site.target as never, prefix, metrics: true, shutdownTimeout: '5s' });
  const app: DynamicModule = { module: AppModule, imports: [millrace], providers: [Handlers] };
  const worker = await startWorker(app, { logger: false });
  workers.push(worker);
  return worker;
}

/** A gauge in the metrics of a process; null when it is not there. */
async function gauge({ app }: RunningWorker, name: string): Promise<number | null> {
  const line = (await app.get(Telemetry).text()).split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}

const is = (worker: RunningWorker, name: string, value: number): Promise<unknown> =>
  waitFor(async () => (await gauge(worker, name)) === value, { what: `${name} to be ${value}`, ...WAIT });

const SLOW = '{topic="cluster.counted",group="slow"}';
const QUICK = '{topic="cluster.other",group="quick"}';

describe('the gauges of topics and groups on a Redis Cluster', () => {
  it('are those of all partitions of all topics, and the lag is what is not settled', async () => {
    const worker = await start();
    const publisher = worker.app.get(Publisher);
    for (let value = 0; value < 30; value += 1) await publisher.publish(Counted, { value });
    for (let value = 0; value < 3; value += 1) await publisher.publish(Other, { value });
    await is(worker, `millrace_group_lag_entries${SLOW}`, 30);
    await is(worker, `millrace_group_lag_entries${QUICK}`, 0);
    expect(await gauge(worker, 'millrace_stream_length{topic="cluster.counted"}')).toBe(30);
    expect(await gauge(worker, 'millrace_stream_length{topic="cluster.other"}')).toBe(3);
    expect(await gauge(worker, `millrace_group_lag_seconds${SLOW}`)).toBeGreaterThan(0);
    expect(await gauge(worker, `millrace_group_members${SLOW}`)).toBe(1);
    goOn();
    await is(worker, `millrace_group_lag_entries${SLOW}`, 0);
    await is(worker, `millrace_dlq_messages${SLOW}`, 1);
    expect(await gauge(worker, `millrace_group_lag_seconds${SLOW}`)).toBe(0);
  }, 180_000);

  it('stay with one process, by a lock on the node of its slot, also when that node fails over', async () => {
    const [first, second] = [await start(), await start()];
    await is(first, 'millrace_exporter', 1);
    await is(second, 'millrace_exporter', 0);
    const key = `${prefix}:{telemetry}:exporter`;
    const primary = await site.cluster.primaryOf(slotOf(key));
    expect(await onServer(primary, (call) => call('EXISTS', key))).toBe(1);
    const [replica] = await site.cluster.replicasOf(primary);
    await site.cluster.failover(replica!);
    await is(first, 'millrace_exporter', 1);
    expect(await gauge(second, 'millrace_exporter')).toBe(0);
    await first.stop();
    await is(second, 'millrace_exporter', 1);
    await is(second, `millrace_group_members${SLOW}`, 1);
  }, 180_000);
});
