import { currentTrace, type OpenSpan, type SpanFacts, type Spans, type TraceContext, traceOf } from '@millrace/core';
import type { Context, Link, Span, SpanContext, SpanKind, Tracer } from '@opentelemetry/api';
import { OpenedSpan } from './opened-span.js';
import type { ServerAddress } from './semantic-conventions.js';
import { SETTLES, shapeOf } from './span-shape.js';

/** How the span of a handler stands to the one that published its message. */
export type TraceRelation = 'parent' | 'link';

export interface SpansParts {
  readonly api: typeof import('@opentelemetry/api');
  readonly relation: TraceRelation;
  /** Whether acknowledgements are spans as well. */
  readonly withAcks: boolean;
  readonly server: ServerAddress | null;
}

/** The SDK and the instrumentations of OpenTelemetry know contexts by this key in which nothing becomes a span. */
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

const SENDS: ReadonlySet<SpanFacts['operation']> = new Set(['publish', 'enqueue', 'call']);

/** Spans of OpenTelemetry. The trace of a span becomes that of this library, so that headers carry it on. */
export class OpenTelemetrySpans implements Spans {
  readonly #parts: SpansParts;

  constructor(parts: SpansParts) {
    this.#parts = parts;
  }

  around<T>(facts: SpanFacts, work: () => T): T {
    const opened = this.#opened(facts);
    try {
      const result = opened.run(work);
      if (result instanceof Promise) return settled(opened, result as Promise<unknown>) as T;
      opened.end();
      return result;
    } catch (thrown) {
      opened.end(thrown);
      throw thrown;
    }
  }

  open(facts: SpanFacts): OpenSpan | null {
    return facts.operation === 'ack' && !this.#parts.withAcks ? null : this.#opened(facts);
  }

  suppressed<T>(work: () => T): T {
    const { context, ROOT_CONTEXT } = this.#parts.api;
    return context.with(ROOT_CONTEXT.setValue(SUPPRESSED, true), work);
  }

  /** Looked up for each span: a provider may be registered later. */
  get #tracer(): Tracer {
    return this.#parts.api.trace.getTracer('millrace');
  }

  #opened(facts: SpanFacts): OpenedSpan {
    const { api, server } = this.#parts;
    const { operation, sentIn = [] } = facts;
    const traces = sentIn.map(traceOf).filter((one) => one !== null);
    const base = SENDS.has(operation) ? this.#present() : this.#baseOf(facts, traces);
    const isConsumer = operation === 'process' || SETTLES.has(operation);
    const links: Link[] = isConsumer ? traces.map((one) => ({ context: this.#spanContextOf(one) })) : [];
    const { name, attributes } = shapeOf(facts, server);
    const span = this.#tracer.startSpan(name, { kind: this.#kindOf(facts), attributes, links }, base);
    const carried = sentIn.length === 1 ? (traces[0] ?? null) : sentIn.length === 0 ? currentTrace() : null;
    return new OpenedSpan({ api, span, context: api.trace.setSpan(base, span), trace: this.#traceOf(span, base, carried) });
  }

  /** Without an SDK there is a span in name only, whose trace is none: that of the headers goes on then. */
  #traceOf(span: Span, base: Context, carried: TraceContext | null): Partial<TraceContext> {
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    if (!this.#parts.api.isSpanContextValid(span.spanContext())) return carried ?? {};
    const flags = traceFlags.toString(16).padStart(2, '0');
    const trace = { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() ?? null };
    const baggage = this.#baggageOf(base, carried);
    return baggage === undefined ? trace : { ...trace, baggage };
  }

  /** The propagator of the application writes it. Where there is none for it, that of the headers goes on as it is. */
  #baggageOf(context: Context, carried: TraceContext | null): string | undefined {
    const { propagation } = this.#parts.api;
    if (!propagation.fields().includes('baggage')) return carried?.baggage;
    if (propagation.getBaggage(context) === undefined) return undefined;
    const carrier: { baggage?: string } = {};
    propagation.inject(context, carrier);
    return carrier.baggage;
  }

  /** The context of the caller; where that has no span, the trace that this library carries. */
  #present(): Context {
    const { context, trace } = this.#parts.api;
    const active = context.active();
    const carried = currentTrace();
    if (trace.getSpanContext(active) !== undefined || carried === null) return active;
    return this.#withBaggage(trace.setSpanContext(active, this.#spanContextOf(carried)), carried);
  }

  /** Handlers begin apart from the context of the loop that has read their message. */
  #baseOf({ operation, attempt = 1 }: SpanFacts, sent: readonly TraceContext[]): Context {
    const { ROOT_CONTEXT, trace } = this.#parts.api;
    const [parent] = sent;
    if (parent === undefined || sent.length > 1) return ROOT_CONTEXT;
    const isChild = operation === 'serve' || (this.#parts.relation === 'parent' && attempt === 1);
    const base = isChild ? trace.setSpanContext(ROOT_CONTEXT, this.#spanContextOf(parent)) : ROOT_CONTEXT;
    return this.#withBaggage(base, parent);
  }

  #withBaggage(context: Context, { baggage }: TraceContext): Context {
    return baggage === undefined ? context : this.#parts.api.propagation.extract(context, { baggage });
  }

  #kindOf({ operation }: SpanFacts): SpanKind {
    const { SpanKind: kinds } = this.#parts.api;
    if (operation === 'process') return kinds.CONSUMER;
    if (operation === 'serve') return kinds.SERVER;
    return operation === 'call' || SETTLES.has(operation) ? kinds.CLIENT : kinds.PRODUCER;
  }

  #spanContextOf({ traceparent, tracestate }: TraceContext): SpanContext {
    const [, traceId = '', spanId = '', flags = ''] = traceparent.split('-');
    const traceState = tracestate === null ? undefined : this.#parts.api.createTraceState(tracestate);
    return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true, traceState };
  }
}

async function settled(opened: OpenedSpan, result: Promise<unknown>): Promise<unknown> {
  try {
    const value = await result;
    opened.end();
    return value;
  } catch (thrown) {
    opened.end(thrown);
    throw thrown;
  }
}
