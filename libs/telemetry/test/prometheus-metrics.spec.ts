import { channel } from 'node:diagnostics_channel';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type DeliveryContext, deliveryPipeline, emit, type EventMap, type EventName, eventChannel, fixed, HandlerTimeoutError, Job,
  jobOf, Publisher, showLoad, Topic, topicOf,
} from '@millrace/core';
import { bullConnection, bullPrefix, JobQueue, startJobWorker } from '@millrace/jobs';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createRpc, type Rpc } from '@millrace/rpc';
import { createStreams, type Streams } from '@millrace/streams';
import { METRICS, OTHER, PrometheusMetrics } from '@millrace/telemetry';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { Queue } from 'bullmq';
import { IsInt } from 'class-validator';
import { samplesOf } from './exported.js';

@Topic('orders.placed')
class Placed {
  @IsInt() value!: number;
}

@Job<Ship>('ship', { queue: 'shipping', attempts: 2, backoff: fixed('1ms') })
class Ship {
  @IsInt() value!: number;
}

let server: TestRedis;
let redis: StandaloneTopology;
let streams: Streams;
let rpc: Rpc;
let metrics: PrometheusMetrics;

beforeAll(async () => {
  server = await startTestRedis();
});
beforeEach(async () => {
  redis = await connectServer({ url: server.url });
  streams = createStreams({ redis, prefix: 'telemetry', leaseMs: 300 });
  rpc = createRpc({ redis, prefix: 'telemetry', presence: streams.presence, ledgerOf: null });
  metrics = new PrometheusMetrics().start();
});
afterEach(async () => {
  metrics.stop();
  await rpc.stop(200);
  await streams.stop(200);
  redis.close();
});
afterAll(() => server.stop());

/** Listens to no event of the engines. */
const tell = <Name extends EventName>(name: Name, event: EventMap[Name]): void => emit(name, event);

