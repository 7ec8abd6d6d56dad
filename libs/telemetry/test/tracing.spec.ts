import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { currentTrace, Loop, presentSpans, withTraceContext } from '@millrace/core';
import { startTracing, type TracingOptions } from '@millrace/telemetry';
import { startTestRedis, type TestRedis, TypeScriptChild, waitFor } from '@millrace/testing';
import { context, SpanKind, trace } from '@opentelemetry/api';
import { type RecordedSpan, recordSpans } from './fixtures/recorded-spans.js';
import { GROUP, Placed, type Ship, TracedProcess } from './fixtures/traced-process.js';

const spans = recordSpans();
let server: TestRedis;
let own: TracedProcess;
let stopTracing = (): void => undefined;
/** How many spans there were before the test. */
let earlier = 0;

const recorded = (): RecordedSpan[] => spans().slice(earlier);
const named = (all: readonly RecordedSpan[], name: string): RecordedSpan[] => all.filter((span) => span.name === name);

async function tracing(options?: TracingOptions): Promise<void> {
  stopTracing = await startTracing(options);
  own = await TracedProcess.start(server.url);
}

beforeAll(async () => {
  server = await startTestRedis();
});
beforeEach(() => void (earlier = spans().length));
afterEach(async () => {
  stopTracing();
  await own.stop();
});
afterAll(() => server.stop());

describe('spans', () => {
  it('go on from a publish to its handler, the job of that, its call and the service, in two processes', async () => {
    await tracing();
    await own.serve(async ({ value }: Ship) => ({ value }));
    const child = new TypeScriptChild(new URL('./fixtures/shipping-process.ts', import.meta.url), { args: [server.url] });
    expect(await child.line()).toBe('ready');
    await own.publisher.publish(Placed, { value: 1 });
    const ofChild = async (): Promise<RecordedSpan[]> => {
      child.tell('spans');
      return JSON.parse(await child.line()) as RecordedSpan[];
    };
    await waitFor(async () => named(await ofChild(), 'process shipping').length === 1, { what: 'the job to end', timeoutMs: 30_000 });
    const all = [...recorded(), ...(await ofChild())];
    await child.kill();
    const sent = ['publish orders.placed', 'process orders.placed', 'enqueue shipping', 'process shipping'];
    const order = [...sent, 'prices/price', 'prices/price'];
    const { PRODUCER, CONSUMER, CLIENT, SERVER } = SpanKind;
    const kinds: readonly number[] = [PRODUCER, CONSUMER, PRODUCER, CONSUMER, CLIENT, SERVER];
    let parentId: string | null = null;
    for (const [index, name] of order.entries()) {
      const [span, ...more] = named(all, name).filter(({ kind }) => kind === kinds[index]);
      expect([name, more, span?.parentId, span?.isError]).toEqual([name, [], parentId, false]);
      parentId = span!.spanId;
    }
    expect(new Set(all.map(({ traceId }) => traceId)).size).toBe(1);
    expect(all).toHaveLength(order.length);
    const [processed] = named(all, 'process orders.placed');
    expect(processed!.attributes).toEqual({
      'messaging.system': 'redis_streams', 'messaging.operation.name': 'process', 'messaging.operation.type': 'process',
      'messaging.destination.name': 'orders.placed', 'messaging.destination.partition.id': '0', 'messaging.consumer.group.name': GROUP,
      'messaging.message.id': expect.any(String), 'millrace.attempt': 1,
    });
  });

  it('are children of the span that publishes, and have links to it; those of another attempt have the link alone', async () => {
    await tracing();
    await own.handle(async (_, { attempt }) => {
      if (attempt === 1) throw new RangeError('as planned');
    });
    const tracer = trace.getTracer('test');
    await tracer.startActiveSpan('request', async (span) => {
      await own.publisher.publish(Placed, { value: 1 });
      span.end();
    });
    await waitFor(() => named(recorded(), 'process orders.placed').length === 2, { what: 'both attempts' });
    const [request] = named(recorded(), 'request');
    const [published] = named(recorded(), 'publish orders.placed');
    const [first, second] = named(recorded(), 'process orders.placed');
    expect(published!.parentId).toBe(request!.spanId);
    expect([first!.parentId, first!.links, first!.isError, first!.attributes['error.type']]).toEqual([published!.spanId, [published!.spanId], true, 'RangeError']);
    expect([second!.parentId, second!.links, second!.isError]).toEqual([null, [published!.spanId], false]);
    expect(second!.traceId).not.toBe(first!.traceId);
  });

  it('begin traces of their own where a link is asked for', async () => {
    await tracing({ relation: 'link' });
    const traces: (string | undefined)[] = [];
    await own.handle(async () => void traces.push(currentTrace()?.traceparent, trace.getActiveSpan()?.spanContext().spanId));
    await own.publisher.publish(Placed, { value: 1 });
    await waitFor(() => named(recorded(), 'process orders.placed').length === 1, { what: 'it to be handled' });
    const [published] = named(recorded(), 'publish orders.placed');
    const [processed] = named(recorded(), 'process orders.placed');
    expect([processed!.parentId, processed!.links]).toEqual([null, [published!.spanId]]);
    // Handlers run in the span, and send in its trace.
    expect(traces).toEqual([`00-${processed!.traceId}-${processed!.spanId}-01`, processed!.spanId]);
  });

  it('go on from a trace that this library carries, where OpenTelemetry has none', async () => {
    await tracing();
    await withTraceContext({ traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }, () => own.publisher.publish(Placed, { value: 1 }));
    expect(recorded().map(({ traceId, parentId }) => [traceId, parentId])).toEqual([['a'.repeat(32), 'b'.repeat(16)]]);
  });

  it('fail with what is refused, and hold no text of it', async () => {
    await tracing();
    await own.publisher.publish(Placed, { value: 'secret' as never }).catch(() => undefined);
    const [span] = recorded();
    expect([span!.isError, span!.attributes['error.type']]).toEqual([true, 'INVALID_PAYLOAD']);
    expect(JSON.stringify(span)).not.toContain('secret');
  });

  it('are not made of what loops do', async () => {
    await tracing();
    const tracer = trace.getTracer('test');
    await tracer.startActiveSpan('start', async (span) => {
      const round = async (): Promise<number> => {
        tracer.startSpan('poll').end();
        return 60_000;
      };
      const loop = new Loop({ name: 'x', round, onError: () => undefined });
      loop.start();
      await loop.stop();
      span.end();
    });
    expect(recorded().map(({ name }) => name)).toEqual(['start']);
    expect(context.active()).toBeDefined();
  });

  it('are not made once tracing has ended', async () => {
    await tracing();
    stopTracing();
    expect(presentSpans()).toBeNull();
    await own.publisher.publish(Placed, { value: 1 });
    expect(recorded()).toEqual([]);
  });
});
