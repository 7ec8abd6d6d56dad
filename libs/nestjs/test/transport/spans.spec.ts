import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { currentTrace } from '@millrace/core';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { waitFor } from '@millrace/testing';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { firstValueFrom, interval, lastValueFrom, type Observable, of, throwError, toArray } from 'rxjs';
import { TransportBench } from './fixture.js';

interface RecordedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly method: unknown;
  /** Null for a good end. */
  readonly errorType: unknown;
}

const exporter = new InMemorySpanExporter();
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));

/** Those that have ended. */
function spans(): RecordedSpan[] {
  return exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: span.kind,
    ...span.spanContext(),
    parentId: span.parentSpanContext?.spanId ?? null,
    method: span.attributes['rpc.method'],
    errorType: span.status.code === SpanStatusCode.ERROR ? span.attributes['error.type'] : null,
  }));
}

let bench: TransportBench;
/** How many spans there were before the test. */
let earlier = 0;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(async () => {
  earlier = spans().length;
  bench.begin();
  await bench.listening([Handlers], { tracing: 'parent' });
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

@Controller()
class Handlers {
  @MessagePattern('one')
  one(): string | undefined {
    return currentTrace()?.traceparent;
  }

  @MessagePattern('many')
  many(): Observable<number> {
    return of(1, 2, 3);
  }

  @MessagePattern('endless')
  endless(): Observable<number> {
    return interval(1);
  }

  @MessagePattern('broken')
  broken(): never {
    throw new RangeError('as planned');
  }

  @MessagePattern('fails.*')
  fails(): Observable<never> {
    return throwError(() => new RangeError('as planned'));
  }
}

/** The spans of the client and of the server, when both have ended. */
async function both(): Promise<{ call: RecordedSpan; serve: RecordedSpan }> {
  const recorded = (): RecordedSpan[] => spans().slice(earlier).filter(({ kind }) => kind !== SpanKind.INTERNAL);
  await waitFor(() => recorded().length === 2, { what: 'both spans to end', timeoutMs: 30_000 });
  const [call, serve] = [SpanKind.CLIENT, SpanKind.SERVER].map((kind) => recorded().find((span) => span.kind === kind)!);
  return { call: call!, serve: serve! };
}

describe('a request between Nest applications', () => {
  it('is a span of its caller, and one of its handler, in one trace', async () => {
    const seen = await trace.getTracer('test').startActiveSpan('request', async (span) => {
      const value = await lastValueFrom(bench.client().send<string>('one', {}));
      span.end();
      return value;
    });
    const parent = spans().find(({ name }) => name === 'request')!;
    const { call, serve } = await both();
    expect(call).toMatchObject({ name: 'shop/one', parentId: parent.spanId, errorType: null });
    expect(serve).toMatchObject({ name: 'shop/one', parentId: call.spanId, errorType: null });
    expect(serve.method).toBe('shop/one');
    expect(seen).toBe(`00-${serve.traceId}-${serve.spanId}-01`);
  });

  it('ends with the last value, and when its caller has heard enough', async () => {
    expect(await lastValueFrom(bench.client().send('many', {}).pipe(toArray()))).toEqual([1, 2, 3]);
    const many = await both();
    expect(many.serve).toMatchObject({ name: 'shop/many', parentId: many.call.spanId, errorType: null });
    earlier = spans().length;
    await firstValueFrom(bench.client().send('endless', {}));
    const endless = await both();
    expect(endless.serve).toMatchObject({ name: 'shop/endless', parentId: endless.call.spanId, errorType: null });
  });

  it.each([['broken', 'broken'], ['fails.here', 'fails.*']])('that fails has the type of the error: %s', async (pattern, route) => {
    await expect(lastValueFrom(bench.client().send(pattern, {}))).rejects.toMatchObject({ status: 'error' });
    const { call, serve } = await both();
    expect(serve).toMatchObject({ name: `shop/${route}`, errorType: 'RangeError' });
    expect(call).toMatchObject({ name: `shop/${pattern}`, errorType: '_OTHER' });
  });

  it('is a span of its caller alone, which fails, where its pattern is unknown', async () => {
    await expect(lastValueFrom(bench.client().send('nowhere', {}))).rejects.toBeDefined();
    expect(spans().slice(earlier)).toEqual([expect.objectContaining({ name: 'shop/nowhere', errorType: expect.any(String), kind: SpanKind.CLIENT })]);
  });
});
