import { channel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it } from '@jest/globals';
import { emit } from '@millrace/core';
import { startMeters } from '@millrace/telemetry';
import { metrics } from '@opentelemetry/api';
import { RecordedMetrics } from './fixtures/recorded-metrics.js';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const ATTEMPT = { attempt: 1, durationMs: 20, ageMs: 30 };

let stop: (() => void) | null = null;
afterEach(() => {
  stop?.();
  metrics.disable();
});

async function started(): Promise<RecordedMetrics> {
  const recorded = new RecordedMetrics();
  metrics.setGlobalMeterProvider(recorded);
  stop = await startMeters({ server: { address: 'redis.example', port: 6_380 } });
  return recorded;
}

const of = (system: string, destination: string, rest: object): object => ({
  'messaging.system': system, 'messaging.destination.name': destination, 'server.address': 'redis.example', 'server.port': 6_380, ...rest,
});

describe('the metrics of OpenTelemetry', () => {
  it('have the names, the units and the buckets of the conventions', async () => {
    const { options } = await started();
    const duration = { unit: 's', advice: { explicitBucketBoundaries: BUCKETS } };
    expect(Object.fromEntries(options)).toEqual({
      'messaging.client.operation.duration': duration,
      'messaging.process.duration': duration,
      'messaging.client.sent.messages': { unit: '{message}' },
      'messaging.client.consumed.messages': { unit: '{message}' },
    });
  });

  it('count messages, in seconds, with the attributes of the conventions', async () => {
    const recorded = await started();
    emit('published', { topic: 't', outcome: 'ok', count: 3, durationMs: 10 });
    emit('published', { topic: 't', outcome: 'error', count: 1, durationMs: 0 });
    emit('published', { topic: 't', outcome: 'invalid', count: 1, durationMs: 0 });
    emit('fetched', { topic: 't', group: 'g', count: 2, redelivered: 0 });
    emit('handled', { topic: 't', group: 'g', partition: 0, ...ATTEMPT, outcome: 'retry', errorType: 'TIMEOUT' });
    const sent = { 'messaging.operation.name': 'publish' };
    expect(recorded.of('messaging.client.sent.messages')).toEqual([
      [3, of('redis_streams', 't', sent)], [1, of('redis_streams', 't', { ...sent, 'error.type': '_OTHER' })],
    ]);
    expect(recorded.of('messaging.client.operation.duration')).toEqual([
      [0.01, of('redis_streams', 't', { ...sent, 'messaging.operation.type': 'send' })],
    ]);
    const group = { 'messaging.consumer.group.name': 'g' };
    expect(recorded.of('messaging.client.consumed.messages')).toEqual([[2, of('redis_streams', 't', { ...group, 'messaging.operation.name': 'receive' })]]);
    const process = { ...group, 'messaging.operation.name': 'process', 'error.type': 'TIMEOUT' };
    expect(recorded.of('messaging.process.duration')).toEqual([[0.02, of('redis_streams', 't', process)]]);
  });

  it('count jobs', async () => {
    const recorded = await started();
    emit('enqueued', { queue: 'q', job: 'j', outcome: 'ok', count: 1, durationMs: 5 });
    emit('job-handled', { queue: 'q', job: 'j', ...ATTEMPT, outcome: 'ack' });
    expect(recorded.of('messaging.client.sent.messages')).toEqual([[1, of('bullmq', 'q', { 'messaging.operation.name': 'enqueue' })]]);
    expect(recorded.of('messaging.client.consumed.messages')).toEqual([[1, of('bullmq', 'q', { 'messaging.operation.name': 'receive' })]]);
    expect(recorded.of('messaging.process.duration')).toEqual([[0.02, of('bullmq', 'q', { 'messaging.operation.name': 'process' })]]);
  });

  it('are bounded in their names', async () => {
    const recorded = await started();
    for (let topic = 0; topic < 1_010; topic += 1) emit('published', { topic: `t${topic}`, outcome: 'ok', count: 1, durationMs: 0 });
    expect(new Set(recorded.of('messaging.client.sent.messages').map(([, attributes]) => attributes['messaging.destination.name'])).size).toBe(1_001);
  });

  it('count once, however often they are started, until the last has stopped them', async () => {
    const recorded = await started();
    const stopSecond = await startMeters();
    const sent = (): number => {
      emit('published', { topic: 't', outcome: 'ok', count: 1, durationMs: 0 });
      return recorded.of('messaging.client.sent.messages').length;
    };
    expect(sent()).toBe(1);
    stop!();
    stop!();
    expect(sent()).toBe(2);
    stopSecond!();
    expect(sent()).toBe(2);
  });

  it('listen to nothing where no provider is registered, nor once they are stopped', async () => {
    const isHeard = (): boolean => channel('millrace:published').hasSubscribers;
    expect([await startMeters(), isHeard()]).toEqual([null, false]);
    await started();
    expect(isHeard()).toBe(true);
    stop!();
    expect(isHeard()).toBe(false);
  });
});
