import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { currentTrace, Loop, presentSpans, withTraceContext } from '@millrace/core';
import { startTracing, type TracingOptions } from '@millrace/telemetry';
import { startTestRedis, type TestRedis, TypeScriptChild, waitFor } from '@millrace/testing';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { type RecordedSpan, recordSpans } from './fixtures/recorded-spans.js';
import { GROUP, Placed, Ship, TracedProcess } from './fixtures/traced-process.js';

const spans = recordSpans();
let server: TestRedis;
let own: TracedProcess;
let stopTracing = (): void => undefined;
/** How many spans there were before the test. */
let earlier = 0;

const recorded = (): RecordedSpan[] => spans().slice(earlier);
const named = (all: readonly RecordedSpan[], name: string): RecordedSpan[] => all.filter((span) => span.name === name);

const price = async ({ value }: Ship): Promise<Ship> => ({ value });

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
    await own.serve({ price });
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

  /** The spans of a name that have a link to that of the one publish. */
  const linked = (name: string): RecordedSpan[] => {
    const [published] = named(recorded(), 'publish orders.placed');
    return named(recorded(), name).filter(({ links }) => links.includes(published?.spanId ?? ''));
  };

  it('are those of settlements, where a message is not acknowledged, and of the handler of dead letters', async () => {
    await tracing({ server: { address: 'redis.example', port: 6_379 } });
    const fail = async (): Promise<void> => {
      throw new RangeError('as planned');
    };
    await own.handle(fail, async () => undefined);
    await own.publisher.publish(Placed, { value: 1 });
    await waitFor(() => linked('process orders.placed').length === 3, { what: 'the dead letter to be handled', timeoutMs: 30_000 });
    const [published] = named(recorded(), 'publish orders.placed');
    for (const operation of ['retry', 'dead_letter']) {
      const [settled, ...more] = linked(`${operation} orders.placed`);
      expect([settled!.kind, settled!.isError, more]).toEqual([SpanKind.CLIENT, false, []]);
      expect(settled!.attributes).toMatchObject({
        'messaging.operation.name': operation, 'messaging.operation.type': 'settle', 'messaging.consumer.group.name': GROUP,
        'server.address': 'redis.example', 'server.port': 6_379,
      });
    }
    const ofHook = linked('process orders.placed').filter(({ attributes }) => attributes['millrace.dead_letter'] === true);
    expect(ofHook.map(({ parentId, isError }) => [parentId, isError])).toEqual([[published!.spanId, false]]);
    expect(named(recorded(), 'ack orders.placed')).toEqual([]);
  });

  it('are those of acknowledgements as well, where that is asked for', async () => {
    await tracing({ acks: true });
    await own.handle(async () => undefined);
    await own.publisher.publish(Placed, { value: 1 });
    await waitFor(() => linked('ack orders.placed').length === 1, { what: 'it to be acknowledged', timeoutMs: 30_000 });
    expect(linked('ack orders.placed')[0]!.parentId).toBe(named(recorded(), 'publish orders.placed')[0]!.spanId);
  });

  it('last as long as a streamed call, until that ends, fails or is left', async () => {
    await tracing();
    const within: (string | undefined)[] = [];
    const watch = async function* ({ value }: Ship): AsyncGenerator<Ship> {
      for (let item = 0; item < 3; item += 1) {
        within.push(trace.getActiveSpan()?.spanContext().spanId);
        yield { value: item };
      }
      if (value === 1) throw new RangeError('as planned');
      if (value === 2) await new Promise(() => undefined);
    };
    await own.serve({ price, watch });
    const ends = (): RecordedSpan[] => named(recorded(), 'prices/watch');
    const values: number[] = [];
    for await (const item of own.prices.watch({ value: 0 })) values.push(item.value);
    await waitFor(() => ends().length === 2, { what: 'both spans', timeoutMs: 30_000 });
    const [client, server] = [SpanKind.CLIENT, SpanKind.SERVER].map((kind: number) => ends().find((span) => span.kind === kind)!);
    expect([values, server!.parentId, client!.isError, server!.isError]).toEqual([[0, 1, 2], client!.spanId, false, false]);
    expect(new Set(within)).toEqual(new Set([server!.spanId]));
    const failing = async (): Promise<void> => {
      for await (const item of own.prices.watch({ value: 1 })) values.push(item.value);
    };
    await expect(failing()).rejects.toMatchObject({ code: 'REMOTE_FAILED' });
    await waitFor(() => ends().length === 4, { what: 'both spans of the failure', timeoutMs: 30_000 });
    const errorOf = (kind: number): unknown => ends().slice(2).find((span) => span.kind === kind)!.attributes['error.type'];
    expect([errorOf(SpanKind.SERVER), errorOf(SpanKind.CLIENT)]).toEqual(['RangeError', 'REMOTE_FAILED']);
    for await (const item of own.prices.watch({ value: 0 })) if (item.value === 0) break;
    await waitFor(() => ends().length === 6, { what: 'both spans of the one that was left', timeoutMs: 30_000 });
    expect(ends().slice(4).map(({ isError }) => isError)).toEqual([false, false]);
  });

  it('bring baggage along, through topics, jobs and calls', async () => {
    await tracing();
    const seen: (string | undefined)[] = [];
    const note = (): void => void seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value);
    await own.serve({
      price: async (request) => {
        note();
        return price(request);
      },
    });
    await own.work(async ({ value }) => {
      note();
      await own.prices.price({ value });
    });
    await own.handle(async ({ value }) => {
      note();
      await own.jobs.enqueue(Ship, { value });
    });
    const baggage = propagation.createBaggage({ tenant: { value: 'a b' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () => own.publisher.publish(Placed, { value: 1 }));
    await waitFor(() => seen.length === 3, { what: 'the call to be served', timeoutMs: 30_000 });
    expect(seen).toEqual(['a b', 'a b', 'a b']);
    await own.publisher.publish(Placed, { value: 2 });
    await waitFor(() => seen.length === 6, { what: 'the other call to be served', timeoutMs: 30_000 });
    expect(seen.slice(3)).toEqual([undefined, undefined, undefined]);
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