describe('the metrics', () => {
  it('count messages, their handlers and their settlements', async () => {
    const publisher = new Publisher(streams);
    const topic = topicOf(Placed);
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    const handle = async (payload: object, { attempt }: DeliveryContext): Promise<void> => {
      const { value } = payload as Placed;
      if (value === 1 && attempt === 1) throw new HandlerTimeoutError(5);
      if (value === 2) throw new RangeError('as planned');
    };
    await streams.subscribe({ topic, group: 'ship', concurrency: 4, crashLimit: 10, start: 'earliest' }, deliveryPipeline({ topic, group: 'ship', retry, handle }));
    for (const value of [0, 1, 2]) await publisher.publish(Placed, { value });
    await publisher.publish(Placed, { value: 3 }, { idempotencyKey: 'k' });
    await publisher.publish(Placed, { value: 3 }, { idempotencyKey: 'k' });
    await publisher.publish(Placed, { value: 'x' as never }).catch(() => undefined);
    const place = 'orders.placed ship';
    const settled = async (outcome: string): Promise<number | undefined> => (await samplesOf(metrics, 'millrace_settled_total'))[`${place} ${outcome}`];
    await waitFor(async () => (await settled('dead_letter')) === 1, { what: 'the dead letter' });
    await waitFor(async () => (await settled('ok')) === 3, { what: 'all to be settled' });
    expect(await samplesOf(metrics, 'millrace_published_total')).toEqual({ 'orders.placed ok': 4, 'orders.placed duplicate': 1, 'orders.placed invalid': 1 });
    expect(await samplesOf(metrics, 'millrace_publish_duration_seconds')).toEqual({ 'orders.placed': 5 });
    expect(await samplesOf(metrics, 'millrace_delivered_total')).toEqual({ [place]: 6 });
    expect(await samplesOf(metrics, 'millrace_redelivered_total')).toEqual({ [place]: 2 });
    expect(await samplesOf(metrics, 'millrace_handler_duration_seconds')).toEqual({
      [`${place} ok`]: 3, [`${place} timeout`]: 1, [`${place} retry`]: 1, [`${place} dead_letter`]: 1,
    });
    expect(await samplesOf(metrics, 'millrace_end_to_end_seconds')).toEqual({ [place]: 3 });
    expect(await samplesOf(metrics, 'millrace_settled_total')).toEqual({ [`${place} ok`]: 3, [`${place} retry`]: 2, [`${place} dead_letter`]: 1 });
    expect(await samplesOf(metrics, 'millrace_dead_lettered_total')).toEqual({ [`${place} RangeError`]: 1 });
  });

  it('count jobs, and those that failed for good', async () => {
    const queue = new Queue('shipping', { connection: bullConnection({ url: server.url }, 'queue'), prefix: bullPrefix('telemetry') });
    const handle = async (payload: object): Promise<void> => {
      if ((payload as Ship).value === 1) throw new RangeError('as planned');
    };
    const handlers = new Map([['ship', { definition: jobOf(Ship), timeoutMs: null, handle }]]);
    const worker = await startJobWorker({
      queue: 'shipping', connection: bullConnection({ url: server.url }, 'worker'), prefix: 'telemetry', concurrency: 1, handlers,
    });
    try {
      const jobs = new JobQueue(() => queue);
      await jobs.enqueueMany(Ship, [{ payload: { value: 0 } }, { payload: { value: 1 } }]);
      await waitFor(async () => (await samplesOf(metrics, 'millrace_jobs_failed_total'))['shipping RangeError'] === 1, { what: 'the job to fail' });
      await waitFor(async () => (await samplesOf(metrics, 'millrace_job_age_seconds'))['shipping ship'] === 1, { what: 'the other job' });
      expect(await samplesOf(metrics, 'millrace_enqueued_total')).toEqual({ 'shipping ship ok': 2 });
      expect(await samplesOf(metrics, 'millrace_enqueue_duration_seconds')).toEqual({ shipping: 1 });
      expect(await samplesOf(metrics, 'millrace_job_duration_seconds')).toEqual({ 'shipping ship ok': 1, 'shipping ship retry': 1, 'shipping ship dead_letter': 1 });
    } finally {
      await worker.stop(0);
      await queue.close();
    }
  });

  it('count calls on both sides, and those that nobody served', async () => {
    const name = { service: 'prices', version: '1' };
    const price = { idempotent: true, handle: async () => '1' };
    await rpc.serve({ ...name, concurrency: 4, methods: new Map([['price', price]]) });
    const call = (service: string, method: string): Promise<unknown> =>
      rpc.call({ service, version: '1', method, payloadJson: '1', timeoutMs: 10_000, idempotent: true }).catch(() => undefined);
    await call('prices', 'price');
    await call('prices', 'price');
    await call('prices', 'other');
    await call('nowhere', 'price');
    expect(await samplesOf(metrics, 'millrace_rpc_requests_total')).toEqual({
      'prices price ok': 2, 'prices other UNKNOWN_METHOD': 1, 'nowhere price NO_INSTANCE': 1,
    });
    expect(await samplesOf(metrics, 'millrace_rpc_no_handlers_total')).toEqual({ nowhere: 1 });
    await waitFor(async () => (await samplesOf(metrics, 'millrace_rpc_served_total'))['prices price ok'] === 2, { what: 'the methods to end' });
    expect(await samplesOf(metrics, 'millrace_rpc_served_duration_seconds')).toEqual({ 'prices price': 2 });
    expect(await samplesOf(metrics, 'millrace_rpc_duration_seconds')).toEqual({ 'prices price': 2, 'prices other': 1, 'nowhere price': 1 });
  });

  it('have the load of each subscription at the moment at which they are read', async () => {
    const hides = [1, 2].map((count) => showLoad(() => ({ topic: 't', group: 'g', inFlight: count, limit: 4, polledAtMs: count * 1_000 })));
    expect(await samplesOf(metrics, 'millrace_inflight')).toEqual({ 't g': 3 });
    expect(await samplesOf(metrics, 'millrace_concurrency_limit')).toEqual({ 't g': 8 });
    expect(await samplesOf(metrics, 'millrace_last_poll_timestamp_seconds')).toEqual({ 't g': 1 });
    for (const hide of hides) hide();
    expect(await samplesOf(metrics, 'millrace_inflight')).toEqual({});
    const group = { topic: topicOf(Placed), group: 'ship', concurrency: 4, crashLimit: 10 };
    await streams.subscribe(group, () => Promise.resolve({ kind: 'ack' }));
    expect(await metrics.text()).toContain('millrace_concurrency_limit{topic="orders.placed",group="ship"} 4');
  });

  it('count what goes wrong, from the events of that', async () => {
    const place = { topic: 't', group: 'g' };
    const error = { name: 'Error', message: 'x' };
    tell('lost', { ...place, count: 3, why: 'x' });
    tell('reclaimed', { ...place, count: 2 });
    tell('breaker', { ...place, state: 'open', why: 'x', error });
    tell('loop-failed', { loop: 'fetch', failures: 1, error });
    tell('outbox-published', { count: 5, oldestMs: 1 });
    tell('outbox-failed', { messageId: 'm', attempt: 1, error, outcome: 'dead' });
    expect(await samplesOf(metrics, 'millrace_trimmed_unread_total')).toEqual({ 't g': 3 });
    expect(await samplesOf(metrics, 'millrace_reclaimed_total')).toEqual({ 't g': 2 });
    expect(await samplesOf(metrics, 'millrace_breaker_open')).toEqual({ 't g': 1 });
    expect(await samplesOf(metrics, 'millrace_loop_failures_total')).toEqual({ fetch: 1 });
    expect(await samplesOf(metrics, 'millrace_outbox_published_total')).toEqual({ '': 5 });
    expect(await samplesOf(metrics, 'millrace_outbox_failed_total')).toEqual({ dead: 1 });
    tell('breaker', { ...place, state: 'closed', why: 'x', error });
    expect(await samplesOf(metrics, 'millrace_breaker_open')).toEqual({ 't g': 0 });
  });
});

describe('the labels', () => {
  it('are bounded: what is beyond 1,000 topics, or 64 groups of one, is counted together', async () => {
    const fetched = eventChannel('fetched');
    for (let topic = 0; topic < 1_010; topic += 1) fetched.publish({ topic: `t${topic}`, group: 'g', count: 1, redelivered: 0 });
    for (let group = 0; group < 70; group += 1) fetched.publish({ topic: 't0', group: `g${group}`, count: 1, redelivered: 0 });
    const delivered = await samplesOf(metrics, 'millrace_delivered_total');
    // The group `g` is the first of 64.
    expect(Object.keys(delivered)).toHaveLength(1_000 + 1 + 63 + 1);
    expect([delivered[`${OTHER} g`], delivered[`t0 ${OTHER}`], delivered['t0 g62'], delivered['t0 g63']]).toEqual([10, 7, 1, undefined]);
  });

  it('are bounded for errors as well', async () => {
    for (let error = 0; error < 70; error += 1) {
      tell('attempt-failed', { topic: 't', group: 'g', messageId: 'm', attempt: 1, outcome: 'dead-letter', error: { name: `E${error}`, message: 'x' } });
    }
    const letters = await samplesOf(metrics, 'millrace_dead_lettered_total');
    expect([Object.keys(letters).length, letters[`t g ${OTHER}`]]).toEqual([65, 6]);
  });

  it('name nothing that has no bound', () => {
    const labels = new Set(Object.values(METRICS).flatMap((definition) => [...definition.labels] as string[]));
    expect([...labels].sort()).toEqual(['code', 'error_type', 'group', 'job', 'loop', 'method', 'outcome', 'queue', 'service', 'topic']);
  });
});

it('listens to nothing once it is stopped', async () => {
  const names = ['published', 'fetched', 'handled', 'settled', 'enqueued', 'job-handled', 'called', 'served', 'attempt-failed'];
  const isHeard = (): boolean[] => names.map((name) => channel(`millrace:${name}`).hasSubscribers);
  metrics.start();
  expect(isHeard()).toEqual(names.map(() => true));
  metrics.stop();
  expect(isHeard()).toEqual(names.map(() => false));
  expect(await metrics.text()).toContain('# TYPE millrace_published_total counter');
  expect(metrics.contentType).toContain('text/plain');
});
